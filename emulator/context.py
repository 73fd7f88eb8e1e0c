"""What a command runs with, and the request that it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator.faults import Faults
from emulator.kql import Scope
from emulator.operation_runner import OperationRunner
from emulator.responses import ResultFormat, Table
from emulator.store import QUERY_TIMEOUT, Store


@dataclass(frozen=True)
class CommandContext:
    """The endpoint's parts, wired in `emulator.__main__`."""

    store: Store
    faults: Faults
    runner: OperationRunner
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Request:
    """One request: the KQL or command text, its database, when it came (naive UTC), its ids."""

    database: str
    text: str
    now: datetime
    activity: UUID
    parameters: Mapping[str, Any]
    time_limit: timedelta = QUERY_TIMEOUT
    result_format: ResultFormat = field(default_factory=ResultFormat)

    def scope(self, cursor: DuckDBPyConnection) -> Scope:
        """What a query of this request runs against; raises DatabaseNotFoundError."""
        catalog = catalogs.read(cursor)
        catalog.tables(self.database)
        return Scope(catalog, self.database, self.now, self.parameters, cursor)


class Command(Protocol):
    """A management command, as read; `operation` is Kusto's name of its kind."""

    @property
    def operation(self) -> str:
        """Kusto's name for its kind, as `TableSetOrAppend`."""
        ...

    async def run(self, context: CommandContext, request: Request) -> Table:
        """Carry it out; raises KustoError."""
        ...
