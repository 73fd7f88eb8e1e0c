"""`.create database`, `.drop database`, `.show databases`, `.show version`.

Kusto makes databases through Azure Resource Manager; here `.create database NAME` does, as the
official emulator's command of the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator.catalog import RESERVED, Catalog, quoted, reject_case_collisions
from emulator.command_scanner import Scanner
from emulator.commands.show import constant_rows, typed_columns, with_pipeline
from emulator.context import Command, CommandContext, Request
from emulator.errors import KustoError
from emulator.kql import Statement
from emulator.responses import Table

VERSION = "1.0.0"


def create(cursor: DuckDBPyConnection, name: str, now: datetime) -> None:
    """Create a database that is not there yet; raises KustoError for a name that DuckDB has."""
    if name.lower() in RESERVED:
        raise KustoError(f"'{name}' is taken by the engine; give the database another name.")
    reject_case_collisions([*catalogs.read(cursor).databases, name], "database")
    cursor.execute(f"CREATE SCHEMA {quoted(name)}")
    cursor.execute("INSERT INTO __emulator.databases VALUES (?, ?)", [name, now])
    catalogs.bump_version(cursor)


@dataclass(frozen=True)
class DatabaseChange:
    """Creates or drops a database."""

    operation: str
    name: str
    work: Callable[[DuckDBPyConnection, datetime], None]

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The database's name, as the official emulator answers."""
        await context.store.write(lambda cursor: self.work(cursor, request.now))
        return Table(typed_columns(DatabaseName="string"), [(self.name,)])


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".show", "databases"):
        return with_pipeline(scanner, "DatabasesShow", _databases)
    if scanner.accept(".show", "version"):
        return with_pipeline(scanner, "VersionShow", _version)
    if scanner.accept(".create", "database"):
        return _create(scanner)
    if scanner.accept(".drop", "database"):
        return _drop(scanner)
    return None


def _create(scanner: Scanner) -> Command:
    name = scanner.name("database")
    scanner.accept("volatile")
    if_missing = scanner.accept("ifnotexists")
    scanner.end()

    def work(cursor: DuckDBPyConnection, now: datetime) -> None:
        exists = name in catalogs.read(cursor).databases
        if exists and not if_missing:
            raise KustoError(f"Entity '{name}' of kind 'Database' already exists.")
        if not exists:
            create(cursor, name, now)

    return DatabaseChange("DatabaseCreate", name, work)


def _drop(scanner: Scanner) -> Command:
    name = scanner.name("database")
    if_exists = scanner.accept("ifexists")
    scanner.end()

    def work(cursor: DuckDBPyConnection, now: datetime) -> None:
        del now
        catalog = catalogs.read(cursor)
        if if_exists and name not in catalog.databases:
            return
        catalog.tables(name)
        cursor.execute(f"DROP SCHEMA {quoted(name)} CASCADE")
        for table, column in (
            ("databases", "name"),
            ("tables", "database"),
            ("extents", "database"),
        ):
            cursor.execute(f"DELETE FROM __emulator.{table} WHERE {column} = ?", [name])  # noqa: S608
        catalogs.bump_version(cursor)

    return DatabaseChange("DatabaseDrop", name, work)


def _databases(catalog: Catalog, context: CommandContext, request: Request) -> Statement:
    del context
    columns = typed_columns(
        DatabaseName="string",
        PersistentStorage="string",
        Version="string",
        IsCurrent="bool",
        DatabaseAccessMode="string",
        PrettyName="string",
        ReservedSlot1="bool",
        DatabaseId="guid",
        InTransitionTo="string",
        SuspensionState="string",
    )
    rows = [
        (name, "", "v1.0", name == request.database, "ReadWrite", None, None, None, "", "")
        for name in sorted(catalog.databases)
    ]
    return constant_rows(columns, rows)


def _version(catalog: Catalog, context: CommandContext, request: Request) -> Statement:
    del catalog, context, request
    columns = typed_columns(
        BuildVersion="string",
        BuildTime="datetime",
        ServiceType="string",
        ProductVersion="string",
        ServiceOffering="string",
    )
    row = (VERSION, None, "Engine", f"local Kusto endpoint {VERSION}", '{"Type":"Local"}')
    return constant_rows(columns, [row])
