"""Operators that take or order rows: where, sort, top, take, distinct, count, sample."""

from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.engine import syntax
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.naming import Namer
from emulator.engine.operators.steps import (
    add_columns,
    name_of,
    require_groupable,
    uses_windows,
    with_hoisted,
    with_ordinal,
)
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import Typed

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def where(compiler: "Compiler", relation: Relation, node: syntax.Where, scope: Scope) -> Relation:
    """`where predicate`."""
    if uses_windows(node.predicate):
        relation = with_ordinal(compiler, relation)
    binder = ExpressionBinder(compiler, scope, relation)
    predicate = binder.filter(node.predicate)
    if predicate.windowed:
        predicate = binder.hoist(predicate)
    relation = with_hoisted(relation, binder)
    return relation.with_source(f"(SELECT * FROM {relation.source} WHERE {predicate.sql})")


def sort(compiler: "Compiler", relation: Relation, node: syntax.Sort, scope: Scope) -> Relation:
    """`sort by keys`."""
    return sorted_by(compiler, relation, node.keys, scope, "sort")


def sorted_by(
    compiler: "Compiler",
    relation: Relation,
    keys: tuple[syntax.SortKey, ...],
    scope: Scope,
    operator: str,
) -> Relation:
    """`relation` in the order of `keys`. A null, and then a NaN, stands at the end or the start."""
    binder = ExpressionBinder(compiler, scope, relation)
    order: list[str] = []
    values: list[tuple[str, Typed]] = []
    suffixes: list[str] = []
    for key in keys:
        value = binder.bind(key.value)
        require_groupable(value, operator, key.value.at)
        direction = "ASC" if key.ascending else "DESC"
        first = key.nulls == "first" or (not key.nulls and key.ascending)
        if value.type == "real":
            rank = f"CASE WHEN {value.sql} IS NULL THEN 2 WHEN isnan({value.sql}) THEN 1 ELSE 0 END"
            values.append(("", Typed(rank, "long")))
            suffixes.append("DESC" if first else "ASC")
        values.append(("", value))
        suffixes.append(f"{direction} NULLS {'FIRST' if first else 'LAST'}")
    relation = with_hoisted(relation, binder)
    relation, columns = add_columns(compiler, relation, values)
    order = [f"{column.sql} {suffix}" for column, suffix in zip(columns, suffixes, strict=True)]
    return replace(relation, order=tuple(order), is_sorted=True)


def limited(relation: Relation, count: int) -> Relation:
    """The first `count` rows, of each split when the relation has splits."""
    count = max(count, 0)
    order = f"ORDER BY {', '.join(relation.order)}" if relation.order else ""
    if relation.keys:
        window = f"row_number() OVER (PARTITION BY {', '.join(relation.keys)} {order})"
        return relation.with_source(
            f"(SELECT * FROM {relation.source} QUALIFY {window} <= {count})"
        )
    order = order if relation.is_sorted else ""
    return relation.with_source(f"(SELECT * FROM {relation.source} {order} LIMIT {count})")


def top(compiler: "Compiler", relation: Relation, node: syntax.Top, scope: Scope) -> Relation:
    """`top n by key`."""
    count = ExpressionBinder(compiler, scope, relation).constant(
        node.count, "long", "number of rows"
    )
    return limited(sorted_by(compiler, relation, node.keys, scope, "top"), int(count or 0))


def take(compiler: "Compiler", relation: Relation, node: syntax.Take, scope: Scope) -> Relation:
    """`take n` or `sample n`."""
    count = ExpressionBinder(compiler, scope).constant(node.count, "long", "number of rows")
    if node.is_sample and not relation.keys:
        sampled = (
            f"(SELECT * FROM {relation.source} ORDER BY random() LIMIT {max(int(count or 0), 0)})"
        )
        return replace(relation, source=sampled)
    return limited(relation, int(count or 0))


def sample_distinct(
    compiler: "Compiler", relation: Relation, node: syntax.SampleDistinct, scope: Scope
) -> Relation:
    """`sample-distinct n of column`."""
    count = ExpressionBinder(compiler, scope).constant(node.count, "long", "number of rows")
    found = distinct(
        compiler,
        relation,
        syntax.Distinct(node.at, (syntax.Named(node.at, (), node.value),)),
        scope,
    )
    return limited(found, int(count or 0))


def count(compiler: "Compiler", relation: Relation, node: syntax.Count, scope: Scope) -> Relation:
    """`count`."""
    del node, scope
    column = Column("Count", "long", compiler.environment.names.fresh())
    return grouped(
        relation, [], f"count(*) AS {column.sql}", (column,), empty=f"0::BIGINT AS {column.sql}"
    )


def grouped(
    relation: Relation,
    keys: list[str],
    aggregates: str,
    columns: tuple[Column, ...],
    *,
    empty: str = "",
) -> Relation:
    """One row for each group of `keys` inside each split.

    With no `keys`, a split without rows has a row as well: `empty` is the SQL of its columns.
    """
    names = [*relation.keys, *keys]
    listed = ", ".join([*names, *([aggregates] if aggregates else [])])
    group = f" GROUP BY {', '.join(names)}" if names else ""
    source = f"(SELECT {listed} FROM {relation.source}{group})"
    if relation.keys and not keys and relation.base and empty:
        key = relation.keys[-1]
        others = (
            f"SELECT {key}, {empty} FROM {relation.base} "
            f"WHERE {key} NOT IN (SELECT {key} FROM {relation.source})"
        )
        if len(relation.keys) == 1:
            source = f"({source[1:-1]} UNION ALL BY NAME {others})"
    return Relation(source, columns, keys=relation.keys, base=relation.base)


def distinct(
    compiler: "Compiler", relation: Relation, node: syntax.Distinct, scope: Scope
) -> Relation:
    """`distinct columns`, `distinct *`."""
    binder = ExpressionBinder(compiler, scope, relation)
    items: list[tuple[str | None, syntax.Expression]] = []
    for item in node.items:
        if isinstance(item.value, syntax.Star):
            items += [(None, syntax.Name(node.at, column.name)) for column in relation.columns]
        else:
            items.append((item.names[0] if item.names else None, item.value))
    namer = Namer([], [])
    values = []
    for name, expression in items:
        value = binder.bind(expression)
        require_groupable(value, "distinct", expression.at)
        values.append((namer.take(name or name_of(expression) or namer.positional()), value))
    relation = with_hoisted(relation, binder)
    relation, columns = add_columns(compiler, relation, values)
    return grouped(relation, [column.sql for column in columns], "", tuple(columns))


def serialize(
    compiler: "Compiler", relation: Relation, node: syntax.Serialize, scope: Scope
) -> Relation:
    """`serialize`: the rows in the order they have."""
    del node, scope
    return with_ordinal(compiler, relation)
