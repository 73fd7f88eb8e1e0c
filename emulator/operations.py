"""Records of operations, as `.show operations` tells them.

Each change of state replaces the operation's latest record and adds a row to the log, in the
transaction of whatever it tells of. Source: Kusto docs, ".show operations command": the latest
record is shown for 6 hours, the log for two weeks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

LATEST_FOR: Final = timedelta(hours=6)
LOGGED_FOR: Final = timedelta(days=14)


class State(StrEnum):
    """Every state that Kusto documents."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    ABANDONED = "Abandoned"
    BAD_INPUT = "BadInput"
    SCHEDULED = "Scheduled"
    THROTTLED = "Throttled"
    CANCELED = "Canceled"
    SKIPPED = "Skipped"


@dataclass(frozen=True)
class Outcome:
    """How an operation stands: its state, what is said of it, whether to repeat it."""

    state: State
    status: str = ""
    should_retry: bool = False


@dataclass(frozen=True)
class Operation:
    """One administrative operation; `started_on` is naive UTC."""

    id: UUID
    kind: str
    database: str
    root_activity: UUID
    started_on: datetime


@dataclass(frozen=True)
class Retention:
    """What `.show operations` shows: how far back, and how late the log is."""

    latest_for: timedelta = LATEST_FOR
    logged_for: timedelta = LOGGED_FOR
    log_lag: timedelta = timedelta(0)


def begin(cursor: DuckDBPyConnection, operation: Operation) -> None:
    """Record that `operation` is in progress."""
    record = [
        operation.id,
        operation.kind,
        "",
        operation.started_on,
        operation.started_on,
        State.IN_PROGRESS.value,
        "",
        operation.root_activity,
        False,
        operation.database,
    ]
    for table in ("operations", "operation_log"):
        cursor.execute(f"INSERT INTO __emulator.{table} VALUES (?,?,?,?,?,?,?,?,?,?)", record)  # noqa: S608


def finish(cursor: DuckDBPyConnection, operation_id: UUID, outcome: Outcome, now: datetime) -> bool:
    """Move an operation in progress to `outcome`; whether it still was in progress."""
    changed = cursor.execute(
        "UPDATE __emulator.operations SET state = ?, status = ?, should_retry = ?, "
        "last_updated_on = ? WHERE operation_id = ? AND state = 'InProgress' RETURNING 1",
        [outcome.state.value, outcome.status, outcome.should_retry, now, operation_id],
    ).fetchall()
    if changed:
        _log(cursor, "operation_id = ?", operation_id)
    return bool(changed)


def in_progress(cursor: DuckDBPyConnection, operation_id: UUID) -> bool:
    """Whether the operation has not reached an end."""
    found = cursor.execute(
        "SELECT 1 FROM __emulator.operations WHERE operation_id = ? AND state = 'InProgress'",
        [operation_id],
    ).fetchall()
    return bool(found)


def find(cursor: DuckDBPyConnection, operation_id: UUID) -> tuple[str, datetime, str] | None:
    """Kind, start and state of an operation, if there ever was one."""
    found: tuple[str, datetime, str] | None = cursor.execute(
        "SELECT operation, started_on, state FROM __emulator.operations WHERE operation_id = ?",
        [operation_id],
    ).fetchone()
    return found


def abandon_unfinished(cursor: DuckDBPyConnection, now: datetime) -> None:
    """After a restart: what was in progress and did not commit never will."""
    cursor.execute(
        "UPDATE __emulator.operations SET state = 'Abandoned', should_retry = true, "
        "last_updated_on = ?, status = 'The operation was abandoned: the endpoint was restarted "
        "before it completed.' WHERE state = 'InProgress'",
        [now],
    )
    _log(cursor, "state = 'Abandoned' AND last_updated_on = ?", now)


def prune(cursor: DuckDBPyConnection, now: datetime) -> None:
    """Drop records older than the two weeks that Kusto keeps."""
    for table in ("operations", "operation_log"):
        cursor.execute(
            f"DELETE FROM __emulator.{table} WHERE last_updated_on < ?",  # noqa: S608
            [now - LOGGED_FOR],
        )


def _log(cursor: DuckDBPyConnection, where: str, value: UUID | datetime) -> None:
    cursor.execute(
        "INSERT INTO __emulator.operation_log "  # noqa: S608 - `where` is written above
        f"SELECT * FROM __emulator.operations WHERE {where}",
        [value],
    )
