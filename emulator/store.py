"""The DuckDB file: opened, locked down, read by many, written by one.

`emulator.service` runs every command through `read` or `write`. A write is one transaction on one
thread: all of it is on disk when the call returns, or none of it after a kill -9 at any now.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeVar

import duckdb
from duckdb import DuckDBPyConnection
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import DuckDBPyType

from emulator.engine.functions import PYTHON_FUNCTIONS, REAL_MACROS
from emulator.engine.macros import MACROS
from emulator.transactions import INTERRUPT_INTERVAL, Running, transact

T = TypeVar("T")
READERS: Final = 4
"""How many queries run at once, and as many commands that read."""
QUERY_TIMEOUT: Final = timedelta(minutes=4)
"""How long a query may take; Kusto's own default."""
COMMAND_TIMEOUT: Final = timedelta(minutes=10)
"""How long an append that is not `async` may take; Kusto's own default."""
WRITE_TIMEOUT: Final = timedelta(hours=1)
"""How long a command that writes may take; Kusto's own limit."""
_CLOSE_TIMEOUT: Final = 1.0

_OPERATION: Final = """(operation_id UUID, operation VARCHAR, node_id VARCHAR, started_on TIMESTAMP,
    last_updated_on TIMESTAMP, state VARCHAR, status VARCHAR, root_activity_id UUID,
    should_retry BOOLEAN, database VARCHAR)"""
_SYSTEM: Final = (
    "CREATE SCHEMA IF NOT EXISTS __emulator",
    "CREATE TABLE IF NOT EXISTS __emulator.databases (name VARCHAR, created_on TIMESTAMP)",
    """CREATE TABLE IF NOT EXISTS __emulator.tables
        (database VARCHAR, name VARCHAR, folder VARCHAR, docstring VARCHAR)""",
    """CREATE TABLE IF NOT EXISTS __emulator.extents (extent_id UUID, database VARCHAR,
        table_name VARCHAR, created_on TIMESTAMP, row_count BIGINT, tags VARCHAR[])""",
    "ALTER TABLE __emulator.extents ADD COLUMN IF NOT EXISTS number BIGINT",
    "ALTER TABLE __emulator.extents ADD COLUMN IF NOT EXISTS ingested_on TIMESTAMP",
    "CREATE TABLE IF NOT EXISTS __emulator.extent_counter (last BIGINT)",
    """INSERT INTO __emulator.extent_counter
        SELECT 0 WHERE NOT EXISTS (FROM __emulator.extent_counter)""",
    """CREATE TABLE IF NOT EXISTS __emulator.functions (database VARCHAR, name VARCHAR,
        parameters VARCHAR, body VARCHAR, folder VARCHAR, docstring VARCHAR)""",
    f"CREATE TABLE IF NOT EXISTS __emulator.operations {_OPERATION}",
    f"CREATE TABLE IF NOT EXISTS __emulator.operation_log {_OPERATION}",
    "CREATE TABLE IF NOT EXISTS __emulator.schema_version (id UUID)",
    """INSERT INTO __emulator.schema_version
        SELECT uuid() WHERE NOT EXISTS (FROM __emulator.schema_version)""",
    *REAL_MACROS,
    *MACROS,
)
_LOCKED_DOWN: Final = (
    "SET GLOBAL TimeZone = 'UTC'",
    # A careless query must fail, not take the memory and the disk: DuckDB would use most of both.
    "SET GLOBAL memory_limit = '2GB'",
    "SET GLOBAL max_temp_directory_size = '2GB'",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL lock_configuration = true",
)


class StoreError(Exception):
    """The data folder cannot be opened; one sentence for the person at the terminal."""


