"""JSON Patch (RFC 6902): makes a patch from two documents.

`diff` names only what differs: it is empty for equal documents, and applying it to the first
document gives exactly the second.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

Json = Any
"""A decoded JSON value: dict, list, str, int, float, bool or None."""


class Operation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One step of a patch; ``path`` is an RFC 6901 pointer."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Json = msgspec.UNSET


def diff(old: Json, new: Json, path: str = "") -> Iterator[Operation]:
    """Yield the operations that turn ``old`` into ``new``, both plain JSON values.

    ``1``, ``1.0`` and ``true`` are three values. Parts that are the same Python object are not
    compared, so a document that shares what it did not change costs little.
    """
    if old is new:
        return
    if type(old) is not type(new):
        yield Operation("replace", path, new)
    elif type(old) is dict:
        yield from _diff_members(old, new, path)
    elif type(old) is list:
        yield from _diff_elements(old, new, path)
    elif old != new:
        yield Operation("replace", path, new)


def _diff_members(old: dict[str, Json], new: dict[str, Json], path: str) -> Iterator[Operation]:
    for key in old:
        if key not in new:
            yield Operation("remove", _child(path, key))
    for key, value in new.items():
        if key in old:
            if old[key] is not value:
                yield from diff(old[key], value, _child(path, key))
        else:
            yield Operation("add", _child(path, key), value)


def _diff_elements(old: list[Json], new: list[Json], path: str) -> Iterator[Operation]:
    """Keep equal ends; between them change in place, then remove from the back or append."""
    low = 0 if len(old) == len(new) else _count_equal(old, new)
    limit = min(len(old), len(new)) - low
    tail = 0 if len(old) == len(new) else min(_count_equal(old[::-1], new[::-1]), limit)
    for index in range(low, low + limit - tail):
        yield from diff(old[index], new[index], f"{path}/{index}")
    for index in range(len(old) - tail - 1, low + limit - tail - 1, -1):
        yield Operation("remove", f"{path}/{index}")
    for index in range(low + limit - tail, len(new) - tail):
        yield Operation("add", f"{path}/{index}", new[index])


def _count_equal(old: list[Json], new: list[Json]) -> int:
    """Return how many elements from the front are equal in both."""
    count = 0
    for left, right in zip(old, new, strict=False):
        if any(True for _ in diff(left, right)):
            break
        count += 1
    return count


def _child(path: str, key: str) -> str:
    if "~" in key or "/" in key:
        key = key.replace("~", "~0").replace("/", "~1")
    return f"{path}/{key}"
