"""Extents: what each ingestion added to a table, when, and under which tags.

An extent here is a record and a number in each of its rows. `.merge` and the fault `merge-extents`
merge extents, and never those whose `drop-by:` tags differ. Source: Kusto docs, "Extents (data
shards)", "Extent tags".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from duckdb import DuckDBPyConnection

from emulator.catalog import quoted
from emulator.errors import KustoError
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
    "Tags": "array_to_string(tags, chr(13) || chr(10))",
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


@dataclass(frozen=True)
class Found:
    """An extent as recorded; `number` None for one of release 0.1.0."""

    id: UUID
    number: int | None
    database: str
    table: str
    created_on: datetime
    rows: int
    tags: list[str]


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


def find(cursor: DuckDBPyConnection, where: str, values: list[object]) -> list[Found]:
    """The extents that fit `where`, the oldest first."""
    rows = cursor.execute(
        "SELECT extent_id, number, database, table_name, created_on, row_count, tags "  # noqa: S608 - `where` is a literal of the caller
        f"FROM __emulator.extents WHERE {where} ORDER BY created_on, number",
        values,
    ).fetchall()
    return [Found(*row) for row in rows]


def delete(cursor: DuckDBPyConnection, found: Sequence[Found]) -> None:
    """Delete extents and the rows that they hold."""
    for extent in found:
        if extent.number is None:
            raise KustoError(
                f"extent {extent.id} is of release 0.1.0 and does not know its rows; "
                "use '.clear table' or write the table anew."
            )
        name = quoted(extent.database, extent.table)
        cursor.execute(f"DELETE FROM {name} WHERE __extent = ?", [extent.number])  # noqa: S608 - quoted
        cursor.execute("DELETE FROM __emulator.extents WHERE extent_id = ?", [extent.id])


def set_tags(cursor: DuckDBPyConnection, extent: Found, tags: Sequence[str]) -> UUID:
    """Give an extent these tags and no others; the id of the new extent that it becomes."""
    new = uuid4()
    cursor.execute(
        "UPDATE __emulator.extents SET extent_id = ?, tags = ? WHERE extent_id = ?",
        [new, list(tags), extent.id],
    )
    return new


def drop_by_tags(extent: Found) -> frozenset[str]:
    """The `drop-by:` tags; extents whose sets of them differ are never merged."""
    return frozenset(tag for tag in extent.tags if tag.startswith("drop-by:"))


def merge(cursor: DuckDBPyConnection, found: Sequence[Found]) -> Found:
    """Put the rows of several extents into a new one that has the tags of all."""
    number, new = next_number(cursor), uuid4()
    name = quoted(found[0].database, found[0].table)
    tags = sorted({tag for extent in found for tag in extent.tags})
    for extent in found:
        cursor.execute(
            f"UPDATE {name} SET __extent = ? WHERE __extent = ?",  # noqa: S608 - quoted
            [number, extent.number],
        )
        cursor.execute("DELETE FROM __emulator.extents WHERE extent_id = ?", [extent.id])
    created_on = max(extent.created_on for extent in found)
    rows = sum(extent.rows for extent in found)
    merged = Extent(new, number, created_on, created_on, rows, tuple(tags))
    add(cursor, (found[0].database, found[0].table), merged)
    return Found(new, number, found[0].database, found[0].table, created_on, rows, tags)


def merge_all(cursor: DuckDBPyConnection, table_key: tuple[str, str]) -> None:
    """Merge every extent of a table that may be merged with another."""
    groups: dict[frozenset[str], list[Found]] = {}
    for extent in find(cursor, "database = ? AND table_name = ?", [*table_key]):
        if extent.number is not None:
            groups.setdefault(drop_by_tags(extent), []).append(extent)
    for group in groups.values():
        if len(group) > 1:
            merge(cursor, group)


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
