"""Aggregate functions: the SQL of each over the rows of a group.

Nulls are ignored. Over no values a sum is 0, an average NaN, a deviation 0, a smallest string
empty, as measured by duckdb-kql 1.1.2. Counts of distinct values are exact, where Kusto estimates.
Source: Kusto docs, "Aggregation functions".
"""

import math
from collections.abc import Callable
from typing import Any, Final

from emulator.engine import literals
from emulator.engine.arithmetic import truth
from emulator.engine.conversion import convert, json_sql, to_dynamic
from emulator.engine.functions.dynamic import _first_places
from emulator.engine.functions.registry import Call, define
from emulator.engine.functions.series import percentile_of
from emulator.engine.naming import percentile_suffix
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import INTEGERS, NUMBERS, Typed

Aggregate = Callable[[Call], list[Typed]]
AGGREGATES: Final[dict[str, tuple[int, int | None, Aggregate]]] = {}
"""Least and most arguments and the binder of each; a binder gives one or more columns."""
_TIMES: Final = ("datetime", "timespan")


def _register(name: str, least: int, most: int | None = -1) -> Callable[[Aggregate], Aggregate]:
    def keep(bind: Aggregate) -> Aggregate:
        AGGREGATES[name] = (least, least if most == -1 else most, bind)
        return bind

    return keep


def _filter(condition: Typed | None, *values: Typed) -> str:
    """The FILTER clause: the condition, and no NULL in `values`."""
    parts = [f"({value.sql}) IS NOT NULL" for value in values]
    if condition is not None:
        parts.append(condition.sql)
    return f" FILTER (WHERE {' AND '.join(parts)})" if parts else ""


def _with_condition(
    base: str, name: str, compute: Callable[[Call, Typed | None], Typed], least: int = 1
) -> None:
    """Register `base(x)` and `name(x, condition)`."""

    def bind(call: Call) -> list[Typed]:
        return [compute(call, None)]

    def bind_if(call: Call) -> list[Typed]:
        return [compute(call, truth(call.arguments[least], call.name, call.at))]

    AGGREGATES[base] = (least, least, bind)
    if name:
        AGGREGATES[name] = (least + 1, least + 1, bind_if)


@_register("count", 0, 1)
def _count(_: Call) -> list[Typed]:
    return [Typed("count(*)", "long")]


@_register("countif", 1)
def _countif(call: Call) -> list[Typed]:
    condition = truth(call.arguments[0], call.name, call.at)
    return [Typed(f"count(*) FILTER (WHERE {condition.sql})", "long")]


