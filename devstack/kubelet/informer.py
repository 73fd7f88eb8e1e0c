"""A cache of one kind of object, kept current by list and watch.

The cache may lag behind the server, so actions based on it must be safe to repeat.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

from devstack.kubelet.api import API_ERRORS, ApiClient, ApiError, Object

RELIST_DELAY = 0.5

_log = logging.getLogger(__name__)


class Informer:
    """The objects under `path` by name. `on_change` is called after each event.

    `has_synced` is true after the first list.
    """

    def __init__(self, api: ApiClient, path: str, on_change: Callable[[], None]) -> None:
        self.path = path
        self._api = api
        self._on_change = on_change
        self._objects: dict[str, Object] = {}
        self.has_synced = False

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def get(self, name: str) -> Object | None:
        """Return the object of this name, None when there is none."""
        return self._objects.get(name)

    def put(self, item: Object) -> None:
        """Store the server's answer to our own write, before the watch delivers it."""
        name = item["metadata"]["name"]
        stored = self._objects.get(name)
        if stored is None or _version(stored) <= _version(item):
            self._objects[name] = item

    async def run(self) -> None:
        """List and watch until cancelled; list again when the watch breaks."""
        while True:
            try:
                await self._watch(await self._list())
            except API_ERRORS as error:
                _log.info("%s: %s; listing again", self.path, error)
                await asyncio.sleep(RELIST_DELAY)

    async def _list(self) -> str:
        found = await self._api.get(self.path) or {"items": [], "metadata": {}}
        self._objects = {item["metadata"]["name"]: item for item in found["items"]}
        self.has_synced = True
        self._on_change()
        return str(found["metadata"].get("resourceVersion", ""))

    async def _watch(self, version: str) -> None:
        async for event in self._api.watch(self.path, version):
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 500), str(event["object"]))
            self._apply(event["type"], event["object"])
            self._on_change()

    def _apply(self, kind: str, item: Object) -> None:
        if kind == "DELETED":
            self._objects.pop(item["metadata"]["name"], None)
        else:
            self.put(item)


def _version(item: Object) -> int:
    # NB: resource versions are comparable integers since 1.35 (KEP-5504); etcd's always were.
    return int(item["metadata"]["resourceVersion"])
