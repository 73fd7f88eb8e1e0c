"""Operators with two or more sides: join, lookup, union."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from emulator.engine import arithmetic, syntax
from emulator.engine.operators.steps import require_groupable
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation, unique_names
from emulator.engine.scope import Scope
from emulator.engine.table_scan import tables_like
from emulator.engine.typed import SQL_TYPES, Typed, constant, null

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler

_SQL_KINDS: Final = {
    "inner": "JOIN",
    "innerunique": "JOIN",
    "leftouter": "LEFT JOIN",
    "rightouter": "RIGHT JOIN",
    "fullouter": "FULL JOIN",
    "leftanti": "ANTI JOIN",
    "anti": "ANTI JOIN",
    "leftantisemi": "ANTI JOIN",
    "leftsemi": "SEMI JOIN",
    "rightanti": "ANTI JOIN",
    "rightantisemi": "ANTI JOIN",
    "rightsemi": "SEMI JOIN",
}


def join(compiler: "Compiler", relation: Relation, node: syntax.Join, scope: Scope) -> Relation:
    """`join` and `lookup`."""
    right = compiler.pipeline(node.right, scope)
    pairs = [
        _key(compiler, relation, right, condition, scope)
        for condition in _conjuncts(node.conditions)
    ]
    if not pairs:
        raise SemanticProblem("join needs a condition after 'on'", node.at)
    condition = " AND ".join(_matches(left, other, node.at) for left, other in pairs)
    kind = node.kind
    left = relation
    if kind == "innerunique":
        keys = ", ".join([*relation.keys, *(value.sql for value, _ in pairs)])
        order = f" ORDER BY {', '.join(relation.order)}" if relation.order else ""
        unique = f"row_number() OVER (PARTITION BY {keys}{order}) = 1"
        left = relation.with_source(f"(SELECT * FROM {relation.source} QUALIFY {unique})")
    if kind in ("rightanti", "rightantisemi", "rightsemi"):
        if relation.keys:
            raise UnsupportedProblem(f"'kind={kind}' inside a subquery", node.at)
        source = (
            f"(SELECT * FROM {right.source} r {_SQL_KINDS[kind]} {left.source} l ON {condition})"
        )
        return Relation(source, right.columns)
    if kind in ("rightouter", "fullouter") and relation.keys:
        raise UnsupportedProblem(f"'kind={kind}' inside a subquery", node.at)
    source = f"(SELECT * FROM {left.source} l {_SQL_KINDS[kind]} {right.source} r ON {condition})"
    if _SQL_KINDS[kind] in ("ANTI JOIN", "SEMI JOIN"):
        return Relation(source, left.columns, keys=relation.keys, base=relation.base)
    return _joined(compiler, left, right, node, source, pairs)


def _joined(
    compiler: "Compiler",
    left: Relation,
    right: Relation,
    node: syntax.Join,
    source: str,
    pairs: list[tuple[Typed, Typed]],
) -> Relation:
    dropped = {other.sql for _, other in pairs} if node.is_lookup else set()
    kept = [column for column in right.columns if column.sql not in dropped]
    empty_right = node.kind in ("leftouter", "fullouter")
    empty_left = node.kind in ("rightouter", "fullouter")
    listed, columns = [], []
    for side, may_be_empty in ((left.columns, empty_left), (tuple(kept), empty_right)):
        for column in side:
            if may_be_empty and column.type == "string":
                name = compiler.environment.names.fresh()
                listed.append(f"coalesce({column.sql}, '') AS {name}")
                columns.append(replace(column, sql=name))
            else:
                columns.append(column)
    if listed:
        source = f"(SELECT *, {', '.join(listed)} FROM {source})"
    names = unique_names([column.name for column in columns])
    renamed = tuple(replace(column, name=name) for column, name in zip(columns, names, strict=True))
    return Relation(source, renamed, keys=left.keys, base=left.base)


def _conjuncts(conditions: tuple[syntax.Expression, ...]) -> list[syntax.Expression]:
    found: list[syntax.Expression] = []
    for condition in conditions:
        if isinstance(condition, syntax.Binary) and condition.operator == "and":
            found += _conjuncts((condition.left, condition.right))
        else:
            found.append(condition)
    return found


def _key(
    compiler: "Compiler",
    left: Relation,
    right: Relation,
    condition: syntax.Expression,
    scope: Scope,
) -> tuple[Typed, Typed]:
    """The two values that a condition wants equal."""
    if isinstance(condition, syntax.Name):
        return _column(left, condition.name, "left", condition.at), _column(
            right, condition.name, "right", condition.at
        )
    if isinstance(condition, syntax.Binary) and condition.operator == "==":
        sides = [_side(condition.left), _side(condition.right)]
        if set(sides) == {"left", "right"}:
            first, second = condition.left, condition.right
            if sides[0] == "right":
                first, second = second, first
            return (
                _bind_side(compiler, left, first, "$left", scope),
                _bind_side(compiler, right, second, "$right", scope),
            )
    raise SemanticProblem(
        "a join condition is a column of both sides or $left.a == $right.b", condition.at, "SEM0248"
    )


def _side(node: syntax.Expression) -> str:
    found = _sides_in(node)
    return found.pop() if len(found) == 1 else ""


def _sides_in(node: object) -> set[str]:
    if (
        isinstance(node, syntax.Member)
        and isinstance(node.base, syntax.Name)
        and node.base.name in ("$left", "$right")
    ):
        return {node.base.name[1:]}
    if isinstance(node, tuple):
        return {side for item in node for side in _sides_in(item)}
    fields = getattr(node, "__dataclass_fields__", None)
    return (
        set()
        if fields is None
        else {side for name in fields for side in _sides_in(getattr(node, name))}
    )


def _bind_side(
    compiler: "Compiler", relation: Relation, node: syntax.Expression, prefix: str, scope: Scope
) -> Typed:
    if (
        isinstance(node, syntax.Member)
        and isinstance(node.base, syntax.Name)
        and node.name is not None
    ):
        return _column(relation, node.name, prefix[1:], node.at)
    del compiler, scope
    raise SemanticProblem(
        "a join condition compares columns; extend a column before the join", node.at, "SEM0248"
    )


def _column(relation: Relation, name: str, side: str, at: int) -> Typed:
    column = relation.find(name)
    if column is None:
        raise SemanticProblem(f"the {side} side of the join has no column '{name}'", at)
    require_groupable(column.typed, "join", at)
    return column.typed


def _matches(left: Typed, right: Typed, at: int) -> str:
    if left.type != right.type:
        a, b = arithmetic.comparable(left, right, "join", at)
        if {left.type, right.type} & {"string", "dynamic"}:
            raise SemanticProblem(
                f"join keys have types {left.type} and {right.type}; cast one", at, "SEM0064"
            )
    else:
        a, b = left, right
    operator = "=" if a.type == "string" else "IS NOT DISTINCT FROM"
    return f"{a.sql} {operator} {b.sql}"


# ----- union


def union(compiler: "Compiler", relation: Relation, node: syntax.Union, scope: Scope) -> Relation:
    """`| union …`."""
    return union_of(compiler, node, relation, scope)


def union_of(
    compiler: "Compiler", node: syntax.Union, first: Relation | None, scope: Scope
) -> Relation:
    """The rows of all sides, in the columns of all (`outer`) or those of every one (`inner`)."""
    if first is not None and first.keys:
        raise UnsupportedProblem("'union' inside a subquery", node.at)
    sides = [] if first is None else [first]
    for side in node.sides:
        sides += _side_relations(compiler, side, scope, fuzzy=node.is_fuzzy)
    if not sides:
        raise SemanticProblem("union has no table", node.at)
    columns = _union_columns(compiler, sides, node.kind)
    label = (
        Column(node.with_source, "string", compiler.environment.names.fresh())
        if node.with_source
        else None
    )
    parts = []
    for number, rows in enumerate(sides):
        listed = [f"{_from(rows, source)} AS {column.sql}" for column, source in columns]
        if label is not None:
            text = constant("string", rows.label or f"union_arg{number}").sql
            listed.insert(0, f"{text} AS {label.sql}")
        parts.append(f"SELECT {', '.join(listed) or '1 AS nothing'} FROM {rows.source}")
    found = tuple(column for column, _ in columns)
    return Relation(f"({' UNION ALL '.join(parts)})", (label, *found) if label else found)


def _side_relations(
    compiler: "Compiler", side: syntax.Pipeline, scope: Scope, *, fuzzy: bool
) -> list[Relation]:
    source = side.source
    if isinstance(source, syntax.TableSource) and source.is_pattern and not side.operators:
        return tables_like(compiler, source)
    try:
        return [compiler.pipeline(side, scope)]
    except SemanticProblem as problem:
        if fuzzy and "Failed to resolve table" in problem.message:
            return []
        raise


def _union_columns(
    compiler: "Compiler", sides: list[Relation], kind: str
) -> list[tuple[Column, tuple[str, str]]]:
    """Each column of the union with the (name, type) that it has in the sides."""
    found: list[tuple[str, str]] = []
    for side in sides:
        for column in side.columns:
            if (column.name, column.type) not in found:
                found.append((column.name, column.type))
    if kind == "inner":
        found = [pair for pair in found if all(_has(side, pair) for side in sides)]
    names = [name for name, _ in found]
    taken = {name for name in names if names.count(name) == 1}
    columns = []
    for name, type_ in found:
        title = name if names.count(name) == 1 else _free(f"{name}_{type_}", taken)
        columns.append((Column(title, type_, compiler.environment.names.fresh()), (name, type_)))
    return columns


def _free(base: str, taken: set[str]) -> str:
    name, number = base, 0
    while name in taken:
        number += 1
        name = f"{base}{number}"
    taken.add(name)
    return name


def _has(side: Relation, pair: tuple[str, str]) -> bool:
    column = side.find(pair[0])
    return column is not None and column.type == pair[1]


def _from(side: Relation, source: tuple[str, str]) -> str:
    column = side.find(source[0])
    if column is None or column.type != source[1]:
        return null(source[1]).sql
    return f"CAST({column.sql} AS {SQL_TYPES[column.type]})"
