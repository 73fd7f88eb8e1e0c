"""Types, list types and map types: what a field may be, and how server-side apply merges it."""

from collections.abc import Iterator
from typing import Final

from crdgen.compatibility.change import READERS, Change, breaking, ratcheted, safe
from crdgen.schema_keywords import Schema

_EITHER: Final = "x-kubernetes-int-or-string"
_EMBEDDED: Final = "x-kubernetes-embedded-resource"
_WIDER: Final = {
    ("integer", "number"), ("integer", "int-or-string"), ("string", "int-or-string"),
}  # fmt: skip
_NARROWER: Final = {
    ("int-or-string", "integer"), ("int-or-string", "string"), ("number", "integer"),
}  # fmt: skip


def type_name(schema: Schema) -> str:
    """The type of a node in a word; a map is not an object."""
    if schema.get(_EITHER):
        return "int-or-string"
    kind = str(schema.get("type", ""))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return "map"
    return kind or "anything"


def is_incompatible(old: Schema, new: Schema) -> bool:
    """Whether the type changed so much that nothing below can be compared."""
    was, now = type_name(old), type_name(new)
    return was != now and (was, now) not in _WIDER | _NARROWER


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the type of one node."""
    was, now = type_name(old), type_name(new)
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


_LIST: Final = "x-kubernetes-list-type"
_MAP: Final = "x-kubernetes-map-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_APPLIERS: Final = "several appliers of one object (GitOps beside a controller)"


def list_type_changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in how a list or map merges."""
    was, now = old.get(_LIST, "atomic"), new.get(_LIST, "atomic")
    what = f"list type {was} → {now}"
    if was != now:
        if was == "atomic":
            same = "equal items" if now == "set" else "items with the same keys"
            yield ratcheted("list-type-keyed", path, what, f"{same} are refused")
        else:
            why = "server-side apply replaces the whole list instead of merging items"
            if now != "atomic":
                why = "items have other keys, so applied lists merge differently"
            yield breaking("list-type-changed", path, what, why, _APPLIERS)
    elif old.get(_KEYS) != new.get(_KEYS):
        what = f"keys {old.get(_KEYS)} → {new.get(_KEYS)}"
        why = "items have other keys: other items are duplicates, applied lists merge differently"
        yield breaking("list-keys-changed", path, what, why, _APPLIERS)
    yield from _map(old.get(_MAP, "granular"), new.get(_MAP, "granular"), path)


def _map(was: str, now: str, path: str) -> Iterator[Change]:
    what = f"map type {was} → {now}"
    if was == "granular" and now == "atomic":
        why = "server-side apply replaces the whole map instead of merging fields"
        yield breaking("map-type-atomic", path, what, why, _APPLIERS)
    elif was != now:
        yield safe("map-type-granular", path, what, "appliers may own single fields")
