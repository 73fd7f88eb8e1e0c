"""Operators that work on groups: summarize, make-series, partition, mv-expand, mv-apply."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from emulator.engine import literals, syntax
from emulator.engine.conversion import convert, element_typed, json_sql, to_dynamic
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions.mathematics import bind_bin
from emulator.engine.functions.registry import Call, define
from emulator.engine.naming import Namer
from emulator.engine.operators.columns import replaced
from emulator.engine.operators.rows import grouped
from emulator.engine.operators.steps import (
    add_columns,
    name_of,
    require_groupable,
    uses_windows,
    with_hoisted,
    with_ordinal,
)
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import INTEGERS, Typed, constant

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


# ----- splits


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


# ----- make-series


def _series(indexes: list[int] | None, values: str, count: int | None, default: Any) -> Any:  # noqa: ANN401
    import json  # noqa: PLC0415 - one use

    items = json.loads(values)
    found = [default] * (count or 0)
    for index, value in zip(indexes or [], items, strict=True):
        if 0 <= index < len(found):
            found[index] = value
    return found


define("fill_series", "dynamic", ["BIGINT[]", "string", "long", "any"], _series)


def make_series(
    compiler: "Compiler", relation: Relation, node: syntax.MakeSeries, scope: Scope
) -> Relation:
    """`make-series`: for each key, an array with a value for each step of the axis."""
    namer = Namer(
        [name for item in node.keys for name in item.names],
        [column.name for column in relation.columns],
    )
    inner, keys = keyed(compiler, relation, node.keys, scope, namer, "make-series")
    binder = ExpressionBinder(compiler, scope, inner)
    axis = binder.bind(node.axis.value)
    if axis.type not in ("datetime", "timespan", *INTEGERS, "real"):
        raise SemanticProblem(f"the axis of make-series is a {axis.type}", node.at)
    kind = "long" if axis.type == "int" else axis.type
    step = convert(binder.bind(node.step), "timespan" if kind in ("datetime", "timespan") else kind)
    inner, start, stop = _bounds(compiler, inner, node, binder, axis, step, kind)
    inner = with_hoisted(inner, binder)
    index = compiler.environment.names.fresh()
    steps = (
        f"floor(({axis.sql} - {start}) / {step.sql})::BIGINT"
        if kind == "real"
        else f"(({axis.sql} - {start}) // {step.sql})"
    )
    source = (
        f"(SELECT *, {steps} AS {index} FROM {inner.source} "
        f"WHERE {axis.sql} >= {start} AND {axis.sql} < {stop})"
    )
    inner = inner.with_source(source)
    return _filled(compiler, inner, node, scope, namer, keys, (index, start, stop, step, kind))


def _bounds(
    compiler: "Compiler",
    inner: Relation,
    node: syntax.MakeSeries,
    binder: ExpressionBinder,
    axis: Typed,
    step: Typed,
    kind: str,
) -> tuple[Relation, str, str]:
    """SQL of the first step and of the end, from the data where the query does not say."""
    start = convert(binder.bind(node.start), kind).sql if node.start else ""
    stop = convert(binder.bind(node.stop), kind).sql if node.stop else ""
    if start and stop:
        return inner, start, stop
    name, low, high = (compiler.environment.names.fresh(prefix) for prefix in ("t", "c", "c"))
    binned = bind_bin(Call("bin", node.at, (Typed(axis.sql, kind), step), binder)).sql
    compiler.environment.common.append(
        f"{name} AS MATERIALIZED "
        f"(SELECT min({binned}) AS {low}, max({axis.sql}) AS {high} FROM {inner.source})"
    )
    start = start or f"(SELECT {low} FROM {name})"
    if not stop:
        stop = (
            f"((SELECT {high} FROM {name}) + 1)"
            if kind != "real"
            else f"(nextafter((SELECT {high} FROM {name}), 'inf'::DOUBLE))"
        )
    return inner, start, stop


def _filled(
    compiler: "Compiler",
    inner: Relation,
    node: syntax.MakeSeries,
    scope: Scope,
    namer: Namer,
    keys: list[Column],
    axis: tuple[str, str, str, Typed, str],
) -> Relation:
    index, start, stop, step, kind = axis
    fresh = compiler.environment.names.fresh
    binder = ExpressionBinder(compiler, scope, inner, aggregates=True)
    aggregates: list[tuple[str, Typed, str]] = []
    for item, default in node.aggregates:
        value = binder.bind(item.value)
        filler = _default(compiler, scope, default, value)
        name = namer.take(
            item.names[0] if item.names else name_of(item.value) or namer.positional()
        )
        aggregates.append((name, value, filler))
    inner = with_hoisted(inner, binder)
    names = [fresh() for _ in aggregates]
    listed = ", ".join(
        f"{value.sql} AS {name}" for name, (_, value, _) in zip(names, aggregates, strict=True)
    )
    group = [*inner.keys, *(key.sql for key in keys)]
    by = ", ".join([*group, index])
    binned = f"(SELECT {by}, {listed} FROM {inner.source} GROUP BY {by})"
    span = f"({stop} - {start})"
    count = (
        f"ceil({span} / {step.sql})::BIGINT"
        if kind == "real"
        else f"(({span} + {step.sql} - 1) // {step.sql})"
    )
    columns, parts = [], []
    for name, (title, value, filler) in zip(names, aggregates, strict=True):
        column = Column(title, "dynamic", fresh())
        text = json_sql(Typed(name, value.type))
        items = f"'[' || coalesce(string_agg({text}, ',' ORDER BY {index}), '') || ']'"
        parts.append(
            f"k_fill_series(list({index} ORDER BY {index}), {items}, "
            f"any_value(greatest({count}, 0)), {filler}) AS {column.sql}"
        )
        columns.append(column)
    title = node.axis.names[0] if node.axis.names else name_of(node.axis.value) or "Column1"
    ticks = Column(namer.take(title), "dynamic", fresh())
    last = f"{start} + {step.sql} * (greatest({count}, 0) - 1)"
    function = f"k_range_{kind}"
    parts.append(
        f"{function}(any_value({start}), any_value({last}), any_value({step.sql})) AS {ticks.sql}"
    )
    grouping = f" GROUP BY {', '.join(group)}" if group else ""
    source = f"(SELECT {', '.join([*group, *parts])} FROM {binned}{grouping})"
    if not group:
        source = f"(SELECT * FROM {source} WHERE {ticks.sql} IS NOT NULL)"
        if node.kind == "nonempty":
            raise UnsupportedProblem("'kind=nonempty' of 'make-series'", node.at)
    return Relation(source, (*keys, *columns, ticks), keys=inner.keys, base=inner.base)


def _default(
    compiler: "Compiler", scope: Scope, node: syntax.Expression | None, value: Typed
) -> str:
    if node is None:
        zero = constant("real", 0.0) if value.type == "real" else constant("long", 0)
        return to_dynamic(zero if value.type != "string" else constant("string", "")).sql
    typed = ExpressionBinder(compiler, scope).bind(node)
    if (
        value.type in ("real", "long")
        and typed.type in ("int", "long", "real")
        and not typed.is_null
    ):
        typed = convert(typed, value.type)
    return to_dynamic(typed).sql if not typed.is_null else "NULL::VARCHAR"
