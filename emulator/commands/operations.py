"""`.show operations` in its forms, and `.cancel operation`.

Source: Kusto docs, ".show operations command" and "Cancel operation command".
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from emulator import operations
from emulator.catalog import Catalog
from emulator.command_scanner import Scanner
from emulator.commands.show import typed_columns, with_pipeline
from emulator.context import Command, CommandContext, Request
from emulator.errors import EntityNotFoundError
from emulator.kql import Rows
from emulator.responses import Table

_COLUMNS: Final = {
    "OperationId": "operation_id",
    "Operation": "operation",
    "NodeId": "node_id",
    "StartedOn": "started_on",
    "LastUpdatedOn": "last_updated_on",
    "Duration": "last_updated_on - started_on",
    "State": "state",
    "Status": "status",
    "RootActivityId": "root_activity_id",
    "ShouldRetry": "should_retry",
    "Database": "database",
    "Principal": "'local'",
    "User": "''",
    "AdminEpochStartTime": "(SELECT min(created_on) FROM __emulator.databases)",
    "VirtualCluster": "''",
}
_SELECT: Final = ", ".join(f'{sql} AS "{name}"' for name, sql in _COLUMNS.items())


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".show", "operations"):
        return _show(scanner)
    if scanner.accept(".cancel", "operation"):
        return _cancel(scanner)
    return None


def _id(scanner: Scanner) -> UUID:
    return scanner.guid("an operation id")


def _ids(scanner: Scanner) -> list[UUID]:
    if not scanner.rest.startswith("("):
        return [] if scanner.done or scanner.rest.startswith("|") else [_id(scanner)]
    return scanner.listed(lambda: _id(scanner))


def _show(scanner: Scanner) -> Command:
    ids = _ids(scanner)

    def select(_: Catalog, context: CommandContext, request: Request) -> Rows:
        retention = context.faults.retention(request.database, request.text)
        sql = _latest_sql(ids, request.now, retention) if ids else _log_sql(request.now, retention)
        return Rows(sql)

    return with_pipeline(scanner, "OperationsShow", select)


def _latest_sql(ids: list[UUID], now: datetime, retention: operations.Retention) -> str:
    """SQL for the latest record of each of `ids` that is young enough."""
    listed = ", ".join(f"UUID '{one}'" for one in ids)
    since = now - retention.latest_for
    return (
        f"SELECT {_SELECT} FROM __emulator.operations WHERE operation_id IN ({listed}) "  # noqa: S608
        f"AND last_updated_on >= TIMESTAMP '{since}'"
    )


def _log_sql(now: datetime, retention: operations.Retention) -> str:
    """SQL for the log: several rows an operation, oldest first."""
    since, until = now - retention.logged_for, now - retention.log_lag
    return (
        f"SELECT {_SELECT} FROM __emulator.operation_log "  # noqa: S608
        f"WHERE last_updated_on BETWEEN TIMESTAMP '{since}' AND TIMESTAMP '{until}' "
        "ORDER BY last_updated_on"
    )


def _cancel(scanner: Scanner) -> Command:
    operation_id = _id(scanner)
    reason = ""
    if scanner.accept("with"):
        scanner.expect("(")
        if not scanner.accept("reason"):
            raise scanner.error("'reason'")
        scanner.expect("=")
        reason = scanner.value("the reason")
        scanner.expect(")")
    scanner.end()
    return Cancel(operation_id, reason)


@dataclass(frozen=True)
class Cancel:
    """`.cancel operation ID [with (reason = '…')]`."""

    operation_id: UUID
    reason: str
    operation: str = "OperationCancel"

    async def run(self, context: CommandContext, request: Request) -> Table:
        """One row that says whether it was canceled; raises EntityNotFoundError."""
        del request
        known = await context.store.read(lambda cursor: operations.find(cursor, self.operation_id))
        if known is None:
            raise EntityNotFoundError(str(self.operation_id), "Operation")
        canceled = await context.runner.cancel(self.operation_id, self.reason)
        return Table(_CANCELED, [self._row(known, canceled=canceled)])

    def _row(self, known: tuple[str, datetime, str], *, canceled: bool) -> tuple[object, ...]:
        kind, started_on, state = known
        if canceled:
            return (self.operation_id, kind, started_on, "Canceled successfully", self.reason)
        why = f"The operation is {state} and can no longer be canceled."
        return (self.operation_id, kind, started_on, "Cancel failed", why)


_CANCELED = typed_columns(
    OperationId="guid",
    Operation="string",
    StartedOn="datetime",
    CancellationState="string",
    ReasonPhrase="string",
)
