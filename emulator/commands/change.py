"""`.create[-merge] table`, `.alter[-merge] table`, `.drop table`, `.clear table`.

Source: Kusto docs, ".create table", ".create-merge table", ".drop table", ".clear table data".
"""

from collections.abc import Callable
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import tables
from emulator.catalog import Catalog
from emulator.commands.show import constant, typed
from emulator.errors import Refusal, SemanticRefusal
from emulator.frames import Column, Table
from emulator.kql import Statement, run
from emulator.properties import Properties
from emulator.properties import read as read_properties
from emulator.scalar import named
from emulator.scanner import Scanner
from emulator.services import Command, Request, Services

Work = Callable[[DuckDBPyConnection, Catalog, tables.Place], None]


@dataclass(frozen=True)
class Change:
    """A command that changes one table and shows how it is now."""

    operation: str
    table: str
    work: Work

    async def run(self, services: Services, request: Request) -> Table:
        """The table's schema after the change, or no row when it is gone."""
        place = (request.database, self.table)

        def work(cursor: DuckDBPyConnection) -> Table:
            before = catalogs.read(cursor)
            before.tables(request.database)
            self.work(cursor, before, place)
            after = catalogs.read(cursor).tables(request.database).get(self.table)
            return _shown(cursor, place, after)

        return await services.store.write(work)


def _shown(cursor: DuckDBPyConnection, place: tables.Place, columns: list[Column] | None) -> Table:
    names = typed(
        TableName="string",
        Schema="string",
        DatabaseName="string",
        Folder="string",
        DocString="string",
    )
    if columns is None:
        return run(cursor, Statement(constant(names, []).sql, {}))
    schema = ",".join(f"{column.name}:{column.scalar.name}" for column in columns)
    row = (place[1], schema, place[0], "", "")
    return run(cursor, Statement(constant(names, [row]).sql, {}))


def read(scanner: Scanner) -> Command | None:
    """The command of this family that stands here."""
    if scanner.accept(".create", "table"):
        return _create(scanner, "TableCreate", merge=False)
    if scanner.accept(".create-merge", "table"):
        return _create(scanner, "TableCreateMerge", merge=True)
    if scanner.accept(".alter-merge", "table"):
        return _alter_merge(scanner)
    if scanner.accept(".drop", "table"):
        return _drop(scanner)
    if scanner.accept(".clear", "table"):
        return _clear(scanner)
    return None


def _declared(scanner: Scanner) -> tuple[str, list[Column], Properties]:
    table = scanner.name("table")
    scanner.expect("(")
    columns = []
    while True:
        name = scanner.name("column")
        scanner.expect(":")
        columns.append(Column(name, named(scanner.value("a type"))))
        if not scanner.punctuation(","):
            break
    scanner.expect(")")
    properties = read_properties(scanner)
    scanner.end()
    return table, columns, properties


def _missing(existing: list[Column], declared: list[Column], table: str) -> list[Column]:
    types = {column.name: column.scalar for column in existing}
    for column in declared:
        found = types.get(column.name)
        if found is not None and found != column.scalar:
            raise SemanticRefusal(
                f"column '{column.name}' of table '{table}' is {found.name} and cannot become "
                f"{column.scalar.name}"
            )
    return [column for column in declared if column.name not in types]


def _create(scanner: Scanner, operation: str, *, merge: bool) -> Command:
    table, columns, properties = _declared(scanner)

    def work(cursor: DuckDBPyConnection, catalog: Catalog, place: tables.Place) -> None:
        existing = catalog.tables(place[0]).get(table)
        if existing is None:
            tables.create(cursor, catalog, place, columns)
        elif merge:
            tables.extend(cursor, catalog, place, _missing(existing, columns, table))
        elif existing != columns:
            raise Refusal(
                f"Entity '{table}' of kind 'Table' already exists with another schema; "
                "use .create-merge table to add columns."
            )
        tables.describe(cursor, place, properties.folder, properties.docstring)

    return Change(operation, table, work)


def _alter_merge(scanner: Scanner) -> Command:
    table, columns, properties = _declared(scanner)

    def work(cursor: DuckDBPyConnection, catalog: Catalog, place: tables.Place) -> None:
        missing = _missing(catalog.columns(*place), columns, table)
        tables.extend(cursor, catalog, place, missing)
        tables.describe(cursor, place, properties.folder, properties.docstring)

    return Change("TableAlterMerge", table, work)


def _drop(scanner: Scanner) -> Command:
    table = scanner.name("table")
    if_exists = scanner.accept("ifexists")
    scanner.end()

    def work(cursor: DuckDBPyConnection, catalog: Catalog, place: tables.Place) -> None:
        if if_exists and table not in catalog.tables(place[0]):
            return
        catalog.columns(*place)
        tables.drop(cursor, place)

    return Change("TableDrop", table, work)


def _clear(scanner: Scanner) -> Command:
    table = scanner.name("table")
    if not scanner.accept("data"):
        raise scanner.refuse("'data'")
    scanner.end()

    def work(cursor: DuckDBPyConnection, catalog: Catalog, place: tables.Place) -> None:
        catalog.columns(*place)
        tables.clear(cursor, place)

    return Change("TableClear", table, work)
