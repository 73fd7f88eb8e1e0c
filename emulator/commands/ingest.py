"""The commands that bring rows: the four `.set`/`.append` verbs and `.ingest inline`.

Source: Kusto docs, "Ingest from query" and ".ingest inline command".
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog, csv_ingest, extents, operations
from emulator.appends import Append, AppendResult, insert
from emulator.command_scanner import Scanner
from emulator.commands.show import typed_columns
from emulator.context import Command, CommandContext, Request
from emulator.errors import UnsupportedError
from emulator.operation_runner import AppendJob, new_operation
from emulator.operations import Outcome, State
from emulator.properties import Properties
from emulator.properties import read as read_properties
from emulator.responses import Table
from emulator.store import WRITE_TIMEOUT

_KINDS: Final = {
    ".set-or-append": "TableSetOrAppend",
    ".set-or-replace": "TableSetOrReplace",
    ".append": "TableAppend",
    ".set": "TableSet",
}
_EXTENT: Final = typed_columns(
    ExtentId="guid",
    OriginalSize="real",
    ExtentSize="real",
    CompressedSize="real",
    IndexSize="real",
    RowCount="long",
)


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    for verb, kind in _KINDS.items():
        if scanner.accept(verb):
            return _append(scanner, verb, kind)
    if scanner.accept(".ingest", "inline", "into", "table"):
        return _inline(scanner)
    return None


def _append(scanner: Scanner, verb: str, kind: str) -> Command:
    in_background = scanner.accept("async")
    table = scanner.name("table")
    properties = read_properties(scanner)
    scanner.expect("<|")
    if scanner.done:
        raise scanner.error("a query after '<|'")
    if scanner.rest.startswith("."):
        raise UnsupportedError(f"'{verb}' from a management command", "give it a query")
    return AppendCommand(kind, verb, table, properties, scanner.text_from(), in_background)


@dataclass(frozen=True)
class AppendCommand:
    """One of the four verbs."""

    operation: str
    verb: str
    table: str
    properties: Properties
    query: str
    in_background: bool

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The operation's id, or the extent that came of it (none for no rows)."""
        job = self._job(context, request)
        if self.in_background:
            operation_id = await context.runner.submit(job)
            return Table(typed_columns(OperationId="guid"), [(operation_id,)])
        appended = await context.runner.run(job)
        return Table(_EXTENT, _extent_rows(appended))

    def _job(self, context: CommandContext, request: Request) -> AppendJob:
        append = Append(self.verb, (request.database, self.table), self.properties, self.query)
        new = new_operation(self.operation, request.database, request.activity, context.clock())
        limit = WRITE_TIMEOUT if self.in_background else request.time_limit
        return AppendJob(append, new, request.text, request.parameters, limit)


def _extent_rows(appended: AppendResult) -> list[tuple[object, ...]]:
    if appended.extent is None:
        return []
    return [(appended.extent, 0.0, 0.0, 0.0, 0.0, appended.rows)]


def _inline(scanner: Scanner) -> Command:
    table = scanner.name("table")
    properties = read_properties(scanner)
    if scanner.rest.startswith("["):
        raise UnsupportedError("the bracket form of '.ingest inline'", "write <| and CSV lines")
    mark = scanner.text.find("<|", scanner.at)
    if mark != scanner.at:
        raise scanner.error("'<|'")
    return Inline(table, properties, scanner.text[mark + 2 :].lstrip())


@dataclass(frozen=True)
class Inline:
    """`.ingest inline into table T [with (…)] <| CSV`."""

    table: str
    properties: Properties
    data: str
    operation: str = "DataIngestInline"

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The id of the extent, zeros when nothing was ingested."""
        records = csv_ingest.parse_records(
            self.data, self.properties.format, skip_first=self.properties.ignore_first_record
        )
        new = new_operation(self.operation, request.database, request.activity, context.clock())
        table_key = (request.database, self.table)

        def work(cursor: DuckDBPyConnection) -> AppendResult:
            columns = catalog.read(cursor).columns(*table_key)
            lists = csv_ingest.to_columns(records, columns)
            operations.begin(cursor, new)
            appended = AppendResult(
                None, 0, extents.find_duplicate_tag(cursor, table_key, self.properties)
            )
            if lists and appended.duplicate is None:
                source = csv_ingest.select_sql(
                    columns, catalog.read(cursor).table(*table_key).stored
                )
                appended = insert(
                    cursor,
                    table_key,
                    source,
                    properties=self.properties,
                    now=request.now,
                    values=lists,
                )
            operations.finish(cursor, new.id, Outcome(State.COMPLETED), context.clock())
            return appended

        appended = await context.store.write(work)
        return Table(typed_columns(ExtentId="guid"), [(appended.extent or UUID(int=0),)])
