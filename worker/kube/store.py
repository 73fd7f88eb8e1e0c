"""The cache of objects that a reflector fills, and the cache of their models.

The worker puts its own writes into the store at once: the next decision then sees them without
waiting for the watch.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.v1 import SummaryRule, SummaryRuleStatus
from worker.ports import RawRule

Key = tuple[str, str]
"""Namespace and name."""


def key_of(item: dict[str, Any]) -> Key:
    """The key of an object."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def version_of(item: dict[str, Any]) -> int:
    """Its resourceVersion, which grows with every write to the resource.

    Two versions of one resource may be compared since Kubernetes 1.35 (KEP-5504).
    """
    return int(item["metadata"]["resourceVersion"])


class Store:
    """Objects by key; ``changed`` is called with the key of each that comes, changes or goes."""

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._objects: dict[Key, dict[str, Any]] = {}

    def get(self, key: Key) -> dict[str, Any] | None:
        """The object, or None; do not write into it."""
        return self._objects.get(key)

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(list(self._objects.values()))

    def put(self, item: dict[str, Any]) -> None:
        """Store an object from the watch or from a write, unless a newer one is there."""
        held = self._objects.get(key_of(item))
        if held is not None and version_of(held) >= version_of(item):
            return
        self._objects[key_of(item)] = item
        self._changed(key_of(item))

    def remove(self, item: dict[str, Any]) -> None:
        """Remove an object that was deleted, unless a newer one has its name."""
        held = self._objects.get(key_of(item))
        if held is not None and version_of(held) <= version_of(item):
            del self._objects[key_of(item)]
            self._changed(key_of(item))

    def replace(self, items: dict[Key, dict[str, Any]]) -> None:
        """Replace everything by a list: what it lacks is gone.

        The list wins over newer objects too: a restored etcd counts from a lower version again.
        """
        before, self._objects = self._objects, items
        for key in before.keys() | items.keys():
            if before.get(key) != items.get(key):
                self._changed(key)


_REMEMBERED: Final = 64


class ModelCache:
    """Rules as models: each object is parsed once, as parsing takes longer than deciding.

    Keeps the last objects, by their identity.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[RawRule, SummaryRule]] = OrderedDict()

    def parse(self, rule: RawRule) -> SummaryRule:
        """The model of an object; nobody may change the object.

        Raises:
            MalformedError: it cannot be read as a rule.
        """
        found = self._known.get(id(rule))
        return found[1] if found is not None else self._remember(rule)

    def parse_or_none(self, rule: RawRule) -> SummaryRule | None:
        """The model of an object; None where it cannot be read."""
        try:
            return self.parse(rule)
        except MalformedError:
            return None

    def status(self, rule: RawRule) -> SummaryRuleStatus:
        """The object's status; an empty one where it has none or cannot be read."""
        known = self.parse_or_none(rule)
        return (known and known.status) or SummaryRuleStatus()

    def _remember(self, rule: RawRule) -> SummaryRule:
        answer = parse_rule(rule)
        self._known[id(rule)] = (rule, answer)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return answer
