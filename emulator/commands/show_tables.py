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
        details = scanner.accept("details")
        return with_pipeline(scanner, "TablesShow", _details(None) if details else _tables)
    if scanner.accept(".show", "database", "schema"):
        return with_pipeline(scanner, "DatabaseSchemaShow", _database_schema)
    if not scanner.accept(".show", "table"):
        return None
    table = scanner.name("table")
    if scanner.accept("cslschema"):
        return with_pipeline(scanner, "TableSchemaShow", _schema(table, _csl))
    if scanner.accept("schema", "as", "json"):
        return with_pipeline(
            scanner, "TableSchemaShow", _schema(table, lambda own: _json(table, own))
        )
    if scanner.accept("details"):
        return with_pipeline(scanner, "TableDetailsShow", _details(table))
    raise scanner.error("'cslschema', 'schema as json', 'details' or 'extents'")


def _csl(columns: Sequence[Column]) -> str:
    return ",".join(f"{column.name}:{column.scalar.name}" for column in columns)


def _json(table: str, columns: Sequence[Column]) -> str:
    ordered = [
        {
            "Name": column.name,
            "Type": _DOTNET.get(column.scalar.name, f"System.{column.scalar.dotnet}"),
            "CslType": column.scalar.name,
        }
        for column in columns
    ]
    return json.dumps({"Name": table, "OrderedColumns": ordered}, separators=(",", ":"))


_TABLE_SQL: Final = (
    'SELECT name AS "TableName", database AS "DatabaseName", folder AS "Folder", '
    'docstring AS "DocString" FROM __emulator.tables WHERE database = {0} ORDER BY name'
)
_DETAIL_SQL: Final = (
    'SELECT t.name AS "TableName", t.database AS "DatabaseName", t.folder AS "Folder", '
    't.docstring AS "DocString", count(e.extent_id) AS "TotalExtents", '
    'coalesce(sum(e.row_count), 0)::BIGINT AS "TotalRowCount", '
    'min(e.created_on) AS "MinExtentsCreationTime", max(e.created_on) AS "MaxExtentsCreationTime" '
    "FROM __emulator.tables t LEFT JOIN __emulator.extents e "
    "ON e.database = t.database AND e.table_name = t.name WHERE {0} GROUP BY ALL ORDER BY t.name"
)


def _tables(catalog: Catalog, context: CommandContext, request: Request) -> Rows:
    del context
    catalog.tables(request.database)
    return Rows(_TABLE_SQL.format(literal(request.database)))


def _details(table: str | None) -> Select:
    def select(catalog: Catalog, context: CommandContext, request: Request) -> Rows:
        del context
        where = f"t.database = {literal(request.database)}"
        if table is not None:
            catalog.columns(request.database, table)
            where += f" AND t.name = {literal(table)}"
        return Rows(_DETAIL_SQL.format(where))

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


def _database_schema(catalog: Catalog, context: CommandContext, request: Request) -> Statement:
    del context
    rows = [
        (request.database, table, column.name, f"System.{column.scalar.dotnet}")
        for table, columns in catalog.tables(request.database).items()
        for column in columns
    ]
    names = typed_columns(
        DatabaseName="string", TableName="string", ColumnName="string", ColumnType="string"
    )
    return constant_rows(names, rows)
