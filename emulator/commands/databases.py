"""`.create database`, `.drop database`, `.show databases`, `.show version`.

Kusto makes databases through Azure Resource Manager; here `.create database NAME` does, as the
official emulator's command of the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator.catalog import RESERVED, Catalog, quoted, refuse_case_twins
from emulator.commands.show import constant, shown, typed
from emulator.errors import Refusal
from emulator.frames import Table
from emulator.kql import Rows
from emulator.scanner import Scanner
from emulator.services import Command, Request, Services

VERSION = "1.0.0"


def create(cursor: DuckDBPyConnection, name: str, moment: datetime) -> None:
    """Create a database that is not there yet; raises Refusal for a name that DuckDB has."""
    if name.lower() in RESERVED:
        raise Refusal(f"'{name}' is taken by the engine; give the database another name.")
    refuse_case_twins([*catalogs.read(cursor).databases, name], "database")
    cursor.execute(f"CREATE SCHEMA {quoted(name)}")
    cursor.execute("INSERT INTO __emulator.databases VALUES (?, ?)", [name, moment])
    catalogs.changed(cursor)


@dataclass(frozen=True)
class Change:
    """Creates or drops a database."""

    operation: str
    name: str
    work: Callable[[DuckDBPyConnection, datetime], None]

    async def run(self, services: Services, request: Request) -> Table:
        """The database's name, as the official emulator answers."""
        await services.store.write(lambda cursor: self.work(cursor, request.moment))
        return Table(typed(DatabaseName="string"), [(self.name,)])


def read(scanner: Scanner) -> Command | None:
    """The command of this family that stands here."""
    if scanner.accept(".show", "databases"):
        return shown(scanner, "DatabasesShow", _databases)
    if scanner.accept(".show", "version"):
        return shown(scanner, "VersionShow", _version)
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

    def work(cursor: DuckDBPyConnection, moment: datetime) -> None:
        exists = name in catalogs.read(cursor).databases
        if exists and not if_missing:
            raise Refusal(f"Entity '{name}' of kind 'Database' already exists.")
        if not exists:
            create(cursor, name, moment)

    return Change("DatabaseCreate", name, work)


def _drop(scanner: Scanner) -> Command:
    name = scanner.name("database")
    if_exists = scanner.accept("ifexists")
    scanner.end()

    def work(cursor: DuckDBPyConnection, moment: datetime) -> None:
        del moment
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
        catalogs.changed(cursor)

    return Change("DatabaseDrop", name, work)


def _databases(catalog: Catalog, services: Services, request: Request) -> Rows:
    del services
    columns = typed(
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
    return constant(columns, rows)


def _version(catalog: Catalog, services: Services, request: Request) -> Rows:
    del catalog, services, request
    columns = typed(
        BuildVersion="string",
        BuildTime="datetime",
        ServiceType="string",
        ProductVersion="string",
        ServiceOffering="string",
    )
    row = (VERSION, None, "Engine", f"local Kusto endpoint {VERSION}", '{"Type":"Local"}')
    return constant(columns, [row])
