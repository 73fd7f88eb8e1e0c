"""`make-series`: an array of values in steps, for each group."""

from typing import TYPE_CHECKING, Any

from emulator.engine import syntax
from emulator.engine.conversion import convert, json_sql, to_dynamic
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.functions.mathematics import bind_bin
from emulator.engine.functions.registry import Call, define
from emulator.engine.naming import Namer
from emulator.engine.operators.groups import keyed
from emulator.engine.operators.steps import (
    name_of,
    with_hoisted,
)
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import INTEGERS, Typed, constant

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


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
