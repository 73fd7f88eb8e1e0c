"""Transactions within a time limit and the memory that all share."""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import Final, TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from emulator.errors import QueryTimeoutError

T = TypeVar("T")
INTERRUPT_INTERVAL: Final = 0.02
"""Seconds between two attempts to interrupt."""
_MEMORY_PATIENCE: Final = 10.0
"""Seconds in which a transaction that lacks memory beside another is tried again."""
_MEMORY_INTERVAL: Final = 0.1
_TRANSIENT: Final = (duckdb.InterruptException, duckdb.OutOfMemoryException)
"""What any statement can raise for another's sake, before or after it took effect."""
_NO_MEMORY: Final = "could not allocate"


class Running:
    """The transactions that run now; `begun` counts all that ever began."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self.begun = 0

    def begin(self) -> bool:
        """Count one more; whether another runs already."""
        with self._lock:
            self._count += 1
            self.begun += 1
            return self._count > 1

    def end(self) -> None:
        """Count one less."""
        with self._lock:
            self._count -= 1


def transact(
    cursor: DuckDBPyConnection,
    ending: str,
    work: Callable[[DuckDBPyConnection], T],
    time_limit: timedelta,
    running: Running,
) -> T:
    """`work` in a transaction; raises QueryTimeoutError when it takes longer than `time_limit`."""
    ended, expired = Event(), Event()
    Thread(target=_limit, args=(cursor, time_limit, ended, expired), daemon=True).start()
    try:
        return _within_memory(cursor, ending, work, running)
    except duckdb.InterruptException:
        if expired.is_set():
            raise QueryTimeoutError(time_limit) from None
        raise
    finally:
        ended.set()


def _within_memory(
    cursor: DuckDBPyConnection,
    ending: str,
    work: Callable[[DuckDBPyConnection], T],
    running: Running,
) -> T:
    """`work` in a transaction, tried again when it lacks memory beside another.

    Memory is shared, so what fails may be small, and another transaction takes all. What ran for
    more than a second is not small: it is tried again once.
    """
    deadline = time.monotonic() + _MEMORY_PATIENCE
    while True:
        beside, begun = running.begin(), running.begun
        start = time.monotonic()
        try:
            return _once(cursor, ending, work)
        except duckdb.OutOfMemoryException:
            is_alone = not beside and running.begun == begun
            if is_alone or start > deadline:
                raise
            if time.monotonic() - start > 1:
                deadline = start
        finally:
            running.end()
        time.sleep(_MEMORY_INTERVAL)


def _limit(cursor: DuckDBPyConnection, time_limit: timedelta, ended: Event, expired: Event) -> None:
    """After `time_limit`, interrupt until it has ended; one interrupt may miss a statement."""
    wait = time_limit.total_seconds()
    while not ended.wait(wait):
        expired.set()
        cursor.interrupt()
        wait = INTERRUPT_INTERVAL


def _once(cursor: DuckDBPyConnection, ending: str, work: Callable[[DuckDBPyConnection], T]) -> T:
    try:
        cursor.execute("BEGIN TRANSACTION")
        result = work(cursor)
        if ending == "COMMIT":
            _commit(cursor)
    except BaseException:
        _roll_back(cursor)
        raise
    if ending == "ROLLBACK":
        _roll_back(cursor)
    return result


def _commit(cursor: DuckDBPyConnection) -> None:
    """Commit; raises OutOfMemoryException when nothing was committed for want of memory.

    COMMIT can take effect and then lack the memory for its result. A second COMMIT does not tell:
    it succeeds on a transaction that is aborted. The number of the current transaction does.
    """
    number = _transaction_number(cursor)
    try:
        cursor.execute("COMMIT")
    except _TRANSIENT:
        if _is_open(cursor, number):
            raise
    except duckdb.TransactionException as error:
        if _NO_MEMORY in str(error):
            raise duckdb.OutOfMemoryException(str(error)) from error
        raise


def _is_open(cursor: DuckDBPyConnection, number: int) -> bool:
    """Whether the transaction `number` of `cursor` goes on, sound or aborted."""
    while True:
        try:
            return _transaction_number(cursor) == number
        except _TRANSIENT:
            time.sleep(INTERRUPT_INTERVAL)
        except duckdb.TransactionException:  # the current one is aborted
            return True


def _transaction_number(cursor: DuckDBPyConnection) -> int:
    [(number,)] = cursor.execute("SELECT txid_current()").fetchall()
    return int(number)


def _roll_back(cursor: DuckDBPyConnection) -> None:
    """End the transaction, also when this statement is interrupted late or lacks memory."""
    while True:
        try:
            cursor.execute("ROLLBACK")
        except _TRANSIENT:
            time.sleep(INTERRUPT_INTERVAL)
        except duckdb.TransactionException:  # none is active: the last attempt ended it
            return
        else:
            return
