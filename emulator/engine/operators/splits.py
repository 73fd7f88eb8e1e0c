"""Operators that split rows: partition, mv-expand, mv-apply."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emulator.engine import literals, syntax
from emulator.engine.conversion import element_typed
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions.registry import define
from emulator.engine.operators.columns import replaced
from emulator.engine.operators.steps import (
    add_columns,
    name_of,
    require_groupable,
    with_hoisted,
)
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import Typed

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def partition(
    compiler: "Compiler", relation: Relation, node: syntax.Partition, scope: Scope
) -> Relation:
    """`partition by key (subquery)`: the subquery on the rows of each key by themselves."""
    value = ExpressionBinder(compiler, scope, relation).bind(node.key)
    require_groupable(value, "partition", node.at)
    inner, columns = add_columns(compiler, relation, [("", value)])
    inner = replace(inner, keys=(*relation.keys, columns[0].sql), base="")
    found = compiler.pipeline(node.subquery, scope, inner)
    _require_context(node.subquery, node.at)
    return replace(found, keys=relation.keys, base=relation.base, order=(), is_sorted=False)


def _require_context(subquery: syntax.Pipeline, at: int) -> None:
    source = subquery.source
    while isinstance(source, syntax.NestedSource):
        source = source.pipeline.source
    if not isinstance(source, syntax.ContextSource):
        raise UnsupportedProblem(
            "a subquery with a source of its own", at, "begin it with an operator"
        )


def _bag_items(bag: Any) -> list[str] | None:  # noqa: ANN401 - JSON
    if not isinstance(bag, dict):
        return None
    return [literals.to_json({key: value}) for key, value in bag.items()]


def _bag_pairs(bag: Any) -> list[str] | None:  # noqa: ANN401 - JSON
    return (
        [literals.to_json([key, value]) for key, value in bag.items()]
        if isinstance(bag, dict)
        else None
    )


define("bag_items", "VARCHAR[]", ["dynamic"], _bag_items)
define("bag_pairs", "VARCHAR[]", ["dynamic"], _bag_pairs)


def _elements(value: Typed, kind: str) -> str:
    """SQL for the list of what an array or a bag expands to."""
    items = "k_bag_pairs" if kind == "array" else "k_bag_items"
    return (
        f"CASE json_type({value.sql}) "
        f"WHEN 'ARRAY' THEN json_extract({value.sql}, '$[*]')::VARCHAR[] "
        f"WHEN 'OBJECT' THEN {items}({value.sql}) ELSE [{value.sql}] END"
    )


def _expanded(
    compiler: "Compiler",
    relation: Relation,
    node: "syntax.MvExpand | syntax.MvApply",
    scope: Scope,
    kind: str,
) -> tuple[Relation, list[Column], set[str]]:
    """`relation` with a row for each element, the element columns, and the columns they replace."""
    binder = ExpressionBinder(compiler, scope, relation)
    lists, names, types, own = [], [], [], set[str]()
    for item in node.items:
        value = binder.bind(item.item.value)
        if value.type != "dynamic":
            raise SemanticProblem(
                f"mv-expand takes a dynamic, not a {value.type}", item.item.at, "SEM0100"
            )
        name = item.item.names[0] if item.item.names else name_of(item.item.value)
        if name is None:
            raise UnsupportedProblem(
                "an unnamed computed column of 'mv-expand'", item.item.at, "write 'x = …'"
            )
        if isinstance(item.item.value, syntax.Name) and not item.item.names:
            own.add(name)
        lists.append(("", Typed(_elements(value, kind), "dynamic")))
        names.append(name)
        types.append(item.type)
    relation = with_hoisted(relation, binder)
    relation, packed = add_columns(compiler, relation, lists)
    limit = (
        ExpressionBinder(compiler, scope).constant(node.limit, "long", "limit")
        if node.limit
        else None
    )
    size = f"greatest({', '.join(f'coalesce(len({column.sql}), 0)' for column in packed)})"
    size = size if limit is None else f"least({size}, {int(limit)})"
    index = compiler.environment.names.fresh()
    source = f"(SELECT *, unnest(range({size})) AS {index} FROM {relation.source})"
    relation = relation.with_source(source)
    values: list[tuple[str, Typed]] = []
    for column, name, type_ in zip(packed, names, types, strict=True):
        element = f"nullif({column.sql}[{index} + 1], 'null')"
        values.append((name, element_typed(element, type_)))
    if node.index:
        values.append((node.index, Typed(index, "long")))
    relation, columns = add_columns(compiler, relation, values)
    order = (*relation.order, f"{index} ASC") if relation.order else ()
    return replace(relation, order=order), columns, own


def mv_expand(
    compiler: "Compiler", relation: Relation, node: syntax.MvExpand, scope: Scope
) -> Relation:
    """`mv-expand`."""
    if node.kind not in ("bag", "array"):
        raise SemanticProblem(f"'{node.kind}' is not a kind of mv-expand", node.at)
    found, columns, _ = _expanded(compiler, relation, node, scope, node.kind)
    if node.index and relation.find(node.index) is not None:
        raise UnsupportedProblem(
            "an item index named like a column", node.at, "give it another name"
        )
    return found.with_columns(replaced(relation.columns, columns))


def mv_apply(
    compiler: "Compiler", relation: Relation, node: syntax.MvApply, scope: Scope
) -> Relation:
    """`mv-apply … on (subquery)`: the subquery on the elements of each row."""
    names = compiler.environment.names
    row, shared = names.fresh(), names.fresh("t")
    order = f"ORDER BY {', '.join(relation.order)}" if relation.order else ""
    compiler.environment.common.append(
        f"{shared} AS MATERIALIZED "
        f"(SELECT *, row_number() OVER ({order}) AS {row} FROM {relation.source})"
    )
    outer = replace(relation, source=shared)
    expanded, columns, own = _expanded(compiler, outer, node, scope, "bag")
    inner = replace(
        expanded,
        columns=replaced(outer.columns, columns),
        keys=(*relation.keys, row),
        base=shared if not relation.keys else "",
        order=expanded.order or (),
    )
    inner = _with_element_order(compiler, inner, row)
    found = compiler.pipeline(node.subquery, scope, inner)
    _require_context(node.subquery, node.at)
    return _joined_back(compiler, outer, found, row, own)


def _with_element_order(compiler: "Compiler", inner: Relation, row: str) -> Relation:
    if inner.order:
        return inner
    name = compiler.environment.names.fresh("o")
    source = f"(SELECT *, row_number() OVER (PARTITION BY {row}) AS {name} FROM {inner.source})"
    return replace(inner, source=source, order=(f"{name} ASC",))


def _joined_back(
    compiler: "Compiler", outer: Relation, found: Relation, row: str, own: set[str]
) -> Relation:
    """The rows of the subquery with the columns of the row that each comes from."""
    fresh = compiler.environment.names.fresh
    kept = [column for column in outer.columns if column.name not in own]
    known = {column.name for column in kept}
    added = [column for column in found.columns if column.name not in known]
    aliases = {column.sql: fresh() for column in added}
    key = fresh()
    inner = ", ".join([f"{row} AS {key}", *(f"{old} AS {new}" for old, new in aliases.items())])
    source = (
        f"(SELECT o.*, i.* FROM {outer.source} o "
        f"JOIN (SELECT {inner} FROM {found.source}) i ON o.{row} = i.{key})"
    )
    columns = (*kept, *(replace(column, sql=aliases[column.sql]) for column in added))
    return Relation(source, columns, (f"{row} ASC",), is_sorted=outer.is_sorted, keys=outer.keys)
