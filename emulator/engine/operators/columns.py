"""Operators that choose or compute columns: extend, project and its relatives, getschema."""

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from emulator.engine import syntax
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.naming import Namer
from emulator.engine.operators.steps import (
    add_columns,
    name_of,
    uses_windows,
    with_hoisted,
    with_ordinal,
)
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation, require_distinct
from emulator.engine.scope import Scope
from emulator.engine.table_scan import values
from emulator.engine.typed import Typed, constant

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def _spelled(items: tuple[syntax.Named, ...]) -> list[str]:
    found = []
    for item in items:
        if item.names:
            found += list(item.names)
        elif isinstance(item.value, syntax.Name):
            found.append(item.value.name)
    return found


def _bound(
    binder: ExpressionBinder, item: syntax.Named, namer: Namer, *, renames: bool
) -> list[tuple[str, Typed]]:
    """The named values of one item."""
    values = binder.several(item.value)
    if item.names:
        if len(item.names) > len(values):
            raise SemanticProblem(f"{len(item.names)} names for {len(values)} values", item.at)
        names = list(item.names)
    elif len(values) > 1:
        names = [value.name or namer.positional() for value in values]
    else:
        names = [name_of(item.value) or namer.positional()]
    pairs = list(zip(names, values, strict=False))
    return [(namer.take(name), value) for name, value in pairs] if renames else pairs


def extend(compiler: "Compiler", relation: Relation, node: syntax.Extend, scope: Scope) -> Relation:
    """`extend`: a column of a name that is there takes its place."""
    if uses_windows(node.items):
        relation = with_ordinal(compiler, relation)
    binder = ExpressionBinder(compiler, scope, relation)
    namer = Namer([], [column.name for column in relation.columns])
    values: list[tuple[str, Typed]] = []
    for item in node.items:
        values += _bound(binder, item, namer, renames=False)
    require_distinct([name for name, _ in values], "extend", node.at)
    relation = with_hoisted(relation, binder)
    relation, added = add_columns(compiler, relation, values)
    return relation.with_columns(replaced(relation.columns, added))


def replaced(columns: tuple[Column, ...], added: list[Column]) -> tuple[Column, ...]:
    """`columns` with each of `added` in the place of its namesake, or at the end."""
    found = list(columns)
    for column in added:
        at = next((number for number, old in enumerate(found) if old.name == column.name), None)
        if at is None:
            found.append(column)
        else:
            found[at] = column
    return tuple(found)


def project(
    compiler: "Compiler", relation: Relation, node: syntax.Project, scope: Scope
) -> Relation:
    """`project`."""
    if uses_windows(node.items):
        relation = with_ordinal(compiler, relation)
    binder = ExpressionBinder(compiler, scope, relation)
    spelled = _spelled(node.items)
    require_distinct(spelled, "project", node.at)
    namer = Namer(spelled, [])
    values: list[tuple[str, Typed]] = []
    for item in node.items:
        if isinstance(item.value, syntax.Star):
            raise SemanticProblem("'*' is not allowed in project", item.at)
        values += _bound(binder, item, namer, renames=True)
    relation = with_hoisted(relation, binder)
    relation, columns = add_columns(compiler, relation, values)
    return relation.with_columns(tuple(columns))


def _matching(relation: Relation, pattern: str) -> list[Column]:
    return [
        column
        for column in relation.columns
        if fnmatchcase(column.name, _literal_brackets(pattern))
    ]


def _literal_brackets(pattern: str) -> str:
    return pattern.replace("[", "[[]").replace("?", "[?]")


def project_away(
    compiler: "Compiler", relation: Relation, node: syntax.ProjectAway, scope: Scope
) -> Relation:
    """`project-away` and `project-keep`."""
    del compiler, scope
    chosen: set[str] = set()
    for pattern in node.patterns:
        found = _matching(relation, pattern)
        if not found and "*" not in pattern:
            raise SemanticProblem(f"Failed to resolve column named '{pattern}'", node.at)
        chosen |= {column.name for column in found}
    return relation.with_columns(
        tuple(column for column in relation.columns if (column.name in chosen) == node.keep)
    )


def project_rename(
    compiler: "Compiler", relation: Relation, node: syntax.ProjectRename, scope: Scope
) -> Relation:
    """`project-rename new = old`."""
    del compiler, scope
    renames = {old: new for new, old in node.renames}
    for old in renames:
        if relation.find(old) is None:
            raise SemanticProblem(f"Failed to resolve column named '{old}'", node.at)
    columns = tuple(
        replace(column, name=renames.get(column.name, column.name)) for column in relation.columns
    )
    require_distinct([column.name for column in columns], "project-rename", node.at)
    return relation.with_columns(columns)


def project_reorder(
    compiler: "Compiler", relation: Relation, node: syntax.ProjectReorder, scope: Scope
) -> Relation:
    """`project-reorder`."""
    del compiler, scope
    exact = {pattern for pattern, _ in node.items if "*" not in pattern}
    first: list[Column] = []
    for pattern, direction in node.items:
        found = [column for column in _matching(relation, pattern) if column not in first]
        if "*" in pattern:
            found = [column for column in found if column.name not in exact]
        elif not _matching(relation, pattern):
            raise SemanticProblem(f"Failed to resolve column named '{pattern}'", node.at)
        if direction.startswith("granny"):
            raise UnsupportedProblem(f"'{direction}' in 'project-reorder'", node.at)
        if direction:
            found.sort(key=lambda column: column.name, reverse=direction == "desc")
        first += found
    return relation.with_columns(
        (*first, *(column for column in relation.columns if column not in first))
    )


def project_by_names(
    compiler: "Compiler", relation: Relation, node: syntax.ProjectByNames, scope: Scope
) -> Relation:
    """`project-by-names`: names from constants, patterns allowed."""
    binder = ExpressionBinder(compiler, scope)
    names: list[str] = []
    for item in node.items:
        value = binder.bind(item)
        if not value.is_constant:
            raise UnsupportedProblem("a computed name in 'project-by-names'", item.at)
        names += [
            str(one)
            for one in (value.constant if isinstance(value.constant, list) else [value.constant])
        ]
    found: list[Column] = []
    for name in names:
        found += [column for column in _matching(relation, name) if column not in found]
    return relation.with_columns(tuple(found))


_NET: Final = {
    "bool": "System.SByte",
    "datetime": "System.DateTime",
    "decimal": "System.Data.SqlTypes.SqlDecimal",
    "dynamic": "System.Object",
    "guid": "System.Guid",
    "int": "System.Int32",
    "long": "System.Int64",
    "real": "System.Double",
    "string": "System.String",
    "timespan": "System.TimeSpan",
}


def getschema(
    compiler: "Compiler", relation: Relation, node: syntax.GetSchema, scope: Scope
) -> Relation:
    """`getschema`."""
    del node, scope
    fresh = compiler.environment.names.fresh
    columns = (
        Column("ColumnName", "string", fresh()),
        Column("ColumnOrdinal", "int", fresh()),
        Column("DataType", "string", fresh()),
        Column("ColumnType", "string", fresh()),
    )
    rows = [
        [
            constant("string", column.name).sql,
            str(number),
            constant("string", _NET[column.type]).sql,
            constant("string", column.type).sql,
        ]
        for number, column in enumerate(relation.columns)
    ]
    return values(compiler, columns, rows)


def render(compiler: "Compiler", relation: Relation, node: syntax.Render, scope: Scope) -> Relation:
    """`render`, which changes no row."""
    del scope
    compiler.environment.chart = node
    return relation
