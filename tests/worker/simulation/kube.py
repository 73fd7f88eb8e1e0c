"""The worker's Kubernetes ports on the in-memory cluster."""

import asyncio
import contextlib
import itertools
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from runtime.errors import Ambiguous, Conflict
from summaryrule.api.constants import FIELD_MANAGER
from tests.worker.simulation.cluster import Cluster, Item
from tests.worker.simulation.faults import Faults
from worker.kube.store import Store, key_of
from worker.kube.summaryrules import create_merge_patch
from worker.ports import EventType, RawRule


class MemoryRules:
    """Implements `worker.ports.RuleClient`."""

    def __init__(self, cluster: Cluster, faults: Faults | None = None) -> None:
        self._cluster = cluster
        self._faults = faults or Faults()

    async def get(self, namespace: str, name: str) -> RawRule:
        return await self._faults.call(lambda: self._cluster.get(namespace, name), writes=False)

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        change = create_merge_patch(rule.get("status") or {}, status)
        if not change:
            return rule
        return await self._patch(rule, {"status": change}, status=True)

    async def patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        return await self._patch(rule, body, status=False)

    async def _patch(self, rule: RawRule, body: dict[str, Any], *, status: bool) -> RawRule:
        version = {"resourceVersion": rule["metadata"]["resourceVersion"]}
        versioned = {**body, "metadata": {**body.get("metadata", {}), **version}}
        return await self._faults.call(
            lambda: self._cluster.patch(
                key_of(rule), versioned, manager=FIELD_MANAGER, status=status
            ),
            writes=True,
        )


class MemoryEvents:
    """Implements `worker.ports.EventRecorder`; counts Events by rule, reason and message."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()

    async def emit(self, rule: RawRule, kind: EventType, reason: str, message: str) -> None:
        await asyncio.sleep(0)
        self.counts[rule["metadata"]["name"], f"{kind}/{reason}", message] += 1


class MemoryWatch:
    """Replaces the reflector: writes the changes of the cluster to a store, in order and late.

    `lag` returns the delay of a change in seconds. Changes never overtake each other.
    """

    def __init__(self, cluster: Cluster, store: Store, lag: Callable[[], float]) -> None:
        self._store = store
        self._lag = lag
        self._last = 0.0
        self._pending: deque[tuple[str, Item]] = deque()
        self.stop = cluster.watch(self._take)
        for item in cluster:
            store.put(item)

    def _take(self, kind: str, item: Item) -> None:
        loop = asyncio.get_running_loop()
        self._last = max(self._last, loop.time() + self._lag())
        # Timers with the same time fire in any order. So each timer delivers the oldest change.
        self._pending.append((kind, item))
        loop.call_at(self._last, self._deliver)

    def _deliver(self) -> None:
        kind, item = self._pending.popleft()
        act = self._store.remove if kind == "DELETED" else self._store.put
        act(item)


class MemoryLeases:
    """Implements `worker.leader_election.Leases`."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults or Faults()
        self._leases: dict[str, Item] = {}
        self._versions = itertools.count(1)

    async def read(self, name: str, *, within: float) -> Item | None:
        async with _deadline(within):
            return await self._faults.call(lambda: self._leases.get(name), writes=False)

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> Item:
        async with _deadline(within):
            return await self._faults.call(lambda: self._create(name, spec), writes=True)

    async def replace(self, lease: Item, spec: dict[str, Any], *, within: float) -> Item:
        async with _deadline(within):
            return await self._faults.call(lambda: self._replace(lease, spec), writes=True)

    def holder(self, name: str) -> str | None:
        """The current holder; None if there is no Lease or no holder."""
        found = self._leases.get(name)
        return None if found is None else found["spec"].get("holderIdentity")

    def _create(self, name: str, spec: dict[str, Any]) -> Item:
        if name in self._leases:
            raise Conflict(f"the Lease {name} already exists")
        return self._store({"name": name}, spec)

    def _replace(self, lease: Item, spec: dict[str, Any]) -> Item:
        name = lease["metadata"]["name"]
        stored = self._leases[name]["metadata"]["resourceVersion"]
        if stored != lease["metadata"]["resourceVersion"]:
            raise Conflict(f"the Lease {name} has been modified")
        return self._store(lease["metadata"], spec)

    def _store(self, metadata: Item, spec: dict[str, Any]) -> Item:
        version = {"resourceVersion": str(next(self._versions))}
        stored = {"metadata": metadata | version, "spec": dict(spec)}
        self._leases[metadata["name"]] = stored
        return stored


@contextlib.asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """A timeout as in the HTTP client: the result of the call is not known."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Ambiguous("no answer in time") from error
