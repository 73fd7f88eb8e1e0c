"""A local copy of one kind of object, kept fresh by list and watch.

`node.py` has one for each kind that it acts on. A copy may lag; whoever acts on it must find no
harm in doing a thing twice. `is_complete` turns true with the first list.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

from devstack.kubelet.api import UNREACHABLE, Api, ApiError, Object

PAUSE = 0.5

_log = logging.getLogger(__name__)


class Mirror:
    """The objects under `path` by name; `changed` is called after each event."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None]) -> None:
        self.path = path
        self._api = api
        self._changed = changed
        self._objects: dict[str, Object] = {}
        self.is_complete = False

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def get(self, name: str) -> Object | None:
        """Give the object of this name, if there is one."""
        return self._objects.get(name)

    def put(self, item: Object) -> None:
        """Take in what the server has answered to our own write, ahead of the watch."""
        name = item["metadata"]["name"]
        known = self._objects.get(name)
        if known is None or _version(known) <= _version(item):
            self._objects[name] = item

    async def run(self) -> None:
        """List and watch until cancelled; a broken watch lists again."""
        while True:
            try:
                await self._follow(await self._list())
            except UNREACHABLE as error:
                _log.info("%s: %s; listing again", self.path, error)
                await asyncio.sleep(PAUSE)

    async def _list(self) -> str:
        found = await self._api.get(self.path) or {"items": [], "metadata": {}}
        self._objects = {item["metadata"]["name"]: item for item in found["items"]}
        self.is_complete = True
        self._changed()
        return str(found["metadata"].get("resourceVersion", ""))

    async def _follow(self, version: str) -> None:
        async for event in self._api.watch(self.path, version):
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 500), str(event["object"]))
            self._take(event["type"], event["object"])
            self._changed()

    def _take(self, kind: str, item: Object) -> None:
        if kind == "DELETED":
            self._objects.pop(item["metadata"]["name"], None)
        else:
            self.put(item)


def _version(item: Object) -> int:
    # NB: resource versions are comparable integers since 1.35 (KEP-5504); etcd's always were.
    return int(item["metadata"]["resourceVersion"])
