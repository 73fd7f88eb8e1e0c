"""Rows into a table: the one table_key where data, extents and tags are written.

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
from emulator.errors import EntityNotFoundError, KustoError, KustoSemanticError
from emulator.kql import Scope, Statement, translate
from emulator.properties import Properties
from emulator.responses import Column
from emulator.scalar import stored_of

_STAGED: Final = "temp.__staged"


@dataclass(frozen=True)
class Append:
    """A command of the `.set-or-append` family, as read."""

    verb: str
    table_key: tables.TableKey
    properties: Properties
    query: str


@dataclass(frozen=True)
class AppendResult:
    """What an append did: the extent that it made, or the tag because of which it did nothing."""

    extent: UUID | None
    rows: int
    duplicate: str | None = None


def validate(append: Append, scope: Scope) -> Statement:
    """Translate the query and see that the verb fits the table; raises KustoError."""
    table = append.table_key[1]
    exists = table in scope.catalog.tables(append.table_key[0])
    if append.verb == ".append" and not exists:
        raise EntityNotFoundError(table, "Table")
    if append.verb == ".set" and exists:
        raise KustoError(f"Entity '{table}' of kind 'Table' already exists; use .set-or-append.")
    return translate(append.query, scope)


def execute(cursor: DuckDBPyConnection, append: Append, scope: Scope) -> AppendResult:
    """Run the query and put its rows into the table, at most once for an `ingest-by` tag."""
    duplicate = extents.find_duplicate_tag(cursor, append.table_key, append.properties)
    if duplicate is not None:
        return AppendResult(None, 0, duplicate)
    statement = validate(append, scope)
    names = ", ".join(f"c{number}" for number in range(len(statement.columns)))
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE __staged AS SELECT * FROM ({statement.sql}) AS v({names})"  # noqa: S608 - made by the engine
    )
    _prepare_table(cursor, append, scope.catalog, list(statement.columns))
    if append.verb == ".set-or-replace":
        tables.clear(cursor, append.table_key)
    stored = catalogs.read(cursor).table(*append.table_key).stored
    listed = ", ".join(
        stored_of(f"c{number}", kind)
        for number, kind in enumerate(stored[: len(statement.columns)])
    )
    source = f"(SELECT {listed} FROM {_STAGED})"  # noqa: S608 - quoted
    return insert(cursor, append.table_key, source, properties=append.properties, now=scope.now)


def insert(
    cursor: DuckDBPyConnection,
    table_key: tables.TableKey,
    source: str,
    *,
    properties: Properties,
    now: datetime,
    values: object = None,
) -> AppendResult:
    """Insert the rows of the SQL `source`, whose columns fit, and record their extent."""
    tables.describe(cursor, table_key, properties.folder, properties.docstring)
    tables.add_extent_column(cursor, table_key)
    number = extents.next_number(cursor)
    columns = [column.name for column in catalogs.read(cursor).columns(*table_key)]
    listed = ", ".join(quoted(name) for name in [*columns, catalogs.EXTENT])
    inserted = cursor.execute(
        f"INSERT INTO {quoted(*table_key)} ({listed}) SELECT *, {number} FROM {source}",  # noqa: S608 - quoted
        values,
    )
    rows = int((inserted.fetchone() or (0,))[0])
    if rows == 0:
        return AppendResult(None, 0)
    extent = uuid4()
    created_on = properties.created_on or now
    extents.add(
        cursor, table_key, extents.Extent(extent, number, created_on, now, rows, properties.tags)
    )
    return AppendResult(extent, rows)


def _prepare_table(
    cursor: DuckDBPyConnection,
    append: Append,
    catalog: Catalog,
    columns: list[Column],
) -> None:
    existing = catalog.tables(append.table_key[0]).get(append.table_key[1])
    replaces = append.verb == ".set-or-replace" and append.properties.recreate_schema
    if existing is not None and replaces:
        tables.drop(cursor, append.table_key)
        catalog, existing = catalogs.read(cursor), None
    if existing is None:
        tables.create(cursor, catalog, append.table_key, columns)
        return
    extra = columns[len(existing) :] if append.properties.extend_schema else []
    _require_matching_schema(columns[: len(columns) - len(extra)], existing)
    tables.extend(cursor, catalog, append.table_key, extra)


def _require_matching_schema(produced: Sequence[Column], existing: Sequence[Column]) -> None:
    query = ",".join(column.scalar.name for column in produced)
    table = ",".join(column.scalar.name for column in existing)
    if query != table:
        raise KustoSemanticError(
            f"Query schema does not match table schema. QuerySchema=('{query}'), "
            f"TableSchema=('{table}')",
            "SEM0001",
        )
