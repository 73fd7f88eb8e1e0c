"""`evaluate`: the plugins whose columns come from the data, which is read when the query compiles.

Source: Kusto docs, "pivot plugin", "bag_unpack plugin".
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from emulator.engine import syntax
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.operators.columns import extend
from emulator.engine.operators.groups import summarize
from emulator.engine.problems import SemanticProblem, UnsupportedProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.scope import Scope
from emulator.engine.typed import quote

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler

_MOST_COLUMNS: Final = 1000


def evaluate(
    compiler: "Compiler", relation: Relation, node: syntax.Evaluate, scope: Scope
) -> Relation:
    """`evaluate plugin(…)`."""
    plugin = PLUGINS.get(node.call.name)
    if plugin is None:
        raise UnsupportedProblem(f"the plugin '{node.call.name}()'", node.at)
    if relation.keys:
        raise UnsupportedProblem("'evaluate' inside a subquery", node.at)
    return plugin(compiler, relation, node, scope)


def _read(compiler: "Compiler", relation: Relation, sql: str, at: int) -> list[tuple[object, ...]]:
    """The rows of `sql`, in which `{0}` stands for the rows of `relation`."""
    environment = compiler.environment
    if environment.read is None:
        raise UnsupportedProblem("columns that come from the data", at)
    prefix = f"WITH {', '.join(environment.common)} " if environment.common else ""
    return environment.read(prefix + sql.format(relation.source))


def _column(relation: Relation, call: syntax.Call, kinds: tuple[str, ...]) -> Column:
    """The column that the first argument names."""
    value = call.arguments[0].value if call.arguments else None
    column = relation.find(value.name) if isinstance(value, syntax.Name) else None
    if column is None or column.type not in kinds:
        raise SemanticProblem(
            f"{call.name}(): the first argument must be a column of type {' or '.join(kinds)}",
            call.at,
        )
    return column


# ----- pivot

_CONDITIONAL: Final = {"count": "countif", "sum": "sumif", "dcount": "dcountif"}
"""The aggregates whose value over no row is known: 0."""


def _pivot(
    compiler: "Compiler", relation: Relation, node: syntax.Evaluate, scope: Scope
) -> Relation:
    """One column for each value of the pivoted one, in the order of their first rows."""
    if node.columns is not None:
        raise UnsupportedProblem("the schema of 'pivot()'", node.at, "leave it out")
    pivoted = _column(relation, node.call, ("string", "long", "int"))
    aggregate, groups = _pivot_arguments(node.call)
    arguments = aggregate.arguments if aggregate is not None else ()
    used = {
        pivoted.name,
        *(one.value.name for one in arguments if isinstance(one.value, syntax.Name)),
    }
    named = groups or [column.name for column in relation.columns if column.name not in used]
    aggregates = tuple(
        syntax.Named(node.at, (str(value),), _if_equal(node.at, aggregate, pivoted, value))
        for value in _values(compiler, relation, pivoted, node.at)
    )
    keys = tuple(syntax.Named(node.at, (), syntax.Name(node.at, name)) for name in named)
    clash = {str(one.names[0]) for one in aggregates} & set(named)
    if clash:
        raise SemanticProblem(f"pivot(): a value is the name of column '{min(clash)}'", node.at)
    return summarize(compiler, relation, syntax.Summarize(node.at, aggregates, keys), scope)


def _pivot_arguments(call: syntax.Call) -> tuple[syntax.Call | None, list[str]]:
    rest = [argument.value for argument in call.arguments[1:]]
    aggregate: syntax.Call | None = None
    if rest and isinstance(rest[0], syntax.Call):
        aggregate = rest[0]
        rest = rest[1:]
        if aggregate.name not in _CONDITIONAL:
            raise UnsupportedProblem(f"'{aggregate.name}()' in 'pivot()'", aggregate.at)
    groups = []
    for value in rest:
        if not isinstance(value, syntax.Name):
            raise SemanticProblem("pivot(): what follows the aggregate must be columns", call.at)
        groups.append(value.name)
    return aggregate, groups


def _values(compiler: "Compiler", relation: Relation, pivoted: Column, at: int) -> list[object]:
    order = f"ORDER BY {', '.join(relation.order)}" if relation.order else ""
    sql = (
        f"SELECT v FROM (SELECT {pivoted.sql} AS v, row_number() OVER ({order}) AS n FROM {{0}}) "
        f"GROUP BY v ORDER BY min(n) LIMIT {_MOST_COLUMNS + 1}"
    )
    values = [row[0] for row in _read(compiler, relation, sql, at)]
    if len(values) > _MOST_COLUMNS:
        raise UnsupportedProblem(f"more than {_MOST_COLUMNS} columns of 'pivot()'", at)
    if any(value in (None, "") for value in values):
        raise UnsupportedProblem("an empty value in 'pivot()'", at, "filter it before")
    return values


def _if_equal(
    at: int, aggregate: syntax.Call | None, pivoted: Column, value: object
) -> syntax.Expression:
    literal = syntax.Literal(at, pivoted.type, value)
    test = syntax.Binary(at, "==", syntax.Name(at, pivoted.name), literal)
    name = "count" if aggregate is None else aggregate.name
    arguments = () if aggregate is None else aggregate.arguments
    return syntax.Call(at, _CONDITIONAL[name], (*arguments, syntax.Argument(None, test)))


# ----- bag_unpack

_CASTS: Final = {
    "BIGINT": ("long", "tolong"),
    "UBIGINT": ("long", "tolong"),
    "DOUBLE": ("real", "toreal"),
    "BOOLEAN": ("bool", "tobool"),
    "VARCHAR": ("string", "tostring"),
    "OBJECT": ("dynamic", "todynamic"),
    "ARRAY": ("dynamic", "todynamic"),
}
_BY_TYPE: Final = dict(_CASTS.values()) | {
    "int": "toint",
    "datetime": "todatetime",
    "timespan": "totimespan",
    "guid": "toguid",
}
_SLOT: Final = re.compile(r"[^\"'\\*\[\]]+")
_TYPED_TEXT: Final = (
    r"\d{4}-\d\d-\d\d.*|-?(\d+\.)?\d\d:\d\d:\d\d.*|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}.*"
)


def _bag_unpack(
    compiler: "Compiler", relation: Relation, node: syntax.Evaluate, scope: Scope
) -> Relation:
    """One column for each slot of a bag, by name, with the type that all its values have."""
    bag = _column(relation, node.call, ("dynamic",))
    prefix, conflict, ignored = _bag_arguments(compiler, node.call, scope)
    if node.columns is None:
        slots = _slots(compiler, relation, bag, node.at)
        chosen = [(prefix + name, name, kind) for name, kind in slots if name not in ignored]
    else:
        chosen = [
            (name, name.removeprefix(prefix), kind)
            for name, kind in node.columns
            if relation.find(name) is None
        ]
    others = [column for column in relation.columns if column.name != bag.name]
    clash = [name for name, _, _ in chosen if any(name == column.name for column in others)]
    if clash and conflict == "error":
        raise SemanticProblem(f"bag_unpack(): there is a column '{clash[0]}' already", node.at)
    if conflict == "keep_source":
        chosen = [one for one in chosen if one[0] not in clash]
    else:
        others = [column for column in others if column.name not in clash]
    rows = relation.with_columns((bag,))
    items = tuple(
        syntax.Named(node.at, (name,), _slot(node.at, bag, slot, kind))
        for name, slot, kind in chosen
    )
    found = extend(compiler, rows, syntax.Extend(node.at, items), scope) if items else rows
    kept = others if node.columns is None or node.keeps_columns else []
    new = [found.find(name) or bag for name, _, _ in chosen]
    return found.with_columns((*kept, *new))


def _slot(at: int, bag: Column, slot: str, kind: str) -> syntax.Expression:
    member = syntax.Member(at, syntax.Name(at, bag.name), slot, None)
    return syntax.Call(at, _BY_TYPE[kind], (syntax.Argument(None, member),))


def _bag_arguments(
    compiler: "Compiler", call: syntax.Call, scope: Scope
) -> tuple[str, str, list[str]]:
    binder, names = (
        ExpressionBinder(compiler, scope),
        ("prefix", "columnsConflict", "ignoredProperties"),
    )
    given: dict[str, object] = {}
    for place, argument in enumerate(call.arguments[1:]):
        name = argument.name or names[min(place, len(names) - 1)]
        kind = "dynamic" if name == "ignoredProperties" else "string"
        given[name] = binder.constant(argument.value, kind, f"argument of '{call.name}()'")  # type: ignore[arg-type]
    conflict = str(given.get("columnsConflict", "error"))
    if conflict not in ("error", "keep_source", "replace_source"):
        raise SemanticProblem(f"bag_unpack(): '{conflict}' is not a way to resolve names", call.at)
    prefix = given.get("prefix", given.get("OutputColumnPrefix", ""))
    ignored = given.get("ignoredProperties", [])
    return str(prefix), conflict, ignored if isinstance(ignored, list) else []


def _slots(compiler: "Compiler", relation: Relation, bag: Column, at: int) -> list[tuple[str, str]]:
    """The slots of all bags with the types of their values."""
    value = """json_extract(d, '$."' || k || '"')"""
    sql = (
        "SELECT k, json_type(v), bool_or(regexp_full_match(coalesce(v ->> '$', ''), "
        f"{quote(_TYPED_TEXT).replace('{', '{{').replace('}', '}}')})) "
        f"FROM (SELECT k, {value} AS v FROM (SELECT d, unnest(json_keys(d)) AS k "
        f"FROM (SELECT {bag.sql}::JSON AS d FROM {{0}} WHERE {bag.sql} IS NOT NULL))) "
        f"GROUP BY 1, 2 ORDER BY 1 LIMIT {4 * _MOST_COLUMNS}"
    )
    types: dict[str, set[str]] = {}
    for name, kind, is_typed_text in _read(compiler, relation, sql, at):
        if not _SLOT.fullmatch(str(name)) or kind not in _CASTS:
            raise UnsupportedProblem(f"the slot '{name}' in 'bag_unpack()'", at, "give the schema")
        if kind == "VARCHAR" and is_typed_text:
            raise UnsupportedProblem(
                f"'bag_unpack()' of '{name}', which may be a time or a guid", at, "give the schema"
            )
        types.setdefault(str(name), set()).add(_CASTS[str(kind)][0])
    if len(types) > _MOST_COLUMNS:
        raise UnsupportedProblem(f"more than {_MOST_COLUMNS} columns of 'bag_unpack()'", at)
    return [
        (name, kinds.pop() if len(kinds) == 1 else "dynamic")
        for name, kinds in sorted(types.items())
    ]


Plugin = Callable[["Compiler", Relation, syntax.Evaluate, Scope], Relation]
PLUGINS: Final[dict[str, Plugin]] = {"bag_unpack": _bag_unpack, "pivot": _pivot}
