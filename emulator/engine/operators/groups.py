"""`summarize`, and the keys of groups."""

from typing import TYPE_CHECKING, Any

from emulator.engine import syntax
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.naming import Namer
from emulator.engine.operators.rows import grouped
from emulator.engine.operators.steps import (
    add_columns,
    name_of,
    require_groupable,
    uses_windows,
    with_hoisted,
    with_ordinal,
)
from emulator.engine.problems import SemanticProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import Typed

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def keyed(
    compiler: "Compiler",
    relation: Relation,
    keys: tuple[syntax.Named, ...],
    scope: Scope,
    namer: Namer,
    operator: str,
) -> tuple[Relation, list[Column]]:
    """`relation` with the values of the group keys as columns."""
    if uses_windows(keys):
        relation = with_ordinal(compiler, relation)
    binder = ExpressionBinder(compiler, scope, relation)
    values = []
    for key in keys:
        value = binder.bind(key.value)
        require_groupable(value, operator, key.at)
        base = key.names[0] if key.names else name_of(key.value) or namer.positional()
        values.append((namer.take(base), binder.hoist(value) if value.windowed else value))
    relation = with_hoisted(relation, binder)
    return add_columns(compiler, relation, values)


def summarize(
    compiler: "Compiler", relation: Relation, node: syntax.Summarize, scope: Scope
) -> Relation:
    """`summarize aggregates by keys`."""
    if uses_windows((node.aggregates, node.keys)):
        relation = with_ordinal(compiler, relation)
    spelled = [name for item in (*node.keys, *node.aggregates) for name in item.names]
    namer = Namer(spelled, [column.name for column in relation.columns])
    inner, keys = keyed(compiler, relation, node.keys, scope, namer, "summarize")
    compiler.group_keys = tuple(key.name for key in keys)
    binder = ExpressionBinder(compiler, scope, inner, aggregates=True)
    columns, listed = [], []
    for item in node.aggregates:
        for name, value in _aggregates(binder, item, namer):
            column = Column(name, value.type, compiler.environment.names.fresh())
            columns.append(column)
            listed.append(f"{value.sql} AS {column.sql}")
    inner = with_hoisted(inner, binder)
    compiler.group_keys = ()
    aggregates = ", ".join(listed)
    empty = (
        ", ".join(
            f"(SELECT {item.rsplit(' AS ', 1)[0]} FROM {inner.source} WHERE false) AS {column.sql}"
            for item, column in zip(listed, columns, strict=True)
        )
        if inner.base
        else ""
    )
    return grouped(inner, [key.sql for key in keys], aggregates, (*keys, *columns), empty=empty)


def _aggregates(
    binder: ExpressionBinder, item: syntax.Named, namer: Namer
) -> list[tuple[str, Typed]]:
    if isinstance(item.value, syntax.Star):
        raise SemanticProblem("'*' is not an aggregate", item.at)
    if not _has_aggregate(binder, item.value):
        binder_rows = ExpressionBinder(binder.compiler, binder.scope)
        binder_rows.bind(item.value)
        raise SemanticProblem("summarize takes aggregate functions", item.at, "SEM0139")
    values = binder.several(item.value)
    if len(values) == 1:
        base = item.names[0] if item.names else name_of(item.value) or namer.positional()
        return [(namer.take(base), values[0])]
    names = [value.name or namer.positional() for value in values]
    names[: len(item.names)] = item.names
    return [(namer.take(name), value) for name, value in zip(names, values, strict=True)]


def _has_aggregate(binder: ExpressionBinder, node: Any) -> bool:  # noqa: ANN401 - a syntax node
    from emulator.engine.aggregates import AGGREGATES  # noqa: PLC0415 - one use
    from emulator.engine.scope import LetFunction  # noqa: PLC0415 - one use

    if isinstance(node, syntax.Call) and (
        node.name in AGGREGATES or isinstance(binder.scope.get(node.name), LetFunction)
    ):
        return True
    if isinstance(node, tuple):
        return any(_has_aggregate(binder, item) for item in node)
    fields = getattr(node, "__dataclass_fields__", None)
    return fields is not None and any(
        _has_aggregate(binder, getattr(node, name)) for name in fields
    )
