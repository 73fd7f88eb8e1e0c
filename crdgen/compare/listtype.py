"""List and map types: how server-side apply merges, and what counts as the same item."""

from collections.abc import Iterator
from typing import Final

from crdgen.compare.change import Change, breaking, ratcheted, safe
from crdgen.marks import Schema

_LIST: Final = "x-kubernetes-list-type"
_MAP: Final = "x-kubernetes-map-type"
_KEYS: Final = "x-kubernetes-list-map-keys"
_APPLIERS: Final = "several appliers of one object (GitOps beside a controller)"


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
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
                why = "items are told apart otherwise, so applied lists merge otherwise"
            yield breaking("list-type-changed", path, what, why, _APPLIERS)
    elif old.get(_KEYS) != new.get(_KEYS):
        what = f"keys {old.get(_KEYS)} → {new.get(_KEYS)}"
        why = "items are told apart otherwise: duplicates are refused, merges change"
        yield breaking("list-keys-changed", path, what, why, _APPLIERS)
    yield from _map(old.get(_MAP, "granular"), new.get(_MAP, "granular"), path)


def _map(was: str, now: str, path: str) -> Iterator[Change]:
    what = f"map type {was} → {now}"
    if was == "granular" and now == "atomic":
        why = "server-side apply replaces the whole map instead of merging fields"
        yield breaking("map-type-atomic", path, what, why, _APPLIERS)
    elif was != now:
        yield safe("map-type-granular", path, what, "appliers may own single fields")
