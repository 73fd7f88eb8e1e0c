"""Who owns which field, as the API server's `managedFields` say it, simplified.

Lists are atomic and maps granular, as in a CRD without list types. The `fieldsV1` written here
has the server's own shape, so code that reads or strips entries works on both.
"""

from typing import Any

Path = tuple[str, ...]
_ABSENT: Any = object()
_NEVER_OWNED = ("apiVersion", "kind")


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
    """The leaves that can have an owner: not identity, nor the server's own metadata."""
    kept = {key: value for key, value in item.items() if key not in {*_NEVER_OWNED, "metadata"}}
    metadata = item.get("metadata", {})
    for key in ("annotations", "labels", "finalizers"):
        if metadata.get(key):
            kept.setdefault("metadata", {})[key] = metadata[key]
    return leaves(kept)


def to_fields(paths: set[Path]) -> dict[str, Any]:
    """As `fieldsV1`."""
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
    """The entries of one object's `managedFields`, by manager, operation and subresource."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.paths: dict[tuple[str, str, str], set[Path]] = {
            (one["manager"], one["operation"], one.get("subresource", "")): from_fields(
                one["fieldsV1"]
            )
            for one in entries
            if one.get("manager")
        }

    def entries(self) -> list[dict[str, Any]]:
        return [
            {
                "manager": manager,
                "operation": operation,
                "apiVersion": "adx-mon.azure.com/v1",
                "fieldsType": "FieldsV1",
                "fieldsV1": to_fields(paths),
            }
            | ({"subresource": subresource} if subresource else {})
            for (manager, operation, subresource), paths in self.paths.items()
            if paths
        ]

    def credit(
        self, key: tuple[str, str, str], before: dict[Path, Any], after: dict[Path, Any]
    ) -> None:
        """A write changed `before` to `after`: the writer owns what it changed, alone."""
        changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
        for owner, paths in self.paths.items():
            paths.intersection_update(after)
            if owner != key:
                paths.difference_update(changed)
        if changed:
            self.paths.setdefault(key, set()).update(changed)

    def others_of(self, path: Path, manager: str) -> set[str]:
        """Other managers that own `path`."""
        return {key[0] for key, paths in self.paths.items() if path in paths and key[0] != manager}
