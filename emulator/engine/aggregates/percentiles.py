"""Percentiles, weighted or not."""

from emulator.engine.aggregates.registry import TIMES, filter_clause, register
from emulator.engine.conversion import json_sql
from emulator.engine.functions.registry import Call, define
from emulator.engine.naming import percentile_suffix
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import NUMBERS, Typed


def _percents(call: Call, start: int) -> list[float]:
    found: list[float] = []
    for value in call.arguments[start:]:
        items = value.constant if isinstance(value.constant, list) else [value.constant]
        for item in items:
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise UnsupportedProblem(f"a computed percentile in '{call.name}()'", call.at)
            found.append(item)
    return found


def ranked(call: Call) -> Typed:
    """The argument whose values are ranked."""
    value = call.arguments[0]
    if value.type not in (*NUMBERS, *TIMES):
        raise call.error(
            f"argument 1 must be a number, a datetime or a timespan, and is a {value.type}"
        )
    return value


def _percentile_sql(value: Typed, percent: float) -> str:
    return f"quantile_disc({value.sql}, {percent / 100!r})"


@register("percentile", 2)
def _percentile(call: Call) -> list[Typed]:
    value = ranked(call)
    return [Typed(_percentile_sql(value, _percents(call, 1)[0]), value.type)]


@register("percentiles", 2, None)
def _percentiles(call: Call) -> list[Typed]:
    value = ranked(call)
    name = call.arguments[0].name or ""
    return [
        Typed(
            _percentile_sql(value, percent),
            value.type,
            name=f"percentile_{name}{percentile_suffix(percent)}",
        )
        for percent in _percents(call, 1)
    ]


@register("percentiles_array", 2, None)
def _percentiles_array(call: Call) -> list[Typed]:
    value = ranked(call)
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
    value, weight = ranked(call), call.argument(1, "real")
    clause = filter_clause(None, value, weight)
    lists = f"list({value.sql}::DOUBLE){clause}, list({weight.sql}){clause}"
    found = f"k_weighted_percentile({lists}, {percent!r}::DOUBLE)"
    kind = {"long": "BIGINT", "int": "INTEGER", "datetime": "BIGINT", "timespan": "BIGINT"}.get(
        value.type
    )
    return Typed(found if kind is None else f"({found})::{kind}", value.type)


@register("percentilew", 3)
def _percentilew(call: Call) -> list[Typed]:
    return [_weighted_typed(call, _percents(call, 2)[0])]


@register("percentilesw", 3, None)
def _percentilesw(call: Call) -> list[Typed]:
    name = call.arguments[0].name or ""
    return [
        _weighted_typed(call, percent).named(f"percentile_{name}{percentile_suffix(percent)}")
        for percent in _percents(call, 2)
    ]


@register("percentilesw_array", 3, None)
def _percentilesw_array(call: Call) -> list[Typed]:
    items = [json_sql(_weighted_typed(call, percent)) for percent in _percents(call, 2)]
    return [Typed(f"('[' || {' || chr(44) || '.join(items)} || ']')", "dynamic")]
