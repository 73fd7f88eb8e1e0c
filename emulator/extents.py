"""Extents: what each ingestion added to a table, when, and under which tags.

An extent here is a record, not a file: it is never merged, so a tag stays findable for the life of
its rows. Source: Kusto docs, "Extents (data shards)": `ingest-by:` tags.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator.properties import Properties

COLUMNS: Final = {
    "ExtentId": "extent_id",
    "DatabaseName": "database",
    "TableName": "table_name",
    "MaxCreatedOn": "created_on",
    "OriginalSize": "0.0::DOUBLE",
    "ExtentSize": "0.0::DOUBLE",
    "CompressedSize": "0.0::DOUBLE",
    "IndexSize": "0.0::DOUBLE",
    "Blocks": "1::BIGINT",
    "Segments": "1::BIGINT",
    "ExtentContainerId": "''",
    "RowCount": "row_count",
    "MinCreatedOn": "created_on",
    "Tags": "array_to_string(tags, chr(10))",
    "Kind": "'StorageV3'",
    "DeletedRowCount": "0::BIGINT",
}
SELECT: Final = ", ".join(f'{sql} AS "{name}"' for name, sql in COLUMNS.items())


def add(
    cursor: DuckDBPyConnection,
    table_key: tuple[str, str],
    extent: tuple[UUID, datetime, int],
    tags: tuple[str, ...],
) -> None:
    """Record `extent` (its id, creation time and rows) in `table_key` (database, table)."""
    cursor.execute(
        "INSERT INTO __emulator.extents VALUES (?, ?, ?, ?, ?, ?)",
        [extent[0], *table_key, *extent[1:], list(tags)],
    )


def drop(cursor: DuckDBPyConnection, table_key: tuple[str, str]) -> None:
    """Forget every extent of a table."""
    cursor.execute(
        "DELETE FROM __emulator.extents WHERE database = ? AND table_name = ?", [*table_key]
    )


def find_duplicate_tag(
    cursor: DuckDBPyConnection, table_key: tuple[str, str], properties: Properties
) -> str | None:
    """The first `ingest-by:` tag that `ingestIfNotExists` names and the table has already."""
    wanted = [f"ingest-by:{value}" for value in properties.ingest_if_not_exists]
    if not wanted:
        return None
    found = cursor.execute(
        "SELECT list_intersect(tags, $tags)[1] FROM __emulator.extents "
        "WHERE database = $database AND table_name = $table AND list_has_any(tags, $tags) LIMIT 1",
        {"tags": wanted, "database": table_key[0], "table": table_key[1]},
    ).fetchone()
    return None if found is None else str(found[0])
