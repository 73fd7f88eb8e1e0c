"""Rows into a table: the one place where data, extents and tags are written.

`.set`, `.append`, `.set-or-append`, `.set-or-replace` and `.ingest inline` all end here, inside one
transaction. Source of the rules: Kusto docs, "Ingest from query": columns match by type and
order, never by name; `extend_schema` adds what the table lacks at its end; the schema may change
although no row comes; no row, no extent, no tag.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import extents, tables
from emulator.catalog import Catalog, quoted
from emulator.errors import EntityNotFound, Refusal, SemanticRefusal
from emulator.frames import Column
from emulator.kql import Scope, Statement, translate
from emulator.properties import Properties
from emulator.scalar import of_duckdb

_STAGED: Final = "temp.__staged"


@dataclass(frozen=True)
class Append:
    """A command of the `.set-or-append` family, as read."""

    verb: str
    place: tables.Place
    properties: Properties
    query: str


@dataclass(frozen=True)
class Appended:
    """What an append did: the extent that it made, or the tag because of which it did nothing."""

    extent: UUID | None
    rows: int
    duplicate: str | None = None


def check(append: Append, scope: Scope) -> Statement:
    """Translate the query and see that the verb fits the table; raises Refusal."""
    table = append.place[1]
    exists = table in scope.catalog.tables(append.place[0])
    if append.verb == ".append" and not exists:
        raise EntityNotFound(table, "Table")
    if append.verb == ".set" and exists:
        raise Refusal(f"Entity '{table}' of kind 'Table' already exists; use .set-or-append.")
    return translate(append.query, scope)


def perform(cursor: DuckDBPyConnection, append: Append, scope: Scope) -> Appended:
    """Run the query and put its rows into the table, at most once for an `ingest-by` tag."""
    duplicate = extents.taken(cursor, append.place, append.properties)
    if duplicate is not None:
        return Appended(None, 0, duplicate)
    statement = check(append, scope)
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE __staged AS {statement.sql}", statement.values or None
    )
    produced = _columns(cursor)
    _prepare_table(cursor, append, scope.catalog, produced)
    if append.verb == ".set-or-replace":
        tables.clear(cursor, append.place)
    source = f"(SELECT {_stored(produced)} FROM {_STAGED})"  # noqa: S608 - quoted
    return insert(cursor, append.place, source, properties=append.properties, moment=scope.moment)


def insert(
    cursor: DuckDBPyConnection,
    place: tables.Place,
    source: str,
    *,
    properties: Properties,
    moment: datetime,
    values: object = None,
) -> Appended:
    """Insert the rows of the SQL `source`, whose columns fit, and record their extent."""
    tables.describe(cursor, place, properties.folder, properties.docstring)
    inserted = cursor.execute(f"INSERT INTO {quoted(*place)} SELECT * FROM {source}", values)  # noqa: S608
    rows = int((inserted.fetchone() or (0,))[0])
    if rows == 0:
        return Appended(None, 0)
    extent = uuid4()
    created_on = properties.created_on or moment
    extents.add(cursor, place, (extent, created_on, rows), properties.tags)
    return Appended(extent, rows)


def _columns(cursor: DuckDBPyConnection) -> list[tuple[Column, str]]:
    cursor.execute(f"DESCRIBE {_STAGED}")
    return [(Column(name, of_duckdb(kind)), kind) for name, kind, *_ in cursor.fetchall()]


def _stored(produced: Sequence[tuple[Column, str]]) -> str:
    return ", ".join(_stored_column(column, kind) for column, kind in produced)


def _stored_column(column: Column, kind: str) -> str:
    name = quoted(column.name)
    if column.scalar.name == "string":
        return f"coalesce({name}::VARCHAR, '')"  # Kusto's strings are never null
    if column.scalar.name == "dynamic":
        return name if kind == "JSON" else f"to_json({name})"
    return f"{name}::{column.scalar.duckdb}"


def _prepare_table(
    cursor: DuckDBPyConnection,
    append: Append,
    catalog: Catalog,
    produced: Sequence[tuple[Column, str]],
) -> None:
    columns = [column for column, _ in produced]
    existing = catalog.tables(append.place[0]).get(append.place[1])
    replaces = append.verb == ".set-or-replace" and append.properties.recreate_schema
    if existing is not None and replaces:
        tables.drop(cursor, append.place)
        catalog, existing = catalogs.read(cursor), None
    if existing is None:
        tables.create(cursor, catalog, append.place, columns)
        return
    extra = columns[len(existing) :] if append.properties.extend_schema else []
    _refuse_misfit(columns[: len(columns) - len(extra)], existing)
    tables.extend(cursor, catalog, append.place, extra)


def _refuse_misfit(produced: Sequence[Column], existing: Sequence[Column]) -> None:
    query = ",".join(column.scalar.name for column in produced)
    table = ",".join(column.scalar.name for column in existing)
    if query != table:
        raise SemanticRefusal(
            f"Query schema does not match table schema. QuerySchema=('{query}'), "
            f"TableSchema=('{table}')",
            "SEM0001",
        )
