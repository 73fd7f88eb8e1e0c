"""Sources: what a pipeline reads, as a relation.

Source: Kusto docs, "datatable operator", "print operator", "range operator", "table()".
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from emulator.engine import syntax
from emulator.engine.conversion import convert
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.operators import search_of, union_of
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation, unique_names
from emulator.engine.scope import LetFunction, Scope
from emulator.engine.table_scan import scan, values
from emulator.engine.typed import SQL_TYPES, Typed

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def source(
    compiler: "Compiler", node: syntax.Source, scope: Scope, context: Relation | None
) -> Relation:
    """The rows of a source; `context` is what a ContextSource reads."""
    if isinstance(node, syntax.ContextSource):
        if context is None:
            raise SemanticProblem("a subquery has no rows here", node.at)
        return context
    if isinstance(node, syntax.NestedSource):
        return compiler.pipeline(node.pipeline, scope, context)
    reader = _READERS.get(type(node))
    if reader is None:
        raise UnsupportedProblem("this source", node.at)
    return reader(compiler, node, scope)


def _table(compiler: "Compiler", node: syntax.TableSource, scope: Scope) -> Relation:
    if node.is_pattern:
        raise UnsupportedProblem("a table pattern outside 'union'", node.at)
    binding = scope.get(node.name) if node.database is None else None
    if isinstance(binding, Relation):
        return compiler.reference(binding)
    if isinstance(binding, LetFunction):
        found = compiler.call_table(binding, (), None, scope, node.at)
        return replace(found, label=node.name if binding.definition.is_view else found.label)
    if isinstance(binding, Typed):
        raise SemanticProblem(f"'{node.name}' is a value, where rows are expected", node.at)
    function = compiler.stored_function(node.name) if node.database is None else None
    if function is not None:
        return compiler.call_table(function, (), None, scope, node.at)
    table = compiler.find_table(node.name, node.database)
    if table is None:
        raise SemanticProblem(
            f"Failed to resolve table or column expression named '{node.name}'", node.at
        )
    return scan(compiler, table, node.name)


def _call(compiler: "Compiler", node: syntax.CallSource, scope: Scope) -> Relation:
    call = node.call
    if call.name in ("materialize", "view") and len(call.arguments) == 1:
        relation = compiler.as_relation(call.arguments[0].value, scope)
        if relation is None:
            raise SemanticProblem(f"{call.name}() takes a tabular expression", node.at)
        return relation
    if call.name == "table" and call.arguments:
        name = call.arguments[0].value
        text = ExpressionBinder(compiler, scope).constant(name, "string", "table name")  # type: ignore[arg-type]
        return _table(compiler, syntax.TableSource(node.at, str(text)), scope)
    if call.name in (
        "cluster",
        "external_table",
        "materialized_view",
        "stored_query_result",
        "externaldata",
    ):
        raise UnsupportedProblem(f"'{call.name}()'", node.at)
    binding = scope.get(call.name)
    function = binding if isinstance(binding, LetFunction) else compiler.stored_function(call.name)
    if function is None:
        raise SemanticProblem(f"Unknown function: '{call.name}'", node.at, "SEM0260")
    return compiler.call_table(function, call.arguments, None, scope, node.at)


def _datatable(compiler: "Compiler", node: syntax.DataTableSource, scope: Scope) -> Relation:
    width = len(node.columns)
    if not width or len(node.values) % width:
        raise SemanticProblem(
            f"datatable has {width} columns and {len(node.values)} values", node.at, "SEM0041"
        )
    binder = ExpressionBinder(compiler, scope)
    cells = []
    for number, value in enumerate(node.values):
        kind = node.columns[number % width][1]
        typed = convert(binder.bind(value), kind, value.at)
        cells.append(typed.sql)
    names = unique_names([name for name, _ in node.columns])
    columns = tuple(
        Column(name, kind, compiler.environment.names.fresh())
        for name, (_, kind) in zip(names, node.columns, strict=True)
    )
    return values(compiler, columns, [cells[at : at + width] for at in range(0, len(cells), width)])


def _print(compiler: "Compiler", node: syntax.PrintSource, scope: Scope) -> Relation:
    binder = ExpressionBinder(compiler, scope)
    columns, listed = [], []
    taken: list[str] = []
    for number, item in enumerate(node.items):
        values = binder.several(item.value)
        names = list(item.names)
        if not names:
            names = [value.name or f"print_{number}" for value in values]
            if len(values) == 1:
                names = [f"print_{number}"]
        for name, value in zip(names, values, strict=False):
            column = Column(name, value.type, compiler.environment.names.fresh())
            columns.append(column)
            taken.append(name)
            listed.append(f"CAST({value.sql} AS {SQL_TYPES[value.type]}) AS {column.sql}")
    fixed = unique_names(taken)
    named = tuple(replace(column, name=name) for column, name in zip(columns, fixed, strict=True))
    order = compiler.environment.names.fresh()
    return Relation(f"(SELECT {', '.join(listed)}, 0 AS {order})", named, (f"{order} ASC",))


def _range(compiler: "Compiler", node: syntax.RangeSource, scope: Scope) -> Relation:
    binder = ExpressionBinder(compiler, scope)
    start, stop, step = (binder.bind(part) for part in (node.start, node.stop, node.step))
    kind = _range_type(start, stop, step, node.at)
    step_kind = "timespan" if kind in ("datetime", "timespan") else kind
    a, b = convert(start, kind).sql, convert(stop, kind).sql
    c = convert(step, step_kind).sql
    column = Column(node.name, kind, compiler.environment.names.fresh())
    if kind == "real":
        count = f"coalesce(floor(({b} - {a}) / nullif({c}, 0) + 1e-9)::BIGINT, -1)"
        item = f"{a} + i * {c}"
    else:
        count = (
            f"CASE WHEN {c} > 0 AND {b} >= {a} OR {c} < 0 AND {b} <= {a} "
            f"THEN ({b} - {a}) // {c} ELSE -1 END"
        )
        item = f"{a} + i * {c}"
    source = (
        f"(SELECT CAST({item} AS {SQL_TYPES[kind]}) AS {column.sql} "
        f"FROM (SELECT unnest(generate_series(0, {count}))) AS g(i))"
    )
    if all(part.is_constant for part in (start, stop, step)) and kind != "real":
        source = _constant_range(column.sql, a, c, start, stop, step, kind)
    direction = "DESC" if isinstance(step.constant, int | float) and step.constant < 0 else "ASC"
    return Relation(source, (column,), (f"{column.sql} {direction}",))


def _constant_range(
    name: str, a: str, c: str, start: Typed, stop: Typed, step: Typed, kind: str
) -> str:
    first, last, by = start.constant, stop.constant, step.constant
    if first is None or last is None or not by or (last - first) // by < 0:
        return f"(SELECT NULL::{SQL_TYPES[kind]} AS {name} WHERE false)"
    count = (last - first) // by
    return (
        f"(SELECT CAST({a} + i * {c} AS {SQL_TYPES[kind]}) AS {name} "
        f"FROM range({count + 1}) AS g(i))"
    )


def _range_type(start: Typed, stop: Typed, step: Typed, at: int) -> str:
    types = {start.type, stop.type}
    if types == {"datetime"}:
        return "datetime"
    if types == {"timespan"}:
        return "timespan"
    if types | {step.type} <= {"int", "long"}:
        return "int" if types | {step.type} == {"int"} else "long"
    if types | {step.type} <= {"int", "long", "real"}:
        return "real"
    raise SemanticProblem("range takes numbers, datetimes or timespans of one type", at, "SEM0230")


_READERS: Final[dict[type[syntax.Source], Callable[[Any, Any, Any], Relation]]] = {
    syntax.TableSource: _table,
    syntax.CallSource: _call,
    syntax.DataTableSource: _datatable,
    syntax.PrintSource: _print,
    syntax.RangeSource: _range,
    syntax.UnionSource: lambda compiler, node, scope: union_of(compiler, node.union, None, scope),
    syntax.SearchSource: lambda compiler, node, scope: search_of(compiler, node.search, scope),
}
