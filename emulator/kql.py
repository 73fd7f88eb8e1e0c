"""KQL text to SQL that may be run, against the tables of the catalog.

Every query and every append goes through `translate`. A table is resolved here, so that no query
reaches anything but Kusto tables.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from duckdb import DuckDBPyConnection

from emulator.catalog import EXTENT, Catalog, TableInfo, quoted
from emulator.engine.compiler import ROWS, Compiler
from emulator.engine.literals import datetime_ticks
from emulator.engine.parser import parse
from emulator.engine.problems import Problem
from emulator.engine.relation import Column as EngineColumn
from emulator.engine.relation import Relation
from emulator.engine.scope import Database, Environment, StoredFunction, TableSchema
from emulator.engine.syntax import Query, Render
from emulator.error_mapping import map_problem
from emulator.errors import KustoError
from emulator.responses import Column, Table
from emulator.scalar import expression_of, named, of_duckdb


@dataclass(frozen=True)
class Scope:
    """What a query runs against: names, the request's database, its `now()` and its parameters.

    `cursor` is that of the transaction that the query runs in, None when it is only compiled.
    """

    catalog: Catalog
    database: str
    now: datetime
    parameters: Mapping[str, Any]
    cursor: DuckDBPyConnection | None = None

    def functions(self) -> Iterator[StoredFunction]:
        """The stored functions of every database."""
        for own in self.catalog.functions.values():
            yield from own.values()


@dataclass(frozen=True)
class Statement:
    """SQL, and the columns that its rows have; `chart` is what `render` asks for."""

    sql: str
    columns: tuple[Column, ...]
    chart: Render | None = None


@dataclass(frozen=True)
class Rows:
    """SQL for the rows of a command, for a KQL pipeline to go on from."""

    sql: str


_KEPT: Final = 256
_READS_EXTENTS: Final = re.compile(r"ingestion_time|extent_id|extent_tags")
_parsed: Final[dict[str, Query]] = {}


def translate(text: str, scope: Scope, source: Statement | None = None) -> Statement:
    """SQL for the query `text`; with `source`, `text` reads its rows as the table `__rows__`.

    Raises KustoError: a syntax error with its position, an unknown name, or what is unsupported.
    """
    environment = _environment(text, scope)
    rows = None if source is None else _relation(source, environment)
    try:
        compiled = Compiler(environment).compile(_parse(text), rows)
    except Problem as problem:
        raise map_problem(problem, text) from problem
    except RecursionError:
        raise KustoError("The query is nested too deeply for the local endpoint.") from None
    columns = tuple(Column(name, named(kind)) for name, kind in compiled.columns)
    return Statement(compiled.sql, columns, compiled.chart)


def _parse(text: str) -> Query:
    """The syntax tree; an async append is parsed at the submit and at the run."""
    found = _parsed.get(text)
    if found is None:
        found = parse(text)
        while len(_parsed) >= _KEPT:
            _parsed.pop(next(iter(_parsed)), None)
        _parsed[text] = found
    return found


def _environment(text: str, scope: Scope) -> Environment:
    reads_extents = any(
        _READS_EXTENTS.search(one)
        for one in (text, *(function.text for function in scope.functions()))
    )
    databases = {
        name: Database(
            {
                table: _schema(name, table, info, reads_extents=reads_extents)
                for table, info in tables.items()
            },
            scope.catalog.functions.get(name, {}),
        )
        for name, tables in scope.catalog.databases.items()
    }
    cursor, now = scope.cursor, datetime_ticks(scope.now)
    read = None if cursor is None else lambda sql: cursor.execute(sql).fetchall()
    return Environment(databases, scope.database, now, scope.parameters, read)


def _schema(database: str, table: str, info: TableInfo, *, reads_extents: bool) -> TableSchema:
    columns = tuple(
        (column.name, column.scalar.name, expression_of(quoted(column.name), column.scalar, stored))
        for column, stored in zip(info.columns, info.stored, strict=True)
    )
    extent = EXTENT if reads_extents and info.has_extents else ""
    return TableSchema(quoted(database, table), columns, extent)


def _relation(source: Statement, environment: Environment) -> Relation:
    columns = tuple(
        EngineColumn(column.name, column.scalar.name, environment.names.fresh())
        for column in source.columns
    )
    names = ", ".join(column.sql for column in columns)
    return Relation(f"(SELECT * FROM ({source.sql}) AS v({names}))", columns)  # noqa: S608 - made by the engine


def describe(cursor: DuckDBPyConnection, rows: Rows) -> Statement:
    """`rows` with the Kusto types of their columns."""
    described = cursor.execute(rows.sql).description or []
    columns = [(Column(name, of_duckdb(kind)), str(kind)) for name, kind, *_ in described]
    listed = ", ".join(
        f"{expression_of(quoted(column.name), column.scalar, kind)} AS {quoted(column.name)}"
        for column, kind in columns
    )
    sql = f"SELECT {listed} FROM ({rows.sql})"  # noqa: S608 - names from DuckDB
    return Statement(sql, tuple(column for column, _ in columns))


def run(cursor: DuckDBPyConnection, statement: Statement) -> Table:
    """The rows of `statement`, all of them."""
    cursor.execute(statement.sql)
    return Table(list(statement.columns), cursor.fetchall(), statement.chart)


__all__ = ["ROWS", "Rows", "Scope", "Statement", "StoredFunction", "describe", "run", "translate"]
