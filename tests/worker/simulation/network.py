"""The connection of one worker to the servers, and the ports of the worker that use it.

The server may carry out a call that was sent even if the sender dies. Calls therefore run outside
the process of the worker: a kill, a stop or a cancel comes before the effect or after it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from typing import Any, TypeVar

from runtime.errors import Unreachable
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Column, Operation
from tests.worker.fences import allow
from tests.worker.simulation.invariants import InvariantChecker, WorkerView
from tests.worker.simulation.processes import Process, server_context
from worker.leader_election import Leases
from worker.ports import EventRecorder, EventType, KustoClient, QueryClient, RawRule, RuleClient

T = TypeVar("T")


class Connection:
    """Sends the calls of one process; `crash` is the probability that a call kills the process."""

    def __init__(self, process: Process, random: Random, crash: float) -> None:
        self.crash = crash
        self._process = process
        self._random = random
        self._calls: set[asyncio.Task[Any]] = set()

    async def call(self, request: Coroutine[Any, Any, T]) -> T:
        # All random numbers are drawn here: the order of cancelled tasks must not change them.
        crash_draw, reaches_server = self._random.random(), self._random.random() < 0.5
        if self._process.is_dead:
            request.close()
        self.require_alive()
        if crash_draw < self.crash / 2 and not reaches_server:
            request.close()
            await self._kill_process()
        call = asyncio.get_running_loop().create_task(request, context=server_context())
        self._calls.add(call)
        call.add_done_callback(self._ended)
        if crash_draw < self.crash / 2:
            await self._kill_process()
        try:
            result = await asyncio.shield(call)
        except asyncio.CancelledError:
            if not reaches_server:
                call.cancel()
            raise
        if crash_draw < self.crash:
            await self._kill_process()
        return result

    def require_alive(self) -> None:
        """Raises Unreachable if the process is dead: its `finally` blocks must have no effect."""
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

    async def _kill_process(self) -> None:
        """Kill the process. The call gets no reply, and ends when the process is closed."""
        self._process.kill()
        await self._process.closed.wait()
        raise Unreachable("the process has ended")


class ConnectedRules:
    """Implements `worker.ports.RuleClient`."""

    def __init__(
        self,
        rules: RuleClient,
        connection: Connection,
        invariants: InvariantChecker,
        worker: WorkerView,
    ) -> None:
        self._rules, self._connection = rules, connection
        self._invariants, self._worker = invariants, worker

    async def get(self, namespace: str, name: str) -> RawRule:
        return await self._connection.call(self._rules.get(namespace, name))

    async def patch_status(self, rule: RawRule, status: dict[str, Any]) -> RawRule:
        await self._check_write(rule)
        return await self._connection.call(self._rules.patch_status(rule, status))

    async def patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        await self._check_write(rule)
        return await self._connection.call(self._patch(rule, body))

    async def _check_write(self, rule: RawRule) -> None:
        self._connection.require_alive()
        if not self._invariants.before_write(self._worker, rule["metadata"]["uid"]):
            await asyncio.sleep(
                1.0
            )  # lets virtual time pass, so that the scenario ends and reports it

    async def _patch(self, rule: RawRule, body: dict[str, Any]) -> RawRule:
        stored = await self._rules.patch(rule, body)
        self._invariants.after_patch(stored, body)
        return stored


class ConnectedKusto:
    """Implements `worker.ports.KustoClient`."""

    def __init__(
        self,
        kusto: KustoClient,
        connection: Connection,
        invariants: InvariantChecker,
        worker: WorkerView,
    ) -> None:
        self._kusto, self._connection = kusto, connection
        self._invariants, self._worker = invariants, worker

    def endpoint(self, database: str) -> str | None:
        return self._kusto.endpoint(database)

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        self._connection.require_alive()
        before_send()
        marked = self._invariants.before_submit(self._worker, command)
        # The server may carry out what was sent even if the Lease is lost.
        return await self._connection.call(self._kusto.submit(database, marked, before_send=allow))

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._connection.call(self._kusto.operations(database, list(ids)))

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._connection.call(self._kusto.operations_log(database, list(ids)))

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        return await self._connection.call(self._kusto.has_tag(database, table, tag))

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        return await self._connection.call(self._kusto.find_tags(database, table, prefix, since))

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        self._connection.require_alive()
        before_send()
        self._invariants.before_drop(self._worker, tag)
        drop = self._kusto.drop_extents(database, table, tag, before_send=allow)
        await self._connection.call(drop)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        self._connection.require_alive()
        before_send()
        drop = self._kusto.drop_tags(database, table, tags, before_send=allow)
        await self._connection.call(drop)

    async def cancel(self, database: str, operation: str) -> bool:
        return await self._connection.call(self._kusto.cancel(database, operation))


class ConnectedQueries:
    """Implements `worker.ports.QueryClient`."""

    def __init__(self, queries: QueryClient, connection: Connection) -> None:
        self._queries, self._connection = queries, connection

    def endpoint(self, database: str) -> str | None:
        return self._queries.endpoint(database)

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        return await self._connection.call(self._queries.query_columns(database, query))

    async def table_columns(self, database: str, table: str) -> tuple[Column, ...] | None:
        return await self._connection.call(self._queries.table_columns(database, table))


class ConnectedEvents:
    """Implements `worker.ports.EventRecorder`."""

    def __init__(self, events: EventRecorder, connection: Connection) -> None:
        self._events, self._connection = events, connection

    async def emit(self, rule: RawRule, kind: EventType, reason: str, message: str) -> None:
        await self._connection.call(self._events.emit(rule, kind, reason, message))


class ConnectedLeases:
    """Implements `worker.leader_election.Leases`."""

    def __init__(self, leases: Leases, connection: Connection) -> None:
        self._leases, self._connection = leases, connection

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        return await self._connection.call(self._leases.read(name, within=within))

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        return await self._connection.call(self._leases.create(name, spec, within=within))

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        return await self._connection.call(self._leases.replace(lease, spec, within=within))
