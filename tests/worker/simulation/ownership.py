"""The owners of fields as in `managedFields` of the API server, simplified.

Lists are atomic and maps granular, as in a CRD without list types. `fieldsV1` has the same form
as on the API server, so that code that reads or removes entries works with both.
"""

from functools import lru_cache
from typing import Any

Path = tuple[str, ...]
_ABSENT: Any = object()
_NOT_OWNED = ("apiVersion", "kind")


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Every leaf of a JSON object by its path; empty maps are leaves."""
    if not isinstance(value, dict) or (path and not value):
        return {path: value}
    return {
        leaf: found
        for key, inner in value.items()
        for leaf, found in leaves(inner, (*path, key)).items()
    }


def owned(item: dict[str, Any]) -> dict[Path, Any]:
    """The leaves that can have an owner: no identity, and no metadata of the server."""
    return leaves(_ownable(item))


def _ownable(item: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in item.items() if key not in {*_NOT_OWNED, "metadata"}}
    metadata = item.get("metadata", {})
    for key in ("annotations", "labels", "finalizers"):
        if metadata.get(key):
            kept.setdefault("metadata", {})[key] = metadata[key]
    return kept


def difference(before: Any, after: Any, path: Path = ()) -> tuple[set[Path], set[Path]]:
    """The leaves that are new or changed in `after`, and those that it lacks.

    Versions of an object share unchanged parts, so identical parts are skipped.
    """
    if before is after:
        return set(), set()
    if not (isinstance(before, dict) and isinstance(after, dict) and before and after):
        return _replaced(before, after, path)
    changed, removed = set[Path](), set[Path]()
    for key in before.keys() | after.keys():
        inner = difference(before.get(key, _ABSENT), after.get(key, _ABSENT), (*path, key))
        changed |= inner[0]
        removed |= inner[1]
    return changed, removed


def _replaced(before: Any, after: Any, path: Path) -> tuple[set[Path], set[Path]]:
    if before == after:
        return set(), set()
    old = set[Path]() if before is _ABSENT else set(leaves(before, path))
    new = set[Path]() if after is _ABSENT else set(leaves(after, path))
    return new, old - new


def to_fields(paths: frozenset[Path]) -> dict[str, Any]:
    """The paths as `fieldsV1`; equal paths give the same object. Do not change it in place."""
    return _rendered(paths)


@lru_cache(maxsize=4096)
def _rendered(paths: frozenset[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    return tree


def from_fields(fields: dict[str, Any], path: Path = ()) -> set[Path]:
    """The paths of a `fieldsV1`."""
    if not fields:
        return {path} if path else set()
    return {
        leaf
        for key, inner in fields.items()
        if key.startswith("f:")
        for leaf in from_fields(inner, (*path, key[2:]))
    }


class Owners:
    """The entries of entry object's `managedFields`, by manager, operation and subresource."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._entries = {_key(entry): entry for entry in entries if entry.get("manager")}
        self.paths: dict[tuple[str, str, str], frozenset[Path]] = {
            key: _paths(entry["fieldsV1"]) for key, entry in self._entries.items()
        }

    def entries(self) -> list[dict[str, Any]]:
        return [self._entry(key, paths) for key, paths in self.paths.items() if paths]

    def _entry(self, key: tuple[str, str, str], paths: frozenset[Path]) -> dict[str, Any]:
        before, fields = self._entries.get(key), to_fields(paths)
        if before is not None and before["fieldsV1"] is fields:
            return before
        manager, operation, subresource = key
        return {
            "manager": manager,
            "operation": operation,
            "apiVersion": "adx-mon.azure.com/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        } | ({"subresource": subresource} if subresource else {})

    def record_write(
        self, key: tuple[str, str, str], before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        """Make the writer the only owner of the fields that it changed from `before` to `after`."""
        changed, removed = difference(_ownable(before), _ownable(after))
        for owner, paths in self.paths.items():
            self.paths[owner] = paths - removed - (changed if owner != key else removed)
        if changed:
            self.paths[key] = self.paths.get(key, frozenset()) | changed

    def others_of(self, path: Path, manager: str) -> set[str]:
        """Other managers that own `path`."""
        return {key[0] for key, paths in self.paths.items() if path in paths and key[0] != manager}


def _key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], entry.get("subresource", "")


_CACHE: dict[int, tuple[dict[str, Any], frozenset[Path]]] = {}


def _paths(fields: dict[str, Any]) -> frozenset[Path]:
    """The paths of a `fieldsV1`, cached by object."""
    cached = _CACHE.get(id(fields))
    if cached is None:
        if len(_CACHE) > 4096:
            _CACHE.clear()
        cached = _CACHE[id(fields)] = (fields, frozenset(from_fields(fields)))
    return cached[1]
