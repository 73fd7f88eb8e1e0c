"""Relations that no other relation stands behind: stored tables, and rows of SQL values."""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emulator.engine import syntax
from emulator.engine.problems import SemanticProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import TableSchema
from emulator.engine.typed import SQL_TYPES, null

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def scan(compiler: "Compiler", table: TableSchema, name: str) -> Relation:
    """All rows of a stored table."""
    columns = tuple(
        Column(column, kind, compiler.environment.names.fresh())
        for column, kind, _ in table.columns
    )
    listed = [
        f"{sql} AS {column.sql}" for column, (_, _, sql) in zip(columns, table.columns, strict=True)
    ]
    extent = ""
    if table.extent:
        extent = compiler.environment.names.fresh()
        listed.append(f"{table.extent} AS {extent}")
    source = f"(SELECT {', '.join(listed)} FROM {table.sql})"
    return Relation(source, columns, label=name, extent=extent)


def tables_like(compiler: "Compiler", node: syntax.TableSource) -> list[Relation]:
    """The tables whose names fit a pattern, by name."""
    found = compiler.environment.databases.get(node.database or compiler.environment.database)
    tables = {} if found is None else found.tables
    names = sorted(name for name in tables if fnmatchcase(name, node.name))
    if not names:
        raise SemanticProblem(f"Failed to resolve table expression named '{node.name}'", node.at)
    return [scan(compiler, tables[name], name) for name in names]


def values(compiler: "Compiler", columns: tuple[Column, ...], rows: list[list[str]]) -> Relation:
    """A relation of SQL values, in their order."""
    order = compiler.environment.names.fresh()
    names = ", ".join([*(column.sql for column in columns), order])
    if rows:
        listed = ", ".join(f"({', '.join([*row, str(number)])})" for number, row in enumerate(rows))
        source = f"(SELECT * FROM (VALUES {listed}) AS v({names}))"
    else:
        nulls = ", ".join(f"{null(column.type).sql} AS {column.sql}" for column in columns)
        source = f"(SELECT {nulls}, 0 AS {order} WHERE false)"
    casts = ", ".join(
        f"CAST({column.sql} AS {SQL_TYPES[column.type]}) AS {column.sql}" for column in columns
    )
    source = f"(SELECT {casts}, {order} FROM {source})"
    return Relation(source, columns, (f"{order} ASC",), is_sorted=True)
