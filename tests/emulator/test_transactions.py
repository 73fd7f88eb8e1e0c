"""After a statement that lacks memory or is interrupted, the next transaction runs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, cast

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from emulator.transactions import Running, transact

LIMIT = timedelta(seconds=30)
FAILURES = (duckdb.OutOfMemoryException, duckdb.InterruptException)
COMMIT = ("BEGIN TRANSACTION", "INSERT INTO t VALUES (1)", "SELECT txid_current()", "COMMIT")
ROLLBACK = ("BEGIN TRANSACTION", "INSERT INTO t VALUES (1)", "ROLLBACK")


@dataclass
class Failing:
    """A real cursor on which one statement fails: before it took effect, after it, or aborting."""

    cursor: DuckDBPyConnection
    statement: str
    moment: str
    failure: type[duckdb.Error]
    seen: list[str] = field(default_factory=list)

    def execute(self, statement: str) -> DuckDBPyConnection:
        """As a cursor's own, but for the first use of the statement that fails."""
        is_first = statement == self.statement and statement not in self.seen
        self.seen.append(statement)
        if is_first:
            if self.moment == "after":
                self.cursor.execute(statement)
            elif self.moment == "aborted" and statement != "BEGIN TRANSACTION":
                with pytest.raises(duckdb.InvalidInputException):
                    self.cursor.execute("SELECT error('x')")
            raise self.failure("injected")
        return self.cursor.execute(statement)

    def interrupt(self) -> None:
        """As a cursor's own."""
        self.cursor.interrupt()


def execute(statement: str, cursor: DuckDBPyConnection) -> None:
    cursor.execute(statement)


insert = partial(execute, "INSERT INTO t VALUES (1)")


@pytest.fixture
def database() -> DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE t (i BIGINT)")
    return connection


@pytest.mark.parametrize("failure", FAILURES, ids=["memory", "interrupt"])
@pytest.mark.parametrize("moment", ["before", "after", "aborted"])
@pytest.mark.parametrize(
    ("ending", "statement"),
    [*(("COMMIT", one) for one in COMMIT), *(("ROLLBACK", one) for one in ROLLBACK)],
)
def test_a_failed_statement_never_leaves_a_transaction_open_nor_a_row_unsaid(
    database: DuckDBPyConnection,
    ending: str,
    statement: str,
    moment: str,
    failure: type[duckdb.Error],
) -> None:
    cursor = Failing(database.cursor(), statement, moment, failure)
    try:
        transact(cast("Any", cursor), ending, insert, LIMIT, Running())
        has_returned = True
    except failure:
        has_returned = False
    assert statement in cursor.seen
    rows = database.execute("SELECT count(*) FROM t").fetchone()
    assert rows == (1 if has_returned and ending == "COMMIT" else 0,)
    transact(cursor.cursor, "COMMIT", insert, LIMIT, Running())
    assert database.execute("SELECT count(*) FROM t").fetchone() == (rows[0] + 1,)


def while_memory_is_short(database: DuckDBPyConnection, work: Callable[[], None]) -> None:
    """`work` while another thread takes all memory again and again."""
    database.execute("SET GLOBAL memory_limit = '50MB'")
    database.execute("SET GLOBAL max_temp_directory_size = '1MB'")
    short, done = threading.Event(), threading.Event()

    def take_all() -> None:
        cursor = database.cursor()
        while not done.is_set():
            try:
                cursor.execute("SELECT list(repeat('x', 1000) || i) FROM range(1000000) t(i)")
            except duckdb.OutOfMemoryException:
                short.set()

    thread = threading.Thread(target=take_all)
    thread.start()
    try:
        assert short.wait(30)
        work()
    finally:
        done.set()
        thread.join()


def test_what_was_committed_while_memory_is_short_is_there_once(
    database: DuckDBPyConnection,
) -> None:
    cursor = database.cursor()
    said: list[int] = []

    def work() -> None:
        for number in range(3000):
            statement = f"INSERT INTO t SELECT {number}"
            try:
                transact(cursor, "COMMIT", partial(execute, statement), LIMIT, Running())
            except duckdb.OutOfMemoryException:
                continue
            said.append(number)

    while_memory_is_short(database, work)
    assert said
    rows = database.execute("SELECT i FROM t ORDER BY i").fetchall()
    assert [row[0] for row in rows] == said
