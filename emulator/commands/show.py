"""What every `.show` command shares: rows from SQL, and a KQL pipeline to go on with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from emulator import catalog as catalogs
from emulator.catalog import Catalog, literal, quoted
from emulator.command_scanner import Scanner
from emulator.context import CommandContext, Request
from emulator.kql import ROWS, Rows, Statement, describe, run, translate
from emulator.responses import Column, Table
from emulator.scalar import named

Select = Callable[[Catalog, CommandContext, Request], Rows | Statement]


@dataclass(frozen=True)
class Show:
    """A command that reads: `select` gives its rows, `pipeline`, if any, is a query over them."""

    operation: str
    select: Select
    pipeline: str

    async def run(self, context: CommandContext, request: Request) -> Table:
        """The rows, through the pipeline if there is one."""
        return await context.store.read(lambda cursor: self.rows(cursor, context, request))

    def rows(self, cursor: DuckDBPyConnection, context: CommandContext, request: Request) -> Table:
        """The same, in a transaction that runs."""
        catalog = catalogs.read(cursor)
        selected = self.select(catalog, context, request)
        statement = selected if isinstance(selected, Statement) else describe(cursor, selected)
        if self.pipeline:
            statement = translate(self.pipeline, request.scope(cursor), statement)
        return run(cursor, statement)


def with_pipeline(scanner: Scanner, operation: str, select: Select) -> Show:
    """The command, with the pipeline that is left to read, or nothing left."""
    if not scanner.rest.startswith("|"):
        scanner.end()
        return Show(operation, select, "")
    return Show(operation, select, scanner.text_from(f"{ROWS} "))


def constant_rows(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Statement:
    """SQL for `rows` that are known already; None is null."""
    selected = [
        ", ".join(
            f"CAST({'NULL' if value is None else literal(str(value))} AS {column.scalar.duckdb}) "
            f"AS {quoted(column.name)}"
            for column, value in zip(columns, row, strict=True)
        )
        for row in rows or [[None] * len(columns)]
    ]
    sql = " UNION ALL ".join(f"SELECT {one}" for one in selected)
    none = "" if rows else " WHERE false"
    return Statement(f"SELECT * FROM ({sql}){none}", tuple(columns))  # noqa: S608


def typed_columns(**types: str) -> list[Column]:
    """Columns by name and Kusto type."""
    return [Column(name, named(kind)) for name, kind in types.items()]
