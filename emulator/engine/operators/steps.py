"""Building blocks of operators: one more SELECT around a relation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.engine import syntax
from emulator.engine.aggregates import NAMES as AGGREGATE_NAMES
from emulator.engine.expressions import ExpressionBinder
from emulator.engine.naming import expression_name
from emulator.engine.problems import SemanticProblem
from emulator.engine.relation import Column, Relation
from emulator.engine.typed import Typed
from emulator.engine.windows import WINDOWS

if TYPE_CHECKING:
    from emulator.engine.compiler import Compiler


def with_hoisted(relation: Relation, binder: ExpressionBinder) -> Relation:
    """`relation` with the hidden columns that `binder` needs."""
    source = relation.source
    for name, sql in binder.hoisted:
        source = f"(SELECT *, {sql} AS {name} FROM {source})"
    binder.hoisted = []
    return replace(relation, source=source)


def add_columns(
    compiler: "Compiler", relation: Relation, values: Sequence[tuple[str, Typed]]
) -> tuple[Relation, list[Column]]:
    """`relation` with one hidden column more for each value, and these as columns."""
    if not values:
        return relation, []
    columns, listed = [], []
    for name, value in values:
        column = Column(name, value.type, compiler.environment.names.fresh())
        columns.append(column)
        listed.append(f"{value.sql} AS {column.sql}")
    return replace(
        relation, source=f"(SELECT *, {', '.join(listed)} FROM {relation.source})"
    ), columns


def with_ordinal(compiler: "Compiler", relation: Relation) -> Relation:
    """`relation` with its order as a row number, so that every later step sees the same order."""
    if len(relation.order) == 1 and relation.order[0].startswith("o"):
        return relation
    name = compiler.environment.names.fresh("o")
    partition = f"PARTITION BY {', '.join(relation.keys)} " if relation.keys else ""
    order = f"ORDER BY {', '.join(relation.order)}" if relation.order else ""
    source = f"(SELECT *, row_number() OVER ({partition}{order}) AS {name} FROM {relation.source})"
    return replace(relation, source=source, order=(f"{name} ASC",))


def uses_windows(node: object) -> bool:
    """Whether a syntax node calls a window function."""
    if isinstance(node, syntax.Call) and node.name in WINDOWS:
        return True
    if isinstance(node, tuple | list):
        return any(uses_windows(item) for item in node)
    fields = getattr(node, "__dataclass_fields__", None)
    return fields is not None and any(uses_windows(getattr(node, name)) for name in fields)


def name_of(value: syntax.Expression) -> str | None:
    """The name that Kusto gives to an unnamed column of `value`."""
    return expression_name(value, AGGREGATE_NAMES)


def require_groupable(value: Typed, operator: str, at: int) -> None:
    """Raise SemanticProblem for a dynamic, which Kusto does not group, sort or join by."""
    if value.type == "dynamic":
        raise SemanticProblem(
            f"'{operator}' cannot use a value of type dynamic; cast it, as tostring(…)",
            at,
            "SEM0031",
        )
