"""Sets without duplicates and maps with distinct keys, in the server's words."""

import json
from collections.abc import Iterator
from typing import Any

from crdgen.admission.children import children
from crdgen.field_errors import FieldError, duplicate, invalid
from crdgen.schema_keywords import Schema


def problems(value: Any, schema: Schema, path: str = "") -> Iterator[FieldError]:  # noqa: ANN401
    """The duplicates in `value` and below."""
    kind = schema.get("x-kubernetes-list-type") if isinstance(value, list) else None
    if kind == "set":
        for index in _repeated(value, exact=False):
            yield duplicate(f"{path}[{index}]", value[index])
    elif kind == "map":
        yield from _map(value, schema, path)
    for _, child, inner, here in children(value, schema, path):
        yield from problems(child, inner, here)


def _map(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            words = "must be an object for an array of list-type map"
            yield invalid(f"{path}[{index}]", item, words)
            return
    names = schema.get("x-kubernetes-list-map-keys", ())
    keys = [{name: item[name] for name in names if name in (item or {})} for item in value]
    for index in _repeated(keys):
        yield duplicate(f"{path}[{index}]", keys[index])


def _repeated(values: list[Any], *, exact: bool = True) -> Iterator[int]:
    """The index of each value's second occurrence; `exact` where 1 and 1.0 are not the same."""
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        loose = not exact and isinstance(value, (dict, list))
        key = json.dumps(_as_numbers(value) if loose else value, sort_keys=True)
        key = "0.0" if key == "-0.0" else key
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:  # noqa: PLR2004 - the second is reported, further ones are not
            yield index


def _as_numbers(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value with every number as a float, as the server compares the items of a set."""
    if isinstance(value, dict):
        return {key: _as_numbers(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_as_numbers(child) for child in value]
    return value if isinstance(value, (bool, str, type(None))) else float(value) + 0.0