class Store:
    """One DuckDB database in `folder`, or in memory when that is None."""

    def __init__(self, folder: Path | None) -> None:
        self._connection = _open(folder)
        self._writer_cursor = self._connection.cursor()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._running = Running()
        self._queries = _Readers(self._connection, "query", self._running)
        self._commands = _Readers(self._connection, "command", self._running)

    async def query(self, work: Callable[[DuckDBPyConnection], T], time_limit: timedelta) -> T:
        """`work` on a cursor that sees one snapshot and changes nothing.

        Raises QueryTimeoutError when it takes longer than `time_limit`.
        """
        return await self._queries.run(work, time_limit)

    async def read(self, work: Callable[[DuckDBPyConnection], T]) -> T:
        """`query` for a command, which no query that runs long holds up."""
        return await self._commands.run(work, QUERY_TIMEOUT)

    async def write(
        self, work: Callable[[DuckDBPyConnection], T], time_limit: timedelta = WRITE_TIMEOUT
    ) -> T:
        """`work` in one transaction, committed when it returns, rolled back when it raises.

        Raises QueryTimeoutError when it takes longer than `time_limit`.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self.apply, work, time_limit)

    def apply(
        self, work: Callable[[DuckDBPyConnection], T], time_limit: timedelta = WRITE_TIMEOUT
    ) -> T:
        """`write`, on the caller's thread; only before the first `write` and on its thread."""
        return transact(self._writer_cursor, "COMMIT", work, time_limit, self._running)

    def interrupt_writer(self) -> None:
        """Make the statement that the writer runs now, if any, fail."""
        self._writer_cursor.interrupt()

    def interrupt(self) -> None:
        """Make every statement that runs now fail."""
        for cursor in (self._writer_cursor, *self._queries.cursors, *self._commands.cursors):
            cursor.interrupt()

    def close(self) -> bool:
        """Stop what runs, and close the file; what was committed stays.

        Returns whether all stopped within a second. A statement that cannot be interrupted leaves
        the file open: as after a kill, the next start finds it whole.
        """
        for pool in self._pools():
            pool.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        while time.monotonic() < deadline:
            if not any(thread.is_alive() for thread in self._threads()):
                self._connection.close()
                return True
            self.interrupt()
            time.sleep(INTERRUPT_INTERVAL)
        return False

    def _threads(self) -> Iterator[Thread]:
        for pool in self._pools():
            yield from pool._threads  # noqa: SLF001 - an executor has no bounded wait

    def _pools(self) -> tuple[ThreadPoolExecutor, ...]:
        return self._writer, self._queries.pool, self._commands.pool


class _Readers:
    """Threads that read, each with a cursor of its own."""

    def __init__(self, connection: DuckDBPyConnection, name: str, running: "Running") -> None:
        self._running = running
        self.pool = ThreadPoolExecutor(READERS, thread_name_prefix=name)
        self.cursors = [connection.cursor() for _ in range(READERS)]
        self._idle: SimpleQueue[DuckDBPyConnection] = SimpleQueue()
        for cursor in self.cursors:
            self._idle.put(cursor)

    async def run(self, work: Callable[[DuckDBPyConnection], T], time_limit: timedelta) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, self._run, work, time_limit)

    def _run(self, work: Callable[[DuckDBPyConnection], T], time_limit: timedelta) -> T:
        cursor = self._idle.get()
        try:
            return transact(cursor, "ROLLBACK", work, time_limit, self._running)
        finally:
            self._idle.put(cursor)


def _open(folder: Path | None) -> DuckDBPyConnection:
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(":memory:" if folder is None else folder / "store.duckdb")
    except (OSError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(
            f"cannot open the data folder {folder}: {reason} "
            "Stop the endpoint that uses it, or give another --data."
        ) from error
    for function in PYTHON_FUNCTIONS:
        connection.create_function(
            function.sql_name,
            function.function,
            [DuckDBPyType(kind) for kind in function.parameters],
            DuckDBPyType(function.result),
            null_handling=FunctionNullHandling.SPECIAL,
        )
    for statement in (*_LOCKED_DOWN[:1], *_SYSTEM, *_LOCKED_DOWN[1:]):
        connection.execute(statement)
    return connection
