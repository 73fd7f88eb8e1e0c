"""The objects that a reflector mirrors, and who is told of a change.

Kept apart from the watching so that the worker's own writes can be put in at once: the next plan
then sees them without waiting for the watch to bring them back.
"""

from collections.abc import Callable, Iterator
from typing import Any

Key = tuple[str, str]
"""Namespace and name."""


def key_of(item: dict[str, Any]) -> Key:
    """The key of an object."""
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def version_of(item: dict[str, Any]) -> int:
    """Its resourceVersion, which grows with every write to the resource.

    Comparing two of one resource is part of the API since Kubernetes 1.35 (KEP-5504).
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
        """Take an object from the watch or from a write's reply, unless a newer one is held."""
        held = self._objects.get(key_of(item))
        if held is not None and version_of(held) >= version_of(item):
            return
        self._objects[key_of(item)] = item
        self._changed(key_of(item))

    def remove(self, item: dict[str, Any]) -> None:
        """Drop an object that the watch says was deleted, unless a newer one has its name."""
        held = self._objects.get(key_of(item))
        if held is not None and version_of(held) <= version_of(item):
            del self._objects[key_of(item)]
            self._changed(key_of(item))

    def replace(self, items: dict[Key, dict[str, Any]]) -> None:
        """Take a whole list: what it lacks is gone.

        The list wins over what is held, older or not: a restored etcd counts from lower again.
        """
        before, self._objects = self._objects, items
        for key in before.keys() | items.keys():
            if before.get(key) != items.get(key):
                self._changed(key)
