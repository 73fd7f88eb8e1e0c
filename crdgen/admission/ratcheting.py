"""Which old value a new one is compared with: the basis of ratcheting and of `oldSelf`.

Fields correlate by name, items of `map` lists by their keys, items of other lists not at all.
"""

from collections.abc import Sequence
from typing import Any

from crdgen.schema_keywords import Schema


class Correlation:
    """A new value beside the old one that it replaces."""

    def __init__(self, new: Any, old: Any, schema: Schema) -> None:  # noqa: ANN401 - JSON
        self.new = new
        self.old = old
        self._schema = schema

    def unchanged(self) -> bool:
        """Whether new and old are the same, as ratcheting sees it."""
        if self.new is None or self.old is None:
            return self.new is None and self.old is None
        if type(self.new) is not type(self.old):
            return False
        if isinstance(self.new, list):
            return self._same_list()
        if isinstance(self.new, dict):
            return self.new.keys() == self.old.keys() and all(
                (child := self.key(key)) is not None and child.unchanged() for key in self.new
            )
        return bool(self.new == self.old)

    def _same_list(self) -> bool:
        if len(self.new) != len(self.old):
            return False
        if self._schema.get("x-kubernetes-list-type") != "map":
            return bool(self.new == self.old)
        children = [self.index(at) for at in range(len(self.new))]
        return all(child is not None and child.unchanged() for child in children)

    def key(self, name: str) -> "Correlation | None":
        """The correlation of field `name`, or None when it is not in both."""
        if not isinstance(self.new, dict) or not isinstance(self.old, dict):
            return None
        if name not in self.new or name not in self.old:
            return None
        schema = self._schema.get("properties", {}).get(name)
        if schema is None and isinstance(self._schema.get("additionalProperties"), dict):
            schema = self._schema["additionalProperties"]
        return None if schema is None else Correlation(self.new[name], self.old[name], schema)

    def index(self, at: int) -> "Correlation | None":
        """The correlation of item `at`, or None when the list has no keys or the key is new."""
        items = self._schema.get("items")
        if not isinstance(self.new, list) or not isinstance(items, dict):
            return None
        old = old_item(self.new[at], self.old, self._schema)
        return None if old is None else Correlation(self.new[at], old, items)


def old_item(item: Any, old: Any, schema: Schema) -> Any:  # noqa: ANN401 - JSON
    """The item of the old list with the same keys as `item`, or None."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return None
    names = schema.get("x-kubernetes-list-map-keys", ())
    wanted = _keys(item, names)
    if wanted is None:
        return None
    return next((each for each in old if _keys(each, names) == wanted), None)


def _keys(item: Any, names: Sequence[str]) -> list[tuple[type, Any]] | None:  # noqa: ANN401
    """The keys of an item, or None when one is absent or no scalar: it correlates with nothing."""
    if not isinstance(item, dict):
        return None
    values = [item.get(name) for name in names]
    if any(value is None or isinstance(value, (dict, list)) for value in values):
        return None
    return [(type(value), value) for value in values]
