"""What databases, tables and columns there are, as one transaction sees them.

A Kusto database is a schema of the one DuckDB file, so that an append, its tags and its operation
can commit together (DuckDB writes one file a transaction). Everything that resolves a name asks
here; Kusto's names are case-sensitive, DuckDB's are not, and this is where that is kept straight.
"""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from duckdb import DuckDBPyConnection

from emulator.engine.parser import parse_function
from emulator.engine.scope import StoredFunction
from emulator.errors import DatabaseNotFoundError, EntityNotFoundError, KustoSemanticError
from emulator.responses import Column
from emulator.scalar import named, of_duckdb

SYSTEM: Final = "__emulator"
"""The schema of the endpoint's own tables; no Kusto name may begin with two underscores."""

RESERVED: Final = frozenset(
    {"main", "temp", "system", "memory", "information_schema", "pg_catalog", "store"}
)
"""Schema and catalog names that DuckDB has already, so no database can be called so."""


EXTENT: Final = "__extent"
"""The hidden column of every table: the number of the extent that holds the row."""


@dataclass
class TableInfo:
    """A table: its columns, the DuckDB type of each, and whether rows know their extent."""

    columns: list[Column] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    has_extents: bool = False


@dataclass(frozen=True)
class Catalog:
    """Tables and functions by database."""

    databases: dict[str, dict[str, TableInfo]]
    functions: dict[str, dict[str, StoredFunction]] = field(default_factory=dict)

    def tables(self, database: str) -> dict[str, list[Column]]:
        """The columns of each table of `database`; raises DatabaseNotFoundError."""
        if database not in self.databases:
            raise DatabaseNotFoundError(database)
        return {name: table.columns for name, table in self.databases[database].items()}

    def table(self, database: str, name: str) -> TableInfo:
        """The table; raises EntityNotFoundError."""
        self.tables(database)
        found = self.databases[database].get(name)
        if found is None:
            raise EntityNotFoundError(name, "Table")
        return found

    def columns(self, database: str, table: str) -> list[Column]:
        """The columns of `table`; raises EntityNotFoundError."""
        return self.table(database, table).columns


def quoted(*names: str) -> str:
    """A qualified SQL identifier."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def read(cursor: DuckDBPyConnection) -> Catalog:
    """The catalog as this cursor's transaction sees it."""
    [version] = cursor.execute("SELECT id FROM __emulator.schema_version").fetchall()
    found = _READ.get(version[0])
    if found is None:
        found = _READ[version[0]] = _read_all(cursor)
        for old in list(_READ)[:-_KEPT]:
            del _READ[old]
    return found


def bump_version(cursor: DuckDBPyConnection) -> None:
    """Say, inside the transaction that changes it, that the catalog is another one.

    The version is random, not counted: a rolled-back change must not share its number with the
    next one.
    """
    cursor.execute("UPDATE __emulator.schema_version SET id = uuid()")


_READ: Final[dict[UUID, Catalog]] = {}
_KEPT: Final = 8


def _read_all(cursor: DuckDBPyConnection) -> Catalog:
    databases: dict[str, dict[str, TableInfo]] = {
        name: {} for (name,) in cursor.execute("SELECT name FROM __emulator.databases").fetchall()
    }
    cursor.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = current_database() "
        "ORDER BY schema_name, table_name, column_index"
    )
    for database, table, column, stored, kind in cursor.fetchall():
        if database not in databases:
            continue
        info = databases[database].setdefault(table, TableInfo())
        if column == EXTENT:
            info.has_extents = True
            continue
        info.columns.append(Column(column, named(kind) if kind else of_duckdb(stored)))
        info.stored.append(stored)
    return Catalog(databases, _read_functions(cursor))


def _read_functions(cursor: DuckDBPyConnection) -> dict[str, dict[str, StoredFunction]]:
    functions: dict[str, dict[str, StoredFunction]] = {}
    cursor.execute("SELECT database, name, parameters, body FROM __emulator.functions")
    for database, name, parameters, body in cursor.fetchall():
        text = f"{parameters} {body}"
        functions.setdefault(database, {})[name] = StoredFunction(name, parse_function(text), text)
    return functions


def reject_case_collisions(names: list[str], kind: str) -> None:
    """Raise if two of `names` differ only in case, which this engine cannot keep apart."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            raise KustoSemanticError(
                f"{kind} names '{first}' and '{name}' differ only in case, which the local "
                "endpoint cannot keep apart; rename one"
            )
        if names.count(name) > 1:
            raise KustoSemanticError(f"{kind} name '{name}' is given twice")
