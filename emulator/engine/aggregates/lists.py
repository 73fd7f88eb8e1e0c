"""Lists, sets and bags of the values of a group."""

from typing import Any

from emulator.engine.aggregates.registry import (
    AGGREGATES,
    filter_clause,
    register,
)
from emulator.engine.arithmetic import truth
from emulator.engine.conversion import json_sql
from emulator.engine.functions.registry import Call, define
from emulator.engine.functions.sets import first_places
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed


def _order(call: Call) -> str:
    relation = call.binder.relation
    if relation is None or not relation.is_sorted:
        return ""
    return f" ORDER BY {', '.join(relation.order)}"


def _limit(call: Call, index: int) -> str:
    if len(call.arguments) <= index:
        return ""
    size = call.argument(index, "long")
    if not isinstance(size.constant, int):
        raise UnsupportedProblem(f"a computed size in '{call.name}()'", call.at)
    return f"[1:{max(size.constant, 0)}]"


def array_sql(items: str, limit: str) -> str:
    """SQL for the JSON array of a list of JSON texts."""
    return f"('[' || array_to_string(coalesce({items}, []){limit}, ',') || ']')"


def _list(call: Call, condition: Typed | None, limit: str, *, nulls: bool = False) -> Typed:
    value = call.arguments[0]
    clause = filter_clause(condition) if nulls else filter_clause(condition, value)
    items = f"list({json_sql(value)}{_order(call)}){clause}"
    return Typed(array_sql(items, limit), "dynamic")


def _set(call: Call, condition: Typed | None, limit: str) -> Typed:
    value = call.arguments[0]
    if value.type == "dynamic":
        items = f"list({value.sql}{_order(call)}){filter_clause(condition, value)}"
        packed = f"'[' || array_to_string(coalesce({items}, []), ',') || ']'"
        size = limit[3:-1] or "-1"
        return Typed(f"k_set_of({packed}, {size}::BIGINT)", "dynamic")
    items = f"list(DISTINCT {value.sql}){filter_clause(condition, value)}"
    item = json_sql(Typed("e", value.type))
    texts = f"list_transform(list_sort(coalesce({items}, [])){limit}, lambda e: {item})"
    return Typed(f"('[' || array_to_string({texts}, ',') || ']')", "dynamic")


def set_of(values: Any, size: int) -> Any:  # noqa: ANN401 - JSON
    """The distinct items of a list, sorted, at most `size` (none below 0)."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    found = first_places(flat)
    return found if size < 0 else found[:size]


define("set_of", "dynamic", ["dynamic", "long"], set_of)


@register("make_list", 1, 2)
def _make_list(call: Call) -> list[Typed]:
    return [_list(call, None, _limit(call, 1))]


@register("make_list_if", 2, 3)
def _make_list_if(call: Call) -> list[Typed]:
    return [_list(call, truth(call.arguments[1], call.name, call.at), _limit(call, 2))]


@register("make_list_with_nulls", 1)
def _make_list_with_nulls(call: Call) -> list[Typed]:
    return [_list(call, None, "", nulls=True)]


@register("make_set", 1, 2)
def _make_set(call: Call) -> list[Typed]:
    return [_set(call, None, _limit(call, 1))]


@register("make_set_if", 2, 3)
def _make_set_if(call: Call) -> list[Typed]:
    return [_set(call, truth(call.arguments[1], call.name, call.at), _limit(call, 2))]


AGGREGATES["makelist"], AGGREGATES["makeset"] = AGGREGATES["make_list"], AGGREGATES["make_set"]


def _bag(call: Call, condition: Typed | None) -> Typed:
    value = call.argument(0, "dynamic")
    items = f"list({value.sql}{_order(call)}){filter_clause(condition, value)}"
    return Typed(f"k_bag_of('[' || array_to_string(coalesce({items}, []), ',') || ']')", "dynamic")


def _bag_of(values: Any) -> Any:  # noqa: ANN401 - JSON
    found: dict[str, Any] = {}
    for value in values:
        if isinstance(value, dict):
            found |= value
    return found


define("bag_of", "dynamic", ["dynamic"], _bag_of)


@register("make_bag", 1, 2)
def _make_bag(call: Call) -> list[Typed]:
    return [_bag(call, None)]


@register("make_bag_if", 2, 3)
def _make_bag_if(call: Call) -> list[Typed]:
    return [_bag(call, truth(call.arguments[1], call.name, call.at))]
