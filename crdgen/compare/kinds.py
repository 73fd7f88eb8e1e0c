"""Types: what a field may be at all."""

from collections.abc import Iterator
from typing import Final

from crdgen.compare.change import READERS, Change, breaking, ratcheted, safe
from crdgen.marks import Schema

_EITHER: Final = "x-kubernetes-int-or-string"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_WIDER: Final = {
    ("integer", "number"), ("integer", "int-or-string"), ("string", "int-or-string"),
}  # fmt: skip
_NARROWER: Final = {
    ("int-or-string", "integer"), ("int-or-string", "string"), ("number", "integer"),
}  # fmt: skip


def shown(schema: Schema) -> str:
    """The type of a node in a word; a map is told from an object."""
    if schema.get(_EITHER):
        return "int-or-string"
    kind = str(schema.get("type", ""))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "map"
    return kind or "anything"


def is_other(old: Schema, new: Schema) -> bool:
    """Whether the type changed so much that nothing below can be compared."""
    was, now = shown(old), shown(new)
    return was != now and (was, now) not in _WIDER | _NARROWER


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the type of one node."""
    was, now = shown(old), shown(new)
    what = f"type {was} → {now}"
    if was != now:
        if now == "anything" or (was, now) in _WIDER:
            yield safe("type-widened", path, what, "every old value is taken", READERS)
        elif (was, now) in _NARROWER:
            why = f"values that are no {now} are refused"
            yield ratcheted("type-narrowed", path, what, why)
        else:
            yield breaking("type-changed", path, what, "no old value fits the new type")
    yield from _embedded(old, new, path)


def _embedded(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    if new.get(_EMBEDDED) and not old.get(_EMBEDDED):
        why = "apiVersion and kind are required, and metadata must be valid"
        yield breaking("embedded-added", path, "holds a whole object", why)
    elif old.get(_EMBEDDED) and not new.get(_EMBEDDED):
        why = "apiVersion, kind and metadata are no longer checked"
        yield safe("embedded-removed", path, "no longer holds a whole object", why)
