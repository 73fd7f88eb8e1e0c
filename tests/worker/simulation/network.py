"""The line between one worker and the servers, and the worker's ports at its near end.

What has been sent may be carried out whatever becomes of the sender: calls run outside the
worker's process, so a kill, a stop or a cancel falls before the effect or after it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from typing import Any, TypeVar

from summaryrule.api.instant import Instant
from summaryrule.planner.types import Column, Operation
from tests.worker.fences import allow
from tests.worker.simulation.invariants import InvariantChecker, WorkerView
from tests.worker.simulation.processes import Process, outside
from worker.errors import Unreachable
from worker.leader_election import Leases
from worker.ports import EventRecorder, EventType, KustoClient, QueryClient, RawRule, RuleClient

T = TypeVar("T")


class Wire:
    """Carries the calls of one process; `crash` is the chance that one is its last."""

    def __init__(self, process: Process, dice: Random, crash: float) -> None:
        self.crash = crash
        self._process = process
        self._dice = dice
        self._calls: set[asyncio.Task[Any]] = set()

    async def call(self, request: Coroutine[Any, Any, T]) -> T:
        # All drawn up front: the order in which tasks are cancelled must not move the dice.
        fate, reaches_server = self._dice.random(), self._dice.random() < 0.5
        if self._process.is_dead:
            request.close()
        self.require_life()
        if fate < self.crash / 2 and not reaches_server:
            request.close()
            await self._die()
        call = asyncio.get_running_loop().create_task(request, context=outside())
        self._calls.add(call)
        call.add_done_callback(self._ended)
        if fate < self.crash / 2:
            await self._die()
        try:
            result = await asyncio.shield(call)
        except asyncio.CancelledError:
            if not reaches_server:
                call.cancel()
            raise
        if fate < self.crash:
            await self._die()
        return result

    def require_life(self) -> None:
        """Raises Unreachable for a process that unwinds after its death: it acts no more."""
        if self._process.is_dead:
            raise Unreachable("the process has ended")

    async def close(self) -> None:
        for call in list(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _ended(self, call: "asyncio.Task[Any]") -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()

    async def _die(self) -> None:
        """Never answered: only the burial ends a call that nobody may cancel any more."""
        self._process.kill()
        await self._process.buried.wait()
        raise Unreachable("the process has ended")


class WiredRules:
    """Keeps `worker.ports.Rules`."""

    def __init__(
        self, rules: RuleClient, wire: Wire, invariants: InvariantChecker, worker: WorkerView
    ) -> None:
        self._rules, self._wire = rules, wire
        self._invariants, self._worker = invariants, worker

    async def get(self, namespace: str, name: str) -> RawRule:
        return await self._wire.call(self._rules.get(namespace, name))

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        await self._begin(rule)
        return await self._wire.call(self._rules.patch_status(rule, status))

    async def patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        await self._begin(rule)
        return await self._wire.call(self._patch(rule, body))

    async def _begin(self, rule: RawRule) -> None:
        self._wire.require_life()
        if not self._invariants.writing(self._worker, rule["metadata"]["uid"]):
            await asyncio.sleep(1.0)  # or the story would stand still, and never be told

    async def _patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        stored = await self._rules.patch(rule, body)
        self._invariants.showed(stored, body)
        return stored


class WiredKusto:
    """Keeps `worker.ports.Kusto`."""

    def __init__(
        self, kusto: KustoClient, wire: Wire, invariants: InvariantChecker, worker: WorkerView
    ) -> None:
        self._kusto, self._wire = kusto, wire
        self._invariants, self._worker = invariants, worker

    def endpoint(self, database: str) -> str | None:
        return self._kusto.endpoint(database)

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        self._wire.require_life()
        before_send()
        marked = self._invariants.submitting(self._worker, command)
        # What has been sent may be carried out whatever becomes of the Lease.
        return await self._wire.call(self._kusto.submit(database, marked, before_send=allow))

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._wire.call(self._kusto.operations(database, list(ids)))

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._wire.call(self._kusto.operations_log(database, list(ids)))

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        return await self._wire.call(self._kusto.has_tag(database, table, tag))

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        return await self._wire.call(self._kusto.find_tags(database, table, prefix, since))

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        self._wire.require_life()
        before_send()
        self._invariants.dropping(self._worker, tag)
        drop = self._kusto.drop_extents(database, table, tag, before_send=allow)
        await self._wire.call(drop)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        self._wire.require_life()
        before_send()
        drop = self._kusto.drop_tags(database, table, tags, before_send=allow)
        await self._wire.call(drop)

    async def cancel(self, database: str, operation: str) -> bool:
        return await self._wire.call(self._kusto.cancel(database, operation))


class WiredQueries:
    """Keeps `worker.ports.QueryClient`."""

    def __init__(self, queries: QueryClient, wire: Wire) -> None:
        self._queries, self._wire = queries, wire

    def endpoint(self, database: str) -> str | None:
        return self._queries.endpoint(database)

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        return await self._wire.call(self._queries.query_columns(database, query))

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        return await self._wire.call(self._queries.table_columns(database, table))


class WiredEvents:
    """Keeps `worker.ports.Events`."""

    def __init__(self, events: EventRecorder, wire: Wire) -> None:
        self._events, self._wire = events, wire

    async def emit(self, rule: RawRule, kind: EventType, reason: str, message: str) -> None:
        await self._wire.call(self._events.emit(rule, kind, reason, message))


class WiredLeases:
    """Keeps `worker.lease.Leases`."""

    def __init__(self, leases: Leases, wire: Wire) -> None:
        self._leases, self._wire = leases, wire

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        return await self._wire.call(self._leases.read(name, within=within))

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        return await self._wire.call(self._leases.create(name, spec, within=within))

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        return await self._wire.call(self._leases.replace(lease, spec, within=within))
