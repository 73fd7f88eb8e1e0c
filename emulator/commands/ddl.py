"""`.create[-merge] table`, `.alter[-merge] table`, `.drop table`, `.clear table`.

Source: Kusto docs, ".create table", ".create-merge table", ".drop table", ".clear table data".
"""

from collections.abc import Callable
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator import tables
from emulator.catalog import Catalog
from emulator.command_scanner import Scanner
from emulator.commands.show import constant_rows, typed_columns
from emulator.context import Command, CommandContext, Request
from emulator.errors import KustoError, KustoSemanticError
from emulator.kql import run
from emulator.properties import Properties
from emulator.properties import read as read_properties
from emulator.responses import Column, Table
from emulator.scalar import named

Work = Callable[[DuckDBPyConnection, Catalog, tables.TableKey], None]


@dataclass(frozen=True)
class TableChange:
    """A command that changes one table and shows how it is now."""

    operation: str
    table: str
    work: Work

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The table's schema after the change, or no row when it is gone."""
        table_key = (request.database, self.table)

        def work(cursor: DuckDBPyConnection) -> Table:
            before = catalogs.read(cursor)
            before.tables(request.database)
            self.work(cursor, before, table_key)
            after = catalogs.read(cursor).tables(request.database).get(self.table)
            return _shown(cursor, table_key, after)

        return await context.store.write(work)


def _shown(
    cursor: DuckDBPyConnection, table_key: tables.TableKey, columns: list[Column] | None
) -> Table:
    names = typed_columns(
        TableName="string",
        Schema="string",
        DatabaseName="string",
        Folder="string",
        DocString="string",
    )
    if columns is None:
        return run(cursor, constant_rows(names, []))
    schema = ",".join(f"{column.name}:{column.scalar.name}" for column in columns)
    row = (table_key[1], schema, table_key[0], "", "")
    return run(cursor, constant_rows(names, [row]))


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
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
            raise KustoSemanticError(
                f"column '{column.name}' of table '{table}' is {found.name} and cannot become "
                f"{column.scalar.name}"
            )
    return [column for column in declared if column.name not in types]


def _create(scanner: Scanner, operation: str, *, merge: bool) -> Command:
    table, columns, properties = _declared(scanner)

    def work(cursor: DuckDBPyConnection, catalog: Catalog, table_key: tables.TableKey) -> None:
        existing = catalog.tables(table_key[0]).get(table)
        if existing is None:
            tables.create(cursor, catalog, table_key, columns)
        elif merge:
            tables.extend(cursor, catalog, table_key, _missing(existing, columns, table))
        elif existing != columns:
            raise KustoError(
                f"Entity '{table}' of kind 'Table' already exists with another schema; "
                "use .create-merge table to add columns."
            )
        tables.describe(cursor, table_key, properties.folder, properties.docstring)

    return TableChange(operation, table, work)


def _alter_merge(scanner: Scanner) -> Command:
    table, columns, properties = _declared(scanner)

    def work(cursor: DuckDBPyConnection, catalog: Catalog, table_key: tables.TableKey) -> None:
        missing = _missing(catalog.columns(*table_key), columns, table)
        tables.extend(cursor, catalog, table_key, missing)
        tables.describe(cursor, table_key, properties.folder, properties.docstring)

    return TableChange("TableAlterMerge", table, work)


def _drop(scanner: Scanner) -> Command:
    table = scanner.name("table")
    if_exists = scanner.accept("ifexists")
    scanner.end()

    def work(cursor: DuckDBPyConnection, catalog: Catalog, table_key: tables.TableKey) -> None:
        if if_exists and table not in catalog.tables(table_key[0]):
            return
        catalog.columns(*table_key)
        tables.drop(cursor, table_key)

    return TableChange("TableDrop", table, work)


def _clear(scanner: Scanner) -> Command:
    table = scanner.name("table")
    if not scanner.accept("data"):
        raise scanner.error("'data'")
    scanner.end()

    def work(cursor: DuckDBPyConnection, catalog: Catalog, table_key: tables.TableKey) -> None:
        catalog.columns(*table_key)
        tables.clear(cursor, table_key)

    return TableChange("TableClear", table, work)
