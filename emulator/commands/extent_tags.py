"""`.drop table … extent tags`, `.alter table … extent tags`, `.alter-merge table … extent tags`.

Source: Kusto docs, ".drop table extent tags", ".alter extent tags command".
"""

from collections.abc import Callable
from datetime import datetime
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
    as_id,
    by_ids,
    by_query,
    columns_of,
    query_rows,
)
from emulator.commands.show import typed_columns
from emulator.context import Command, CommandContext, Request
from emulator.errors import KustoError, UnsupportedError
from emulator.extents import Found
from emulator.properties import parse_moment

Changes = list[tuple[Found, list[str]]]
"""Extents with the tags that they shall have."""
Plan = Callable[[DuckDBPyConnection, CommandContext, Request], Changes]
_RANGE: Final = ("extentcreatedonfrom", "extentcreatedonto")
_COLUMNS: Final = typed_columns(
    OriginalExtentId="guid", ResultExtentId="guid", ResultExtentTags="string", Details="string"
)


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    start = scanner.at
    for verb in (".drop", ".alter", ".alter-merge"):
        if scanner.accept(verb):
            in_background = scanner.accept("async")
            if scanner.accept("table"):
                table = scanner.name("table")
                if scanner.accept("extent", "tags"):
                    return _command(scanner, verb, table, in_background=in_background)
    scanner.at = start
    return None


def _command(scanner: Scanner, verb: str, table: str, *, in_background: bool) -> Command:
    tags = _tags(scanner)
    since, until = _created_between(scanner)
    if verb == ".drop" and tags:
        scanner.end()
        plan = _without(table, tags)
    else:
        scanner.expect("<|")
        plan = _planned_by_query(verb, table, tags, scanner.text_from())

    def change(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Rows:
        planned = plan(cursor, context, request)
        return [
            (extent.id, extents.set_tags(cursor, extent, own), "\r\n".join(own), "")
            for extent, own in planned
            if (since is None or since <= extent.created_on)
            and (until is None or extent.created_on <= until)
        ]

    return ExtentCommand("ExtentTagsAlter", _COLUMNS, change, in_background)


def _tags(scanner: Scanner) -> list[str]:
    if not scanner.rest.startswith("("):
        return []
    return scanner.listed(lambda: scanner.value("a tag"))


def _created_between(scanner: Scanner) -> tuple[datetime | None, datetime | None]:
    """`with (extentCreatedOnFrom = …, extentCreatedOnTo = …)`; both belong to the range."""
    found: dict[str, datetime | None] = dict.fromkeys(_RANGE)
    if scanner.accept("with"):

        def read() -> None:
            name = scanner.value("a property name")
            if name.lower() not in found:
                raise UnsupportedError(f"the property '{name}' of extent tags")
            scanner.expect("=")
            found[name.lower()] = parse_moment(name, scanner.value(f"a value for '{name}'"))

        scanner.listed(read)
    return found[_RANGE[0]], found[_RANGE[1]]


def _without(table: str, tags: list[str]) -> Plan:
    def plan(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Changes:
        del context
        catalogs.read(cursor).columns(request.database, table)
        where = "database = ? AND table_name = ? AND list_has_any(tags, ?)"
        found = extents.find(cursor, where, [request.database, table, tags])
        return [(extent, [tag for tag in extent.tags if tag not in tags]) for extent in found]

    return plan


def _planned_by_query(verb: str, table: str, tags: list[str], text: str) -> Plan:
    if verb == ".drop":
        return _without_listed(table, text)
    select = by_query(text, table)
    keeps = verb == ".alter-merge"
    return _with_tags(select, tags, keeps=keeps)


def _with_tags(select: Select, tags: list[str], *, keeps: bool) -> Plan:
    def plan(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Changes:
        found = select(cursor, context, request)
        return [
            (extent, list(dict.fromkeys([*(extent.tags if keeps else ()), *tags])))
            for extent in found
        ]

    return plan


def _without_listed(table: str, text: str) -> Plan:
    """Without the tags that the query's rows name: each has an ExtentId and one of its Tags."""

    def plan(cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Changes:
        rows = query_rows(cursor, text, context, request)
        dropped: dict[UUID, set[object]] = {}
        for extent_id, tag in columns_of(rows, "ExtentId", "Tags"):
            if not isinstance(tag, str) or "\n" in tag or tag.startswith("["):
                raise KustoError(
                    "the column Tags must have one tag a row: add "
                    "'| extend Tags = split(Tags, '\\r\\n') | mv-expand Tags to typeof(string)'."
                )
            dropped.setdefault(as_id(extent_id), set()).add(tag)
        found = by_ids(list(dropped), table)(cursor, context, request)
        planned = [
            (extent, [tag for tag in extent.tags if tag not in dropped[extent.id]])
            for extent in found
        ]
        return [(extent, own) for extent, own in planned if own != extent.tags]

    return plan
