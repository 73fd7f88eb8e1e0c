"""`.drop extent(s)` and `.merge`.

Source: Kusto docs, ".drop extents command", "Merge extents".
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import extents
from emulator.command_scanner import Scanner
from emulator.commands.extent_selection import (
    ExtentCommand,
    Rows,
    Select,
    by_ids,
    by_query,
)
from emulator.commands.show import typed_columns
from emulator.context import Command, CommandContext, Request
from emulator.errors import KustoError, UnsupportedError
from emulator.extents import Found

_DROPPED: Final = typed_columns(ExtentId="guid", TableName="string", CreatedOn="datetime")
_MERGED: Final = typed_columns(OriginalExtentId="guid", ResultExtentId="guid", Duration="timespan")


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".drop-pretend", "extents"):
        return _drop(_by_property(scanner), pretends=True)
    if scanner.accept(".drop", "extents"):
        return _drop_extents(scanner)
    if scanner.accept(".drop", "extent") and not scanner.accept("tags"):
        return _drop(_by_listed(scanner, [scanner.guid("an extent id")]))
    if scanner.accept(".merge"):
        return _merge(scanner)
    return None


def _drop(select: Select, *, pretends: bool = False) -> Command:
    def change(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Rows:
        found = select(cursor, context, request)
        if not pretends:
            extents.delete(cursor, found)
        return [(extent.id, extent.table, extent.created_on) for extent in found]

    return ExtentCommand("DataExtentsDrop", _DROPPED, change)


def _drop_extents(scanner: Scanner) -> Command:
    pretends = scanner.accept("whatif")
    if scanner.rest.startswith("("):
        return _drop(_by_listed(scanner, _ids(scanner)), pretends=pretends)
    if scanner.punctuation("<|"):
        return _drop(by_query(scanner.text_from()), pretends=pretends)
    return _drop(_by_property(scanner), pretends=pretends)


def _ids(scanner: Scanner) -> list[UUID]:
    return scanner.listed(lambda: scanner.guid("an extent id"))


def _by_listed(scanner: Scanner, ids: list[UUID]) -> Select:
    table = scanner.name("table") if scanner.accept("from") else None
    scanner.end()
    return by_ids(ids, table)


def _by_property(scanner: Scanner) -> Select:
    """`[older N (days|hours)] from (T | tables (T, …) | all tables) [limit N]`."""
    older = _age(scanner) if scanner.accept("older") else timedelta.min
    if not scanner.accept("from"):
        raise scanner.error("'from', '(' or '<|'")
    tables = _tables(scanner)
    if scanner.accept("trim"):
        raise UnsupportedError("'trim by' in '.drop extents'", "name the extents")
    limit = int(scanner.value("a number")) if scanner.accept("limit") else None
    scanner.end()

    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        del context
        for table in tables:
            catalogs.read(cursor).columns(request.database, table)
        where = "database = ? AND (len(?) = 0 OR list_contains(?, table_name))"
        found = extents.find(cursor, where, [request.database, tables, tables])
        return [one for one in found if request.now - one.created_on > older][:limit]

    return select


def _tables(scanner: Scanner) -> list[str]:
    """The names of tables; none for all tables."""
    if scanner.accept("all", "tables"):
        return []
    if scanner.accept("tables"):
        return scanner.listed(lambda: scanner.name("table"))
    return [scanner.name("table")]


def _age(scanner: Scanner) -> timedelta:
    text = scanner.value("a number of days or hours")
    if not text.isdigit():
        raise scanner.error("a number of days or hours")
    if scanner.accept("days"):
        return timedelta(days=int(text))
    if scanner.accept("hours"):
        return timedelta(hours=int(text))
    raise scanner.error("'days' or 'hours'")


def _merge(scanner: Scanner) -> Command:
    in_background = scanner.accept("async")
    table = scanner.name("table")
    select = by_ids(_ids(scanner), table)
    if scanner.accept("with"):
        raise UnsupportedError("options of '.merge'")
    scanner.end()

    def change(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Rows:
        found = select(cursor, context, request)
        if len({extents.drop_by_tags(extent) for extent in found}) > 1:
            raise KustoError("extents whose drop-by tags differ are not merged.")
        merged = extents.merge(cursor, found)
        return [(extent.id, merged.id, 0) for extent in found]

    return ExtentCommand("ExtentsMerge", _MERGED, change, in_background)
