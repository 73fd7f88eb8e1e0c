"""What a command runs with, and the request that it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from emulator.catalog import Catalog
from emulator.faults import Faults
from emulator.frames import Table
from emulator.kql import Scope
from emulator.runner import Runner
from emulator.store import PATIENCE, Store


@dataclass(frozen=True)
class Services:
    """The endpoint's parts, wired in `emulator.__main__`."""

    store: Store
    faults: Faults
    runner: Runner
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Request:
    """One request: the KQL or command text, its database, when it came (naive UTC), its ids."""

    database: str
    text: str
    moment: datetime
    activity: UUID
    parameters: Mapping[str, Any]
    patience: timedelta = PATIENCE

    def scope(self, catalog: Catalog) -> Scope:
        """What a query of this request runs against; raises DatabaseNotFound."""
        catalog.tables(self.database)
        return Scope(catalog, self.database, self.moment, self.parameters)


class Command(Protocol):
    """A management command, as read; `operation` is Kusto's name of its kind."""

    @property
    def operation(self) -> str:
        """Kusto's name for its kind, as `TableSetOrAppend`."""
        ...

    async def run(self, services: Services, request: Request) -> Table:
        """Carry it out; raises Refusal."""
        ...
