"""`.show tables`, `.show table T cslschema | schema as json | details`, `.show database schema`.

Source: Kusto docs, ".show tables", ".show table schema", ".show database schema".
"""

import json
from collections.abc import Callable, Sequence
from typing import Final

from emulator.catalog import Catalog, literal
from emulator.command_scanner import Scanner
from emulator.commands.show import Select, constant_rows, typed_columns, with_pipeline
from emulator.context import Command, CommandContext, Request
from emulator.kql import Rows, Statement
from emulator.responses import Column

_DOTNET: Final = {"decimal": "System.Data.SqlTypes.SqlDecimal"}


def parse(scanner: Scanner) -> Command | None:
    """The command of this family at the scanner's position."""
    if scanner.accept(".show", "tables"):
        tables = _names(scanner) if scanner.rest.startswith("(") else []
        shown = _DETAIL_SQL if scanner.accept("details") else _TABLE_SQL
        return with_pipeline(scanner, "TablesShow", _tables(shown, tables))
    if scanner.accept(".show", "database"):
        database = "" if scanner.rest.startswith("schema") else scanner.name("database")
        if not scanner.accept("schema"):
            return None
        return with_pipeline(scanner, "DatabaseSchemaShow", _database_schema(database))
    return _table(scanner) if scanner.accept(".show", "table") else None


def _table(scanner: Scanner) -> Command:
    table = scanner.name("table")
    if scanner.accept("cslschema"):
        return with_pipeline(scanner, "TableSchemaShow", _schema(table, _csl))
    if scanner.accept("schema", "as", "json"):
        return with_pipeline(
            scanner, "TableSchemaShow", _schema(table, lambda own: _json(table, own))
        )
    if scanner.accept("details"):
        return with_pipeline(scanner, "TableDetailsShow", _tables(_DETAIL_SQL, [table]))
    raise scanner.error("'cslschema', 'schema as json', 'details' or 'extents'")


def _dotnet(column: Column) -> str:
    return _DOTNET.get(column.scalar.name, f"System.{column.scalar.dotnet}")


def _csl(columns: Sequence[Column]) -> str:
    return ",".join(f"{column.name}:{column.scalar.name}" for column in columns)


def _json(table: str, columns: Sequence[Column]) -> str:
    ordered = [
        {
            "Name": column.name,
            "Type": _dotnet(column),
            "CslType": column.scalar.name,
        }
        for column in columns
    ]
    return json.dumps({"Name": table, "OrderedColumns": ordered}, separators=(",", ":"))


_TABLE_SQL: Final = (
    'SELECT t.name AS "TableName", t.database AS "DatabaseName", t.folder AS "Folder", '
    't.docstring AS "DocString" FROM __emulator.tables t WHERE {0} ORDER BY t.name'
)
_DETAIL_SQL: Final = (
    'SELECT t.name AS "TableName", t.database AS "DatabaseName", t.folder AS "Folder", '
    't.docstring AS "DocString", count(e.extent_id) AS "TotalExtents", '
    'coalesce(sum(e.row_count), 0)::BIGINT AS "TotalRowCount", '
    'min(e.created_on) AS "MinExtentsCreationTime", max(e.created_on) AS "MaxExtentsCreationTime" '
    "FROM __emulator.tables t LEFT JOIN __emulator.extents e "
    "ON e.database = t.database AND e.table_name = t.name WHERE {0} GROUP BY ALL ORDER BY t.name"
)


def _names(scanner: Scanner) -> list[str]:
    return scanner.listed(lambda: scanner.name("table"))


def _tables(sql: str, tables: Sequence[str] = ()) -> Select:
    """The rows of `sql` for these tables, or for all of the database when none is given."""

    def select(catalog: Catalog, context: CommandContext, request: Request) -> Rows:
        del context
        catalog.tables(request.database)
        where = f"t.database = {literal(request.database)}"
        for table in tables:
            catalog.columns(request.database, table)
        if tables:
            where += f" AND t.name IN ({', '.join(map(literal, tables))})"
        return Rows(sql.format(where))

    return select


def _schema(table: str, render: Callable[[Sequence[Column]], str]) -> Select:
    def select(catalog: Catalog, context: CommandContext, request: Request) -> Statement:
        del context
        columns = catalog.columns(request.database, table)
        row = (table, render(columns), request.database, "", "")
        names = typed_columns(
            TableName="string",
            Schema="string",
            DatabaseName="string",
            Folder="string",
            DocString="string",
        )
        return constant_rows(names, [row])

    return select


def _database_schema(database: str) -> Select:
    """The columns of every table; `database` is "" for the request's own."""

    def select(catalog: Catalog, context: CommandContext, request: Request) -> Statement:
        del context
        own = database or request.database
        rows = [
            (own, table, column.name, _dotnet(column))
            for table, columns in catalog.tables(own).items()
            for column in columns
        ]
        names = typed_columns(
            DatabaseName="string", TableName="string", ColumnName="string", ColumnType="string"
        )
        return constant_rows(names, rows)

    return select
