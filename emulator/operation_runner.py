"""Runs appends: at once for a synchronous command, in the background for an `async` one.

The record of an async operation is on disk before its id is answered. Then the rows, the extent
with its tags and the record's end commit in one transaction; whatever ends the process before that
leaves none of them, and the next start calls the operation Abandoned.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import duckdb
from duckdb import DuckDBPyConnection

from emulator import catalog, extents, operations
from emulator.appends import Append, AppendResult, execute, validate
from emulator.error_mapping import map_duckdb_error
from emulator.errors import KustoError
from emulator.faults import Faults
from emulator.kql import Scope
from emulator.operations import Operation, Outcome, State
from emulator.store import WRITE_TIMEOUT, Store

_INTERRUPT_INTERVAL: Final = 0.02
"""Seconds between two attempts to interrupt a running query."""


@dataclass(frozen=True)
class AppendJob:
    """An append with what its request brought along."""

    append: Append
    operation: Operation
    text: str
    parameters: Mapping[str, Any]
    time_limit: timedelta = WRITE_TIMEOUT

    def scope(self, cursor: DuckDBPyConnection) -> Scope:
        """What the query runs against, as this transaction sees it; `now()` is the submit."""
        database = self.append.table_key[0]
        now = self.operation.started_on
        return Scope(catalog.read(cursor), database, now, self.parameters, cursor)


class OperationRunner:
    """Owns the background tasks; `clock` gives naive UTC."""

    def __init__(self, store: Store, faults: Faults, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._faults = faults
        self._clock = clock
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._writing: UUID | None = None

    async def run(self, job: AppendJob) -> AppendResult:
        """Append and record it, in one transaction; raises KustoError."""

        def work(cursor: DuckDBPyConnection) -> AppendResult:
            operations.begin(cursor, job.operation)
            return self._append(cursor, job, Outcome(State.COMPLETED))

        while True:
            try:
                return await self._store.write(work, job.time_limit)
            except duckdb.InterruptException:
                continue  # another operation's cancel hit this one

    async def submit(self, job: AppendJob) -> UUID:
        """Record the operation, start it in the background, and answer its id."""
        await self._store.read(lambda cursor: validate(job.append, job.scope(cursor)))
        await self._store.write(lambda cursor: operations.begin(cursor, job.operation))
        operation_id = job.operation.id
        task = asyncio.create_task(self._run_in_background(job))
        self._tasks[operation_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation_id, None))
        return operation_id

    async def cancel(self, operation_id: UUID, reason: str) -> bool:
        """End an operation that has not committed; whether it was so."""
        task = self._tasks.get(operation_id)
        if task is not None:
            task.cancel()
        finishing = asyncio.create_task(self._finish(operation_id, Outcome(State.CANCELED, reason)))
        while not finishing.done():
            if self._writing == operation_id:  # again and again: it may be between statements
                self._store.interrupt_writer()
            await asyncio.wait({finishing}, timeout=_INTERRUPT_INTERVAL)
        return finishing.result()

    async def close(self) -> None:
        """Stop what waits; it stays InProgress and is Abandoned at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_in_background(self, job: AppendJob) -> None:
        operation = job.operation
        about = (operation.database, job.text)
        if delay := self._faults.take("operation-latency", *about):
            await asyncio.sleep(delay.seconds)
        if self._faults.take("operation-stuck", *about):
            await asyncio.Event().wait()
        end = self._faults.take("operation-end", *about)
        outcome = Outcome(State.COMPLETED)
        if end is not None and end.state is not None:
            outcome = Outcome(end.state, end.status, end.should_retry)
            if not end.commits:
                await self._finish(operation.id, outcome)
                return
        await self._commit(job, outcome)

    async def _commit(self, job: AppendJob, outcome: Outcome) -> None:
        def work(cursor: DuckDBPyConnection) -> None:
            if operations.in_progress(cursor, job.operation.id):
                self._append(cursor, job, outcome)

        try:
            await self._store.write(work, job.time_limit)
        except duckdb.InterruptException:
            await self._commit(job, outcome)  # another operation's cancel hit this one
        except KustoError as error:
            failed = Outcome(State.FAILED, error.message, not error.permanent)
            await self._finish(job.operation.id, failed)
        except duckdb.Error as error:  # at the commit: the disk, not the query
            failed = Outcome(State.FAILED, str(error), should_retry=True)
            await self._finish(job.operation.id, failed)

    def _append(self, cursor: DuckDBPyConnection, job: AppendJob, outcome: Outcome) -> AppendResult:
        operation_id = job.operation.id
        self._writing = operation_id
        try:
            appended = execute(cursor, job.append, job.scope(cursor))
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise map_duckdb_error(error) from error
        finally:
            self._writing = None
        if appended.duplicate is not None:
            outcome = self._duplicate(job, appended.duplicate)
        operations.finish(cursor, operation_id, outcome, self._clock())
        if self._faults.take("merge-extents", job.operation.database, job.text):
            extents.merge_all(cursor, job.append.table_key)
        return appended

    def _duplicate(self, job: AppendJob, tag: str) -> Outcome:
        fault = self._faults.take("duplicate", job.operation.database, job.text)
        state = fault.state if fault is not None and fault.state else State.COMPLETED
        return Outcome(state, f"Nothing was ingested: the table already has data tagged '{tag}'.")

    async def _finish(self, operation_id: UUID, outcome: Outcome) -> bool:
        now = self._clock()
        return await self._store.write(
            lambda cursor: operations.finish(cursor, operation_id, outcome, now)
        )


def new_operation(kind: str, database: str, activity: UUID, now: datetime) -> Operation:
    """A new operation that starts now."""
    return Operation(uuid4(), kind, database, activity, now)
