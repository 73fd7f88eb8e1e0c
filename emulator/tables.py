"""Changing what tables there are: create, extend, drop, clear.

Called inside a write transaction by the commands and by the appends.
"""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import extents
from emulator.catalog import (
    EXTENT,
    Catalog,
    bump_version,
    literal,
    quoted,
    reject_case_collisions,
)
from emulator.errors import KustoSemanticError
from emulator.responses import Column

TableKey = tuple[str, str]
"""A database and a table in it."""


def create(
    cursor: DuckDBPyConnection, catalog: Catalog, table_key: TableKey, columns: Sequence[Column]
) -> None:
    """Create the table; raises KustoSemanticError for names that this engine cannot keep apart."""
    database, table = table_key
    reject_case_collisions([*catalog.tables(database), table], "table")
    reject_case_collisions([column.name for column in columns], "column")
    if not columns:
        raise KustoSemanticError(f"table '{table}' needs at least one column")
    listed = ", ".join(f"{quoted(column.name)} {column.scalar.duckdb}" for column in columns)
    cursor.execute(f"CREATE TABLE {quoted(*table_key)} ({listed}, {EXTENT} BIGINT)")
    for column in columns:
        _record_type(cursor, table_key, column)
    cursor.execute("INSERT INTO __emulator.tables VALUES (?, ?, '', '')", [*table_key])
    bump_version(cursor)


def extend(
    cursor: DuckDBPyConnection, catalog: Catalog, table_key: TableKey, columns: Sequence[Column]
) -> None:
    """Add `columns` at the table's end."""
    names = [column.name for column in catalog.columns(*table_key)]
    reject_case_collisions([*names, *(column.name for column in columns)], "column")
    for column in columns:
        declared = f"{quoted(column.name)} {column.scalar.duckdb}{_default(column)}"
        cursor.execute(f"ALTER TABLE {quoted(*table_key)} ADD COLUMN {declared}")
        _record_type(cursor, table_key, column)
    if columns:
        bump_version(cursor)


def _record_type(cursor: DuckDBPyConnection, table_key: TableKey, column: Column) -> None:
    """Keep the Kusto type with the column: a BIGINT may be a long, a datetime or a timespan."""
    name = quoted(*table_key, column.name)
    cursor.execute(f"COMMENT ON COLUMN {name} IS {literal(column.scalar.name)}")


def _default(column: Column) -> str:
    """What older rows get: Kusto's strings are never null."""
    return " DEFAULT ''" if column.scalar.name == "string" else ""


def add_extent_column(cursor: DuckDBPyConnection, table_key: TableKey) -> None:
    """Give a table of release 0.1.0 the column that says which extent holds a row."""
    if not catalogs.read(cursor).table(*table_key).has_extents:
        cursor.execute(f"ALTER TABLE {quoted(*table_key)} ADD COLUMN {EXTENT} BIGINT")
        bump_version(cursor)


def describe(
    cursor: DuckDBPyConnection, table_key: TableKey, folder: str | None, docstring: str | None
) -> None:
    """Set the folder and the docstring, each only if given."""
    if folder is None and docstring is None:
        return
    cursor.execute(
        "UPDATE __emulator.tables SET folder = coalesce(?, folder), "
        "docstring = coalesce(?, docstring) WHERE database = ? AND name = ?",
        [folder, docstring, *table_key],
    )


def drop(cursor: DuckDBPyConnection, table_key: TableKey) -> None:
    """Drop the table, its extents and so its tags."""
    cursor.execute(f"DROP TABLE {quoted(*table_key)}")
    cursor.execute("DELETE FROM __emulator.tables WHERE database = ? AND name = ?", [*table_key])
    extents.drop(cursor, table_key)
    bump_version(cursor)


def clear(cursor: DuckDBPyConnection, table_key: TableKey) -> None:
    """Delete every row of the table, its extents and so its tags."""
    cursor.execute(f"DELETE FROM {quoted(*table_key)}")  # noqa: S608 - quoted
    extents.drop(cursor, table_key)
