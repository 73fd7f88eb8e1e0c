"""Extents: what each ingestion added to a table, when, and under which tags.

An extent here is a record, not a file: it is never merged, so a tag stays findable for the life of
its rows. Source: Kusto docs, "Extents (data shards)": `ingest-by:` tags.
"""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Extent:
    """One extent: `number` stands in its rows; the times are naive UTC."""

    id: UUID
    number: int
    created_on: datetime
    ingested_on: datetime
    rows: int
    tags: tuple[str, ...]


def next_number(cursor: DuckDBPyConnection) -> int:
    """The number of the next extent, which no other has or had."""
    cursor.execute("UPDATE __emulator.extent_counter SET last = last + 1 RETURNING last")
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def add(cursor: DuckDBPyConnection, table_key: tuple[str, str], extent: Extent) -> None:
    """Record `extent` in `table_key` (database, table)."""
    cursor.execute(
        "INSERT INTO __emulator.extents (extent_id, database, table_name, created_on, row_count, "
        "tags, number, ingested_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(extent.id, *table_key, extent.created_on, extent.rows),
            *(list(extent.tags), extent.number, extent.ingested_on),
        ],
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
