"""The commands that bring rows: the four `.set`/`.append` verbs and `.ingest inline`.

Source: Kusto docs, "Ingest from query" and ".ingest inline command".
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator import catalog, extents, inline, operations
from emulator.appends import Append, Appended, insert
from emulator.commands.show import typed
from emulator.errors import Unsupported
from emulator.frames import Table
from emulator.operations import Outcome, State
from emulator.properties import Properties
from emulator.properties import read as read_properties
from emulator.runner import Submission, operation
from emulator.scanner import Scanner
from emulator.services import Command, Request, Services

_KINDS: Final = {
    ".set-or-append": "TableSetOrAppend",
    ".set-or-replace": "TableSetOrReplace",
    ".append": "TableAppend",
    ".set": "TableSet",
}
_EXTENT: Final = typed(
    ExtentId="guid",
    OriginalSize="real",
    ExtentSize="real",
    CompressedSize="real",
    IndexSize="real",
    RowCount="long",
)


def read(scanner: Scanner) -> Command | None:
    """The command of this family that stands here."""
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
        raise scanner.refuse("a query after '<|'")
    if scanner.rest.startswith("."):
        raise Unsupported(f"'{verb}' from a management command", "give it a query")
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

    async def run(self, services: Services, request: Request) -> Table:
        """The operation's id, or the extent that came of it (none for no rows)."""
        submission = self._submission(services, request)
        if self.in_background:
            operation_id = await services.runner.later(submission)
            return Table(typed(OperationId="guid"), [(operation_id,)])
        appended = await services.runner.now(submission)
        return Table(_EXTENT, _extent_rows(appended))

    def _submission(self, services: Services, request: Request) -> Submission:
        append = Append(self.verb, (request.database, self.table), self.properties, self.query)
        new = operation(self.operation, request.database, request.activity, services.clock())
        return Submission(append, new, request.text, request.parameters)


def _extent_rows(appended: Appended) -> list[tuple[object, ...]]:
    if appended.extent is None:
        return []
    return [(appended.extent, 0.0, 0.0, 0.0, 0.0, appended.rows)]


def _inline(scanner: Scanner) -> Command:
    table = scanner.name("table")
    properties = read_properties(scanner)
    if scanner.rest.startswith("["):
        raise Unsupported("the bracket form of '.ingest inline'", "write <| and CSV lines")
    mark = scanner.text.find("<|", scanner.at)
    if mark != scanner.at:
        raise scanner.refuse("'<|'")
    return Inline(table, properties, scanner.text[mark + 2 :].lstrip())


@dataclass(frozen=True)
class Inline:
    """`.ingest inline into table T [with (…)] <| CSV`."""

    table: str
    properties: Properties
    data: str
    operation: str = "DataIngestInline"

    async def run(self, services: Services, request: Request) -> Table:
        """The id of the extent, zeros when nothing was ingested."""
        records = inline.fields(
            self.data, self.properties.format, skip_first=self.properties.ignore_first_record
        )
        new = operation(self.operation, request.database, request.activity, services.clock())
        place = (request.database, self.table)

        def work(cursor: DuckDBPyConnection) -> Appended:
            columns = catalog.read(cursor).columns(*place)
            lists = inline.by_column(records, columns)
            operations.begin(cursor, new)
            appended = Appended(None, 0, extents.taken(cursor, place, self.properties))
            if lists and appended.duplicate is None:
                source = inline.source(columns)
                appended = insert(
                    cursor,
                    place,
                    source,
                    properties=self.properties,
                    moment=request.moment,
                    values=lists,
                )
            operations.finish(cursor, new.id, Outcome(State.COMPLETED), services.clock())
            return appended

        appended = await services.store.write(work)
        return Table(typed(ExtentId="guid"), [(appended.extent or UUID(int=0),)])
