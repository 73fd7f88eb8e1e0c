"""The mirrored rules, sliced by shard: who is told of a change, and what each shard sees.

``worker.serve`` fills the store by its reflector; the work of each shard that this process holds
follows its own slice. A rule that was deleted and made again under its name is another rule, and
may be another shard's: it is gone from one slice and comes into the other.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from summaryrule.shards import shard_of
from worker.kube.store import Key, Store
from worker.queue import Queue


class Slices(Store):
    """A store that passes each change on to the queue of its rule's shard, if one follows it."""

    def __init__(self, shards: int) -> None:
        super().__init__(self._pass_on)
        self._shards = shards
        self._shard: dict[Key, int] = {}
        self._counts: Counter[int] = Counter()
        self._queues: dict[int, Queue[Key]] = {}

    def count(self, shard: int) -> int:
        """How many rules belong to the shard."""
        return self._counts[shard]

    @property
    def depth(self) -> int:
        """Rules of the followed shards that are due and wait."""
        return sum(queue.depth for queue in self._queues.values())

    def shard(self, item: dict[str, Any]) -> int:
        """Which shard an object belongs to."""
        return shard_of(item["metadata"]["uid"], self._shards)

    def keys(self, shard: int) -> list[Key]:
        """The keys of the shard's rules."""
        return [key for key, each in self._shard.items() if each == shard]

    @contextlib.contextmanager
    def followed(self, shard: int, queue: Queue[Key]) -> Iterator["Slice"]:
        """Tell ``queue`` of all of the shard's rules now, and of their changes while it lasts."""
        self._queues[shard] = queue
        for key in self.keys(shard):
            queue.add(key)
        try:
            yield Slice(self, shard)
        finally:
            del self._queues[shard]

    def _pass_on(self, key: Key) -> None:
        item, before = self.get(key), self._shard.pop(key, None)
        now = None if item is None else self.shard(item)
        if before is not None:
            self._counts[before] -= 1
        if now is not None:
            self._counts[now] += 1
            self._shard[key] = now
        for shard in {before, now} - {None}:
            if shard in self._queues:
                self._queues[shard].add(key)


class Slice:
    """One shard's rules; a rule of another shard is not there."""

    def __init__(self, whole: Slices, shard: int) -> None:
        self._whole, self._shard = whole, shard

    def get(self, key: Key) -> dict[str, Any] | None:
        """The object, or None; do not write into it."""
        item = self._whole.get(key)
        return item if item is not None and self._whole.shard(item) == self._shard else None

    def put(self, item: dict[str, Any]) -> None:
        """As ``Store.put``."""
        self._whole.put(item)

    def remove(self, item: dict[str, Any]) -> None:
        """As ``Store.remove``."""
        self._whole.remove(item)
