"""Changing what tables there are: create, extend, drop, clear.

Called inside a write transaction by the commands and by the appends.
"""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from emulator import extents
from emulator.catalog import Catalog, changed, quoted, refuse_case_twins
from emulator.errors import SemanticRefusal
from emulator.frames import Column

Place = tuple[str, str]
"""A database and a table in it."""


def create(
    cursor: DuckDBPyConnection, catalog: Catalog, place: Place, columns: Sequence[Column]
) -> None:
    """Create the table; raises SemanticRefusal for names that this engine cannot keep apart."""
    database, table = place
    refuse_case_twins([*catalog.tables(database), table], "table")
    refuse_case_twins([column.name for column in columns], "column")
    if not columns:
        raise SemanticRefusal(f"table '{table}' needs at least one column")
    listed = ", ".join(f"{quoted(column.name)} {column.scalar.duckdb}" for column in columns)
    cursor.execute(f"CREATE TABLE {quoted(*place)} ({listed})")
    cursor.execute("INSERT INTO __emulator.tables VALUES (?, ?, '', '')", [*place])
    changed(cursor)


def extend(
    cursor: DuckDBPyConnection, catalog: Catalog, place: Place, columns: Sequence[Column]
) -> None:
    """Add `columns` at the table's end."""
    names = [column.name for column in catalog.columns(*place)]
    refuse_case_twins([*names, *(column.name for column in columns)], "column")
    for column in columns:
        declared = f"{quoted(column.name)} {column.scalar.duckdb}{_default(column)}"
        cursor.execute(f"ALTER TABLE {quoted(*place)} ADD COLUMN {declared}")
    if columns:
        changed(cursor)


def _default(column: Column) -> str:
    """What older rows get: Kusto's strings are never null."""
    return " DEFAULT ''" if column.scalar.name == "string" else ""


def describe(
    cursor: DuckDBPyConnection, place: Place, folder: str | None, docstring: str | None
) -> None:
    """Set the folder and the docstring, each only if given."""
    if folder is None and docstring is None:
        return
    cursor.execute(
        "UPDATE __emulator.tables SET folder = coalesce(?, folder), "
        "docstring = coalesce(?, docstring) WHERE database = ? AND name = ?",
        [folder, docstring, *place],
    )


def drop(cursor: DuckDBPyConnection, place: Place) -> None:
    """Drop the table, its extents and so its tags."""
    cursor.execute(f"DROP TABLE {quoted(*place)}")
    cursor.execute("DELETE FROM __emulator.tables WHERE database = ? AND name = ?", [*place])
    extents.drop(cursor, place)
    changed(cursor)


def clear(cursor: DuckDBPyConnection, place: Place) -> None:
    """Delete every row of the table, its extents and so its tags."""
    cursor.execute(f"DELETE FROM {quoted(*place)}")  # noqa: S608 - quoted
    extents.drop(cursor, place)
