"""`.drop extent(s)`, `.drop table … extent tags`, `.alter[-merge] table … extent tags`, `.merge`.

Source: Kusto docs, ".drop extents", ".drop extent tags", ".alter extent tags", "Merge extents".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import extents
from emulator.command_scanner import Scanner
from emulator.commands.show import typed_columns
from emulator.context import Command, CommandContext, Request
from emulator.errors import EntityNotFoundError, KustoError, UnsupportedError
from emulator.extents import Found
from emulator.kql import run, translate
from emulator.responses import Column, Table

Select = Callable[[DuckDBPyConnection, CommandContext, Request], list[Found]]
Change = Callable[[DuckDBPyConnection, list[Found]], list[tuple[object, ...]]]
_DROPPED: Final = typed_columns(ExtentId="guid", TableName="string", CreatedOn="datetime")
_TAGGED: Final = typed_columns(
    OriginalExtentId="guid", ResultExtentId="guid", ResultExtentTags="string", Details="string"
)
_MERGED: Final = typed_columns(OriginalExtentId="guid", ResultExtentId="guid", Duration="timespan")


@dataclass(frozen=True)
class ExtentChange:
    """A command that changes the extents that `select` finds."""

    operation: str
    columns: list[Column]
    select: Select
    change: Change

    async def run(self, context: CommandContext, request: Request) -> Table:
        """What became of each extent."""

        def work(cursor: DuckDBPyConnection) -> Table:
            found = self.select(cursor, context, request)
            return Table(self.columns, self.change(cursor, found))

        return await context.store.write(work)


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".drop", "extents"):
        return _drop_extents(scanner)
    if scanner.accept(".drop", "extent"):
        ids = [_extent_id(scanner)]
        table = _from_table(scanner)
        scanner.end()
        return ExtentChange("DataExtentsDrop", _DROPPED, _by_ids(ids, table), _drop)
    if scanner.accept(".merge"):
        return _merge(scanner)
    return _tags(scanner)


def _extent_id(scanner: Scanner) -> UUID:
    text = scanner.value("an extent id")
    try:
        return UUID(text)
    except ValueError:
        raise scanner.error("an extent id (a guid)") from None


def _extent_ids(scanner: Scanner) -> list[UUID]:
    scanner.expect("(")
    ids = [_extent_id(scanner)]
    while scanner.punctuation(","):
        ids.append(_extent_id(scanner))
    scanner.expect(")")
    return ids


def _from_table(scanner: Scanner) -> str | None:
    return scanner.name("table") if scanner.accept("from") else None


def _by_ids(ids: list[UUID], table: str | None) -> Select:
    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        del context
        where, values = "list_contains(?, extent_id) AND database = ?", [ids, request.database]
        if table is not None:
            catalogs.read(cursor).columns(request.database, table)
            where, values = f"{where} AND table_name = ?", [*values, table]
        found = extents.find(cursor, where, list(values))
        missing = set(ids) - {extent.id for extent in found}
        if missing:
            raise EntityNotFoundError(str(min(missing, key=str)), "Extent")
        return found

    return select


def _by_query(text: str, table: str | None = None) -> Select:
    """The extents whose ids the query gives in its column ExtentId."""

    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        if text.lstrip().startswith(".show"):
            rows = _show(cursor, text, context, request)
        else:
            rows = run(cursor, translate(text, request.scope(catalogs.read(cursor))))
        names = [column.name for column in rows.columns]
        if "ExtentId" not in names:
            raise KustoError("the query after '<|' must give a column ExtentId.")
        ids = [_as_id(row[names.index("ExtentId")]) for row in rows.rows]
        return _by_ids(ids, table)(cursor, context, request) if ids else []

    return select


def _as_id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise KustoError(f"the column ExtentId has {str(value)!r}, which is not a guid.") from None


def _show(
    cursor: DuckDBPyConnection, text: str, context: CommandContext, request: Request
) -> Table:
    from emulator.commands import show_extents  # noqa: PLC0415 - its sibling reads commands
    from emulator.commands.show import Show  # noqa: PLC0415 - likewise

    command = show_extents.parse(Scanner(text.strip()))
    if not isinstance(command, Show):
        raise UnsupportedError("this command after '<|'", "give it '.show table … extents'")
    return command.rows(cursor, context, request)


def _drop(cursor: DuckDBPyConnection, found: list[Found]) -> list[tuple[object, ...]]:
    extents.delete(cursor, found)
    return [(extent.id, extent.table, extent.created_on) for extent in found]


def _what_if(_: DuckDBPyConnection, found: list[Found]) -> list[tuple[object, ...]]:
    return [(extent.id, extent.table, extent.created_on) for extent in found]


def _drop_extents(scanner: Scanner) -> Command:
    change = _what_if if scanner.accept("whatif") else _drop
    if scanner.rest.startswith("("):
        ids = _extent_ids(scanner)
        table = _from_table(scanner)
        scanner.end()
        return ExtentChange("DataExtentsDrop", _DROPPED, _by_ids(ids, table), change)
    if scanner.punctuation("<|"):
        return ExtentChange("DataExtentsDrop", _DROPPED, _by_query(scanner.text_from()), change)
    return ExtentChange("DataExtentsDrop", _DROPPED, _by_age(scanner), change)


def _by_age(scanner: Scanner) -> Select:
    """`[older N (days|hours)] from (T | all tables) [limit N]`."""
    older = _age(scanner) if scanner.accept("older") else None
    if not scanner.accept("from"):
        raise scanner.error("'from', '(' or '<|'")
    table = None if scanner.accept("all", "tables") else scanner.name("table")
    if scanner.accept("trim"):
        raise UnsupportedError("'trim by' in '.drop extents'", "name the extents")
    limit = int(scanner.value("a number")) if scanner.accept("limit") else None
    scanner.end()

    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        del context
        where, values = "database = ?", [request.database]
        if table is not None:
            catalogs.read(cursor).columns(request.database, table)
            where, values = f"{where} AND table_name = ?", [*values, table]
        found = extents.find(cursor, where, list(values))
        if older is not None:
            found = [one for one in found if one.created_on < _before(request.now, older)]
        return found[:limit]

    return select


def _before(now: datetime, older: timedelta) -> datetime:
    return now - older


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
    scanner.accept("async")
    table = scanner.name("table")
    ids = _extent_ids(scanner)
    if scanner.accept("with"):
        raise UnsupportedError("options of '.merge'")
    scanner.end()

    def change(cursor: DuckDBPyConnection, found: list[Found]) -> list[tuple[object, ...]]:
        if len({extents.drop_by_tags(extent) for extent in found}) > 1:
            raise KustoError("extents whose drop-by tags differ are not merged.")
        merged = extents.merge(cursor, found)
        return [(extent.id, merged.id, 0) for extent in found]

    return ExtentChange("ExtentsMerge", _MERGED, _by_ids(ids, table), change)


# ----- tags


def _tags(scanner: Scanner) -> Command | None:
    start = scanner.at
    for verb in (".drop", ".alter", ".alter-merge"):
        if scanner.accept(verb):
            scanner.accept("async")
            if not scanner.accept("table"):
                break
            table = scanner.name("table")
            if scanner.accept("extent", "tags"):
                return _tag_change(scanner, verb, table)
            break
    scanner.at = start
    if scanner.accept(".drop", "extent", "tags"):
        scanner.expect("<|")
        return _tagged(_by_query(scanner.text_from()), lambda _: [])
    return None


def _tag_change(scanner: Scanner, verb: str, table: str) -> Command:
    if verb == ".drop" and scanner.punctuation("<|"):
        return _tagged(_by_query(scanner.text_from(), table), lambda _: [])
    scanner.expect("(")
    tags = [scanner.value("a tag")]
    while scanner.punctuation(","):
        tags.append(scanner.value("a tag"))
    scanner.expect(")")
    if verb == ".drop":
        scanner.end()
        return _tagged(
            _with_any_tag(table, tags), lambda own: [tag for tag in own if tag not in tags]
        )
    scanner.expect("<|")
    select = _by_query(scanner.text_from(), table)
    if verb == ".alter":
        return _tagged(select, lambda _: tags)
    return _tagged(select, lambda own: [*own, *(tag for tag in tags if tag not in own)])


def _with_any_tag(table: str, tags: list[str]) -> Select:
    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        del context
        catalogs.read(cursor).columns(request.database, table)
        where = "database = ? AND table_name = ? AND list_has_any(tags, ?)"
        return extents.find(cursor, where, [request.database, table, tags])

    return select


def _tagged(select: Select, tags_of: Callable[[list[str]], list[str]]) -> Command:
    def change(cursor: DuckDBPyConnection, found: list[Found]) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for extent in found:
            tags = tags_of(extent.tags)
            extents.set_tags(cursor, extent, tags)
            rows.append((extent.id, extent.id, "\n".join(tags), ""))
        return rows

    return ExtentChange("ExtentTagsAlter", _TAGGED, select, change)
