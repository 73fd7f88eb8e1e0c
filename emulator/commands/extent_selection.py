"""Which extents a command is about: by their ids, or by the rows of a query after `<|`.

A selection runs in the transaction of the command that changes what it finds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import extents
from emulator.command_scanner import Scanner
from emulator.commands import show_extents
from emulator.commands.show import Show, typed_columns
from emulator.context import CommandContext, Request
from emulator.errors import EntityNotFoundError, KustoError, UnsupportedError
from emulator.extents import Found
from emulator.kql import run, translate
from emulator.operation_runner import new_operation
from emulator.operations import Outcome, State, begin, finish
from emulator.responses import Column, Table

Rows = list[tuple[object, ...]]
Select = Callable[[DuckDBPyConnection, CommandContext, Request], list[Found]]
Change = Callable[[DuckDBPyConnection, CommandContext, Request], Rows]


@dataclass(frozen=True)
class ExtentCommand:
    """A command that changes extents in one transaction and answers what became of each.

    With `in_background` it answers the id of an operation that has ended by then.
    """

    operation: str
    columns: list[Column]
    change: Change
    in_background: bool = False

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The rows of `change`, or the operation's id."""
        new = new_operation(self.operation, request.database, request.activity, context.clock())

        def work(cursor: DuckDBPyConnection) -> Table:
            if self.in_background:
                begin(cursor, new)
            rows = self.change(cursor, context, request)
            if not self.in_background:
                return Table(self.columns, rows)
            finish(cursor, new.id, Outcome(State.COMPLETED), context.clock())
            return Table(typed_columns(OperationId="guid"), [(new.id,)])

        return await context.store.write(work)


def by_ids(ids: list[UUID], table: str | None) -> Select:
    """The extents with these ids, all of `table` if that is given."""

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


def by_query(text: str, table: str | None = None) -> Select:
    """The extents whose ids the query gives in its column ExtentId."""

    def select(
        cursor: DuckDBPyConnection, context: CommandContext, request: Request
    ) -> list[Found]:
        rows = query_rows(cursor, text, context, request)
        ids = [as_id(row[0]) for row in columns_of(rows, "ExtentId")]
        return by_ids(ids, table)(cursor, context, request) if ids else []

    return select


def query_rows(
    cursor: DuckDBPyConnection, text: str, context: CommandContext, request: Request
) -> Table:
    """The rows of what stands after `<|`: a query, or a `.show … extents` command."""
    if not text.lstrip().startswith("."):
        return run(cursor, translate(text, request.scope(cursor)))
    command = show_extents.parse(Scanner(text))
    if not isinstance(command, Show):
        raise UnsupportedError("this command after '<|'", "give it '.show table … extents'")
    return command.rows(cursor, context, request)


def columns_of(rows: Table, *names: str) -> Rows:
    """The values of these columns, row by row; raises KustoError when one is not there."""
    own = [column.name for column in rows.columns]
    for name in names:
        if name not in own:
            raise KustoError(f"the query after '<|' must give a column {name}.")
    places = [own.index(name) for name in names]
    return [tuple(row[place] for place in places) for row in rows.rows]


def as_id(value: object) -> UUID:
    """A value of the column ExtentId; raises KustoError."""
    try:
        return UUID(str(value))
    except ValueError:
        raise KustoError(f"the column ExtentId has {str(value)!r}, which is not a guid.") from None
