"""The two worlds that the contract of `worker.ports.Kusto` is checked in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import httpx

from summaryrule.kql import quote_name
from tests.worker.simulation.faults import Faults
from tests.worker.simulation.kusto import KustoState, MemoryKusto, Outcome
from tests.worker.simulation.virtual import VirtualClock
from worker.kusto.client import EndpointClient
from worker.kusto.requests import KustoRequests
from worker.ports import KustoClient, QueryClient

DATABASE = "Telemetry"
NO_ROWS = "print Value = 1 | where Value == 2"


def append(table: str, token: str, query: str = "print Value = 1") -> str:
    return (
        f".set-or-append async {quote_name(table)} with (extend_schema=true, "
        f"""tags='["ingest-by:{token}"]', ingestIfNotExists='["{token}"]', """
        f"creationTime='2026-01-01T00:00:00Z') <| {query}"
    )


class KustoWorld(Protocol):
    kusto: KustoClient
    queries: QueryClient

    async def rows(self, table: str) -> int: ...
    def without_source(self) -> AbstractAsyncContextManager[str]: ...
    def fault(self, kind: str, **details: Any) -> AbstractAsyncContextManager[None]: ...


class MemoryWorld:
    """Runs on the loop's own time, like the process that it stands for."""

    def __init__(self) -> None:
        self._faults = Faults()
        self._world = KustoState(VirtualClock(), outcome=lambda _: Outcome(0.05), rows=_rows)
        memory = MemoryKusto(self._world, self._faults)
        self.kusto: KustoClient = memory
        self.queries: QueryClient = memory

    @asynccontextmanager
    async def without_source(self) -> AsyncIterator[str]:
        """A query whose table is not there until the end of the block."""
        self._world.missing_until = self._world.clock.now() + 1_000_000_000
        yield "Missing"
        self._world.missing_until = 0

    async def rows(self, table: str) -> int:
        self._world.settle()
        extents = [each for each in self._world.extents if each.drop_by[1] == table]
        return sum(append.rows for each in extents for append in each.appends)

    @asynccontextmanager
    async def fault(self, kind: str, **details: Any) -> AsyncIterator[None]:
        faults, world = self._faults, self._world
        before = (faults.throttled, faults.lost_reply, faults.refused_before, world.outcome)
        match kind:
            case "throttle":
                faults.throttled = 1.0
            case "lose-reply":
                faults.lost_reply = 1.0
            case "lose-request":
                faults.refused_before = 1.0
            case "operation-stuck":
                world.outcome = lambda _: Outcome(1e9)
            case "operation-end":
                ended = Outcome(
                    0.05, details["state"], details["status"], details.get("shouldRetry", False)
                )
                world.outcome = lambda _: ended
            case "log-lag":
                world.log_lag = details["seconds"]
        try:
            yield
        finally:
            faults.throttled, faults.lost_reply, faults.refused_before, world.outcome = before
            world.log_lag = 0.0


class EmulatorWorld:
    def __init__(self, url: str, kusto: KustoRequests, service: EndpointClient) -> None:
        self._url = url
        self._service = service
        self.kusto: KustoClient = kusto
        self.queries: QueryClient = kusto

    @asynccontextmanager
    async def without_source(self) -> AsyncIterator[str]:
        yield "Missing"

    async def rows(self, table: str) -> int:
        text = f".show table {quote_name(table)} extents"
        rows = await self._service.call("test", DATABASE, text)
        return sum(row["RowCount"] for row in rows)

    @asynccontextmanager
    async def fault(self, kind: str, **details: Any) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=self._url) as client:
            body = {"faults": [{"fault": kind, **details}]}
            (await client.put("/faults", json=body)).raise_for_status()
            try:
                yield
            finally:
                (await client.delete("/faults")).raise_for_status()


def _rows(command: str) -> int:
    return 0 if command.endswith(NO_ROWS) else 1


async def ended(world: KustoWorld, operation: str) -> Any:
    """The operation's record once it has ended."""
    async with asyncio.timeout(20):
        while True:
            record = (await world.kusto.operations(DATABASE, [operation]))[operation]
            if record.state not in {"InProgress", "Scheduled"}:
                return record
            await asyncio.sleep(0.02)
