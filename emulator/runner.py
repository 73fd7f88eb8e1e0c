"""Runs appends: at once for a synchronous command, in the background for an `async` one.

The record of an async operation is on disk before its id is answered. Then the rows, the extent
with its tags and the record's end commit in one transaction; whatever ends the process before that
leaves none of them, and the next start calls the operation Abandoned.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import duckdb
from duckdb import DuckDBPyConnection

from emulator import catalog, operations
from emulator.appends import Append, Appended, check, perform
from emulator.diagnosis import engine_refusal
from emulator.errors import Refusal
from emulator.faults import Faults
from emulator.kql import Scope
from emulator.operations import Operation, Outcome, State
from emulator.store import Store

_PULSE: Final = 0.02
"""Seconds between two attempts to interrupt a running query."""


@dataclass(frozen=True)
class Submission:
    """An append with what its request brought along."""

    append: Append
    operation: Operation
    text: str
    parameters: Mapping[str, Any]

    def scope(self, cursor: DuckDBPyConnection) -> Scope:
        """What the query runs against, as this transaction sees it; `now()` is the submit."""
        database = self.append.place[0]
        moment = self.operation.started_on
        return Scope(catalog.read(cursor), database, moment, self.parameters)


class Runner:
    """Owns the background tasks; `clock` gives naive UTC."""

    def __init__(self, store: Store, faults: Faults, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._faults = faults
        self._clock = clock
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._writing: UUID | None = None

    async def now(self, submission: Submission) -> Appended:
        """Append and record it, in one transaction; raises Refusal."""

        def work(cursor: DuckDBPyConnection) -> Appended:
            operations.begin(cursor, submission.operation)
            return self._append(cursor, submission, Outcome(State.COMPLETED))

        while True:
            try:
                return await self._store.write(work)
            except duckdb.InterruptException:
                continue  # another operation's cancel hit this one

    async def later(self, submission: Submission) -> UUID:
        """Record the operation, start it in the background, and answer its id."""
        await self._store.read(lambda cursor: check(submission.append, submission.scope(cursor)))
        await self._store.write(lambda cursor: operations.begin(cursor, submission.operation))
        operation_id = submission.operation.id
        task = asyncio.create_task(self._run(submission))
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
            await asyncio.wait({finishing}, timeout=_PULSE)
        return finishing.result()

    async def close(self) -> None:
        """Stop what waits; it stays InProgress and is Abandoned at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, submission: Submission) -> None:
        operation = submission.operation
        about = (operation.database, submission.text)
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
        await self._commit(submission, outcome)

    async def _commit(self, submission: Submission, outcome: Outcome) -> None:
        def work(cursor: DuckDBPyConnection) -> None:
            if operations.in_progress(cursor, submission.operation.id):
                self._append(cursor, submission, outcome)

        try:
            await self._store.write(work)
        except duckdb.InterruptException:
            await self._commit(submission, outcome)  # another operation's cancel hit this one
        except Refusal as refusal:
            failed = Outcome(State.FAILED, refusal.message, not refusal.permanent)
            await self._finish(submission.operation.id, failed)
        except duckdb.Error as error:  # at the commit: the disk, not the query
            failed = Outcome(State.FAILED, str(error), should_retry=True)
            await self._finish(submission.operation.id, failed)

    def _append(
        self, cursor: DuckDBPyConnection, submission: Submission, outcome: Outcome
    ) -> Appended:
        operation_id = submission.operation.id
        self._writing = operation_id
        try:
            appended = perform(cursor, submission.append, submission.scope(cursor))
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise engine_refusal(error) from error
        finally:
            self._writing = None
        if appended.duplicate is not None:
            outcome = self._duplicate(submission, appended.duplicate)
        operations.finish(cursor, operation_id, outcome, self._clock())
        return appended

    def _duplicate(self, submission: Submission, tag: str) -> Outcome:
        fault = self._faults.take("duplicate", submission.operation.database, submission.text)
        state = fault.state if fault is not None and fault.state else State.COMPLETED
        return Outcome(state, f"Nothing was ingested: the table already has data tagged '{tag}'.")

    async def _finish(self, operation_id: UUID, outcome: Outcome) -> bool:
        moment = self._clock()
        return await self._store.write(
            lambda cursor: operations.finish(cursor, operation_id, outcome, moment)
        )


def operation(kind: str, database: str, activity: UUID, moment: datetime) -> Operation:
    """A new operation that starts now."""
    return Operation(uuid4(), kind, database, activity, moment)