def _summable(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type == "dynamic":
        raise call.error("argument 1 is a dynamic; cast it, as tolong(…) or toreal(…)")
    if value.type not in (*NUMBERS, "timespan", "bool"):
        raise call.error(f"argument 1 must be a number or a timespan, and is a {value.type}")
    return convert(value, "long") if value.type in ("int", "bool") else value


def _sum(call: Call, condition: Typed | None) -> Typed:
    value = _summable(call)
    sql = f"coalesce(sum({value.sql}){_filter(condition)}, 0)"
    cast = {"long": "BIGINT", "timespan": "BIGINT", "real": "DOUBLE", "decimal": "DECIMAL(38,9)"}[
        value.type
    ]
    return Typed(f"({sql})::{cast}", value.type)


def _avg(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    if value.type in _TIMES:
        clause = _filter(condition)
        total = f"sum({value.sql}::HUGEINT){clause}"
        return Typed(f"({total} // nullif(count({value.sql}){clause}, 0))::BIGINT", value.type)
    value = _summable(call)
    if value.type == "decimal":
        return Typed(f"(avg({value.sql}){_filter(condition)})::DECIMAL(38,9)", "decimal")
    return Typed(
        f"coalesce(avg({convert(value, 'real').sql}){_filter(condition)}, 'nan'::DOUBLE)", "real"
    )


def _extreme(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        value = call.arguments[0]
        if value.type == "dynamic":
            raise call.error("argument 1 is a dynamic; cast it, as tostring(…) or toreal(…)")
        if value.type == "real":
            without = (
                f"{function}({value.sql}) FILTER (WHERE NOT isnan({value.sql}){_and(condition)})"
            )
            return Typed(
                f"coalesce({without}, {function}({value.sql}){_filter(condition)})", "real"
            )
        sql = f"{function}({value.sql}){_filter(condition)}"
        return Typed(f"coalesce({sql}, '')" if value.type == "string" else sql, value.type)

    return compute


def _and(condition: Typed | None) -> str:
    return "" if condition is None else f" AND {condition.sql}"


def _spread(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        value = convert(_summable(call), "real")
        return Typed(f"coalesce({function}({value.sql}){_filter(condition)}, 0)", "real")

    return compute


def _covariance(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        a, b = (call.argument(index, "real") for index in range(2))
        return Typed(f"coalesce({function}({a.sql}, {b.sql}){_filter(condition)}, 0)", "real")

    return compute


def _distinct_count(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    return Typed(f"count(DISTINCT {value.sql}){_filter(condition)}", "long")


def _bits(function: str) -> Callable[[Call, Typed | None], Typed]:
    return lambda call, condition: Typed(
        f"{function}({call.argument(0, 'long').sql}){_filter(condition)}", "long"
    )


_with_condition("sum", "sumif", _sum)
_with_condition("avg", "avgif", _avg)
_with_condition("min", "minif", _extreme("min"))
_with_condition("max", "maxif", _extreme("max"))
_with_condition("count_distinct", "count_distinctif", _distinct_count)
for _name, _function in (
    ("stdev", "stddev_samp"),
    ("stdevp", "stddev_pop"),
    ("variance", "var_samp"),
    ("variancep", "var_pop"),
):
    _with_condition(_name, f"{_name}if", _spread(_function))
for _name, _function in (("covariance", "covar_samp"), ("covariancep", "covar_pop")):
    _with_condition(_name, f"{_name}if", _covariance(_function), least=2)
for _name, _function in (("and", "bit_and"), ("or", "bit_or"), ("xor", "bit_xor")):
    _with_condition(f"binary_all_{_name}", "", _bits(_function))


@_register("dcount", 1, 2)
def _dcount(call: Call) -> list[Typed]:
    return [_distinct_count(call, None)]


@_register("dcountif", 2, 3)
def _dcountif(call: Call) -> list[Typed]:
    return [_distinct_count(call, truth(call.arguments[1], call.name, call.at))]


# ----- lists, sets and bags


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


def _array(items: str, limit: str) -> str:
    return f"('[' || array_to_string(coalesce({items}, []){limit}, ',') || ']')"


def _list(call: Call, condition: Typed | None, limit: str, *, nulls: bool = False) -> Typed:
    value = call.arguments[0]
    clause = _filter(condition) if nulls else _filter(condition, value)
    items = f"list({json_sql(value)}{_order(call)}){clause}"
    return Typed(_array(items, limit), "dynamic")


def _set(call: Call, condition: Typed | None, limit: str) -> Typed:
    value = call.arguments[0]
    if value.type == "dynamic":
        items = f"list({value.sql}{_order(call)}){_filter(condition, value)}"
        packed = f"'[' || array_to_string(coalesce({items}, []), ',') || ']'"
        size = limit[3:-1] or "-1"
        return Typed(f"k_set_of({packed}, {size}::BIGINT)", "dynamic")
    items = f"list(DISTINCT {value.sql}){_filter(condition, value)}"
    item = json_sql(Typed("e", value.type))
    texts = f"list_transform(list_sort(coalesce({items}, [])){limit}, lambda e: {item})"
    return Typed(f"('[' || array_to_string({texts}, ',') || ']')", "dynamic")


def _set_of(values: Any, size: int) -> Any:  # noqa: ANN401 - JSON
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    found = _first_places(flat)
    return found if size < 0 else found[:size]


define("set_of", "dynamic", ["dynamic", "long"], _set_of)


@_register("make_list", 1, 2)
def _make_list(call: Call) -> list[Typed]:
    return [_list(call, None, _limit(call, 1))]


@_register("make_list_if", 2, 3)
def _make_list_if(call: Call) -> list[Typed]:
    return [_list(call, truth(call.arguments[1], call.name, call.at), _limit(call, 2))]


@_register("make_list_with_nulls", 1)
def _make_list_with_nulls(call: Call) -> list[Typed]:
    return [_list(call, None, "", nulls=True)]


@_register("make_set", 1, 2)
def _make_set(call: Call) -> list[Typed]:
    return [_set(call, None, _limit(call, 1))]


@_register("make_set_if", 2, 3)
def _make_set_if(call: Call) -> list[Typed]:
    return [_set(call, truth(call.arguments[1], call.name, call.at), _limit(call, 2))]


AGGREGATES["makelist"], AGGREGATES["makeset"] = AGGREGATES["make_list"], AGGREGATES["make_set"]


def _bag(call: Call, condition: Typed | None) -> Typed:
    value = call.argument(0, "dynamic")
    items = f"list({value.sql}{_order(call)}){_filter(condition, value)}"
    return Typed(f"k_bag_of('[' || array_to_string(coalesce({items}, []), ',') || ']')", "dynamic")


def _bag_of(values: Any) -> Any:  # noqa: ANN401 - JSON
    found: dict[str, Any] = {}
    for value in values:
        if isinstance(value, dict):
            found |= value
    return found


define("bag_of", "dynamic", ["dynamic"], _bag_of)


@_register("make_bag", 1, 2)
def _make_bag(call: Call) -> list[Typed]:
    return [_bag(call, None)]


@_register("make_bag_if", 2, 3)
def _make_bag_if(call: Call) -> list[Typed]:
    return [_bag(call, truth(call.arguments[1], call.name, call.at))]


# ----- one row of a group


def _packed(values: list[Typed]) -> str:
    fields = ", ".join(f"f{number} := {value.sql}" for number, value in enumerate(values))
    return f"struct_pack({fields})"


def _unpacked(struct: str, values: list[Typed]) -> list[Typed]:
    found = []
    for number, value in enumerate(values):
        sql = f"({struct}).f{number}"
        found.append(
            Typed(
                f"coalesce({sql}, '')" if value.type == "string" else sql,
                value.type,
                name=value.name,
            )
        )
    return found


def _arg_extreme(function: str) -> Aggregate:
    def bind(call: Call) -> list[Typed]:
        key, values = call.arguments[0], list(call.arguments)
        if key.type == "dynamic":
            raise call.error("argument 1 is a dynamic; cast it, as tostring(…) or toreal(…)")
        values[0] = key.named(key.name or f"{function[4:]}_")
        packed = _packed(values)
        keyed = f"{function}({packed}, {key.sql})"
        if key.type == "real":
            keyed += f" FILTER (WHERE NOT isnan({key.sql}))"
        return _unpacked(f"coalesce({keyed}, first({packed}))", values)

    return bind


_register("arg_max", 1, None)(_arg_extreme("arg_max"))
_register("arg_min", 1, None)(_arg_extreme("arg_min"))


@_register("take_any", 1, None)
def _take_any(call: Call) -> list[Typed]:
    if len(call.arguments) == 1:
        return [_any(call.arguments[0], "")]
    values = list(call.arguments)
    return _unpacked(f"first({_packed(values)})", values)


def _any(value: Typed, clause: str) -> Typed:
    if value.type == "string":
        return Typed(
            f"coalesce(any_value(nullif({value.sql}, '')){clause}, '')", "string", name=value.name
        )
    return Typed(f"any_value({value.sql}){clause}", value.type, name=value.name)


@_register("take_anyif", 2)
def _take_any_if(call: Call) -> list[Typed]:
    return [_any(call.arguments[0], _filter(truth(call.arguments[1], call.name, call.at)))]


AGGREGATES["any"], AGGREGATES["anyif"] = AGGREGATES["take_any"], AGGREGATES["take_anyif"]


# ----- percentiles


def _percents(call: Call, start: int) -> list[float]:
    found: list[float] = []
    for value in call.arguments[start:]:
        items = value.constant if isinstance(value.constant, list) else [value.constant]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise UnsupportedProblem(f"a computed percentile in '{call.name}()'", call.at)
            found.append(item)
    return found


def _ranked(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type not in (*NUMBERS, *_TIMES):
        raise call.error(
            f"argument 1 must be a number, a datetime or a timespan, and is a {value.type}"
        )
    return value


def _percentile_sql(value: Typed, percent: float) -> str:
    return f"quantile_disc({value.sql}, {percent / 100!r})"


@_register("percentile", 2)
def _percentile(call: Call) -> list[Typed]:
    value = _ranked(call)
    return [Typed(_percentile_sql(value, _percents(call, 1)[0]), value.type)]


@_register("percentiles", 2, None)
def _percentiles(call: Call) -> list[Typed]:
    value = _ranked(call)
    name = call.arguments[0].name or ""
    return [
        Typed(
            _percentile_sql(value, percent),
            value.type,
            name=f"percentile_{name}{percentile_suffix(percent)}",
        )
        for percent in _percents(call, 1)
    ]


@_register("percentiles_array", 2, None)
def _percentiles_array(call: Call) -> list[Typed]:
    value = _ranked(call)
    items = [
        json_sql(Typed(_percentile_sql(value, percent), value.type))
        for percent in _percents(call, 1)
    ]
    return [Typed(f"('[' || {' || chr(44) || '.join(items)} || ']')", "dynamic")]


def _weighted(
    values: list[float] | None, weights: list[float] | None, percent: float
) -> float | None:
    pairs = sorted(zip(values or [], weights or [], strict=True))
    total = sum(weight for _, weight in pairs)
    seen = 0.0
    for value, weight in pairs:
        seen += weight
        if seen >= total * percent / 100 - 1e-12:
            return value
    return None


define("weighted_percentile", "real", ["DOUBLE[]", "DOUBLE[]", "real"], _weighted)


def _weighted_typed(call: Call, percent: float) -> Typed:
    value, weight = _ranked(call), call.argument(1, "real")
    clause = _filter(None, value, weight)
    lists = f"list({value.sql}::DOUBLE){clause}, list({weight.sql}){clause}"
    found = f"k_weighted_percentile({lists}, {percent!r}::DOUBLE)"
    kind = {"long": "BIGINT", "int": "INTEGER", "datetime": "BIGINT", "timespan": "BIGINT"}.get(
        value.type
    )
    return Typed(found if kind is None else f"({found})::{kind}", value.type)


@_register("percentilew", 3)
def _percentilew(call: Call) -> list[Typed]:
    return [_weighted_typed(call, _percents(call, 2)[0])]


@_register("percentilesw", 3, None)
def _percentilesw(call: Call) -> list[Typed]:
    name = call.arguments[0].name or ""
    return [
        _weighted_typed(call, percent).named(f"percentile_{name}{percentile_suffix(percent)}")
        for percent in _percents(call, 2)
    ]


@_register("percentilesw_array", 3, None)
def _percentilesw_array(call: Call) -> list[Typed]:
    items = [json_sql(_weighted_typed(call, percent)) for percent in _percents(call, 2)]
    return [Typed(f"('[' || {' || chr(44) || '.join(items)} || ']')", "dynamic")]


# ----- sketches, which are exact here: a list of hashes, a sorted list of numbers


def _sketch(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    items = f"list(DISTINCT hash({json_sql(value)}) % 9007199254740993){_filter(condition, value)}"
    return Typed(_array(items, ""), "dynamic")


def _digest(call: Call, condition: Typed | None) -> Typed:
    value = _ranked(call)
    items = f"list({value.sql} ORDER BY {value.sql}){_filter(condition, value)}"
    return Typed(_array(items, ""), "dynamic")


@_register("hll", 1, 2)
def _hll(call: Call) -> list[Typed]:
    return [_sketch(call, None)]


@_register("hll_if", 2, 3)
def _hll_if(call: Call) -> list[Typed]:
    return [_sketch(call, truth(call.arguments[1], call.name, call.at))]


@_register("tdigest", 1)
def _tdigest(call: Call) -> list[Typed]:
    return [_digest(call, None)]


def _merge(function: str) -> Aggregate:
    def bind(call: Call) -> list[Typed]:
        value = to_dynamic(call.arguments[0])
        items = f"list({value.sql}){_filter(None, value)}"
        return [
            Typed(
                f"{function}('[' || array_to_string(coalesce({items}, []), ',') || ']')", "dynamic"
            )
        ]

    return bind


def _merged_numbers(digests: Any) -> Any:  # noqa: ANN401 - JSON
    return sorted(item for digest in digests if isinstance(digest, list) for item in digest)


define("hll_merged", "dynamic", ["dynamic"], lambda sketches: _set_of(sketches, -1))
define("tdigest_merged", "dynamic", ["dynamic"], _merged_numbers)
_register("hll_merge", 1)(_merge("k_hll_merged"))
_register("tdigest_merge", 1)(_merge("k_tdigest_merged"))
AGGREGATES["merge_tdigest"] = AGGREGATES["tdigest_merge"]
NAMES: Final = frozenset(AGGREGATES)
del math, literals, percentile_of, INTEGERS
