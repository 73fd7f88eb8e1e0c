"""The endpoint itself: a store, a runner and faults, behind two verbs, `command` and `query`.

Built by `emulator.__main__`, driven by `emulator.routes`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

import duckdb
from duckdb import DuckDBPyConnection

from emulator import catalog, operations
from emulator.commands import parse
from emulator.commands.databases import create
from emulator.context import CommandContext, Request
from emulator.error_mapping import map_duckdb_error
from emulator.errors import KustoError
from emulator.faults import Faults
from emulator.kql import run, translate
from emulator.operation_runner import OperationRunner
from emulator.request_parser import DEFAULT_DATABASE
from emulator.responses import Table
from emulator.store import Store

_WARM_UP: Final = """let _startTime=datetime(2026-01-01T00:00:00Z);
let _endTime=datetime(2026-01-01T00:59:59.9999999Z);
datatable(Timestamp:datetime, Value:real)[datetime(2026-01-01), 1.0]
| where Timestamp between (_startTime .. _endTime)
| summarize avg(Value), count() by bin(Timestamp, 1h)"""


def _warm_up(now: datetime) -> Request:
    """A query that makes DuckDB load what the first query would wait for."""
    return Request(DEFAULT_DATABASE, _WARM_UP, now, uuid4(), {})


class KustoService:
    """Answers commands and queries; `clock` gives naive UTC."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        faults = Faults()
        self.context = CommandContext(store, faults, OperationRunner(store, faults, clock), clock)
        self.is_closed = False
        self._warming: asyncio.Task[Table] | None = None

    async def start(self) -> None:
        """Make the default database, and say what a crash left behind."""
        now = self.context.clock()

        def work(cursor: DuckDBPyConnection) -> None:
            if DEFAULT_DATABASE not in catalog.read(cursor).databases:
                create(cursor, DEFAULT_DATABASE, now)
            operations.abandon_unfinished(cursor, now)
            operations.prune(cursor, now)

        await self.context.store.write(work)
        self._warming = asyncio.create_task(self.query(_warm_up(now)))

    async def close(self) -> None:
        """Stop background operations and close the file."""
        if self._warming is not None:
            await asyncio.gather(self._warming, return_exceptions=True)
        await self.context.runner.close()
        self.is_closed = await asyncio.to_thread(self.context.store.close)

    def operation_kind(self, request: Request) -> str:
        """Kusto's name for what this request is."""
        if not request.text.startswith("."):
            return "Query"
        try:
            return parse(request.text).operation
        except KustoError:
            return "Command"

    async def command(self, request: Request) -> Table:
        """Carry out a management command; raises KustoError."""
        if not request.text.startswith("."):
            raise KustoError("A query goes to /v2/rest/query; /v1/rest/mgmt takes commands.")
        try:
            return await parse(request.text).run(self.context, request)
        except duckdb.Error as error:
            raise map_duckdb_error(error) from error

    async def query(self, request: Request) -> Table:
        """The rows of a query; raises KustoError."""
        if request.text.startswith("."):
            raise KustoError(
                "A management command goes to /v1/rest/mgmt, not to the query endpoint."
            )

        def work(cursor: DuckDBPyConnection) -> Table:
            return run(cursor, translate(request.text, request.scope(cursor)))

        try:
            return await self.context.store.query(work, request.time_limit)
        except duckdb.Error as error:
            raise map_duckdb_error(error) from error
