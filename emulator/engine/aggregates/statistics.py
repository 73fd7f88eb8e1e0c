"""Counts, sums, averages, extremes, deviations and bits."""

from collections.abc import Callable

from emulator.engine.aggregates.registry import (
    TIMES,
    and_clause,
    filter_clause,
    register,
    with_condition,
)
from emulator.engine.arithmetic import truth
from emulator.engine.conversion import convert
from emulator.engine.functions.registry import Call
from emulator.engine.typed import NUMBERS, Typed


@register("count", 0, 1)
def _count(_: Call) -> list[Typed]:
    return [Typed("count(*)", "long")]


@register("countif", 1)
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
    sql = f"coalesce(sum({value.sql}){filter_clause(condition)}, 0)"
    cast = {"long": "BIGINT", "timespan": "BIGINT", "real": "DOUBLE", "decimal": "DECIMAL(38,9)"}[
        value.type
    ]
    return Typed(f"({sql})::{cast}", value.type)


def _avg(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    if value.type in TIMES:
        clause = filter_clause(condition)
        total = f"sum({value.sql}::HUGEINT){clause}"
        return Typed(f"({total} // nullif(count({value.sql}){clause}, 0))::BIGINT", value.type)
    value = _summable(call)
    if value.type == "decimal":
        return Typed(f"(avg({value.sql}){filter_clause(condition)})::DECIMAL(38,9)", "decimal")
    return Typed(
        f"coalesce(avg({convert(value, 'real').sql}){filter_clause(condition)}, 'nan'::DOUBLE)",
        "real",
    )


def _extreme(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        value = call.arguments[0]
        if value.type == "dynamic":
            raise call.error("argument 1 is a dynamic; cast it, as tostring(…) or toreal(…)")
        if value.type == "real":
            numbers = f"FILTER (WHERE NOT isnan({value.sql}){and_clause(condition)})"
            without = f"{function}({value.sql}) {numbers}"
            return Typed(
                f"coalesce({without}, {function}({value.sql}){filter_clause(condition)})", "real"
            )
        sql = f"{function}({value.sql}){filter_clause(condition)}"
        return Typed(f"coalesce({sql}, '')" if value.type == "string" else sql, value.type)

    return compute


def _spread(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        value = convert(_summable(call), "real")
        return Typed(f"coalesce({function}({value.sql}){filter_clause(condition)}, 0)", "real")

    return compute


def _covariance(function: str) -> Callable[[Call, Typed | None], Typed]:
    def compute(call: Call, condition: Typed | None) -> Typed:
        a, b = (call.argument(index, "real") for index in range(2))
        return Typed(f"coalesce({function}({a.sql}, {b.sql}){filter_clause(condition)}, 0)", "real")

    return compute


def _distinct_count(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    return Typed(f"count(DISTINCT {value.sql}){filter_clause(condition)}", "long")


def _bits(function: str) -> Callable[[Call, Typed | None], Typed]:
    return lambda call, condition: Typed(
        f"{function}({call.argument(0, 'long').sql}){filter_clause(condition)}", "long"
    )


with_condition("sum", "sumif", _sum)
with_condition("avg", "avgif", _avg)
with_condition("min", "minif", _extreme("min"))
with_condition("max", "maxif", _extreme("max"))
with_condition("count_distinct", "count_distinctif", _distinct_count)
for _name, _function in (
    ("stdev", "stddev_samp"),
    ("stdevp", "stddev_pop"),
    ("variance", "var_samp"),
    ("variancep", "var_pop"),
):
    with_condition(_name, f"{_name}if", _spread(_function))
for _name, _function in (("covariance", "covar_samp"), ("covariancep", "covar_pop")):
    with_condition(_name, f"{_name}if", _covariance(_function), least=2)
for _name, _function in (("and", "bit_and"), ("or", "bit_or"), ("xor", "bit_xor")):
    with_condition(f"binary_all_{_name}", "", _bits(_function))


@register("dcount", 1, 2)
def _dcount(call: Call) -> list[Typed]:
    return [_distinct_count(call, None)]


@register("dcountif", 2, 3)
def _dcountif(call: Call) -> list[Typed]:
    return [_distinct_count(call, truth(call.arguments[1], call.name, call.at))]
