"""Sketches, which are exact here: a list of hashes, a sorted list of numbers."""

from typing import Any

from emulator.engine.aggregates.lists import array_sql, set_of
from emulator.engine.aggregates.percentiles import ranked
from emulator.engine.aggregates.registry import AGGREGATES, Aggregate, filter_clause, register
from emulator.engine.arithmetic import truth
from emulator.engine.conversion import json_sql, to_dynamic
from emulator.engine.functions.registry import Call, define
from emulator.engine.typed import Typed


def _sketch(call: Call, condition: Typed | None) -> Typed:
    value = call.arguments[0]
    chosen = filter_clause(condition, value)
    items = f"list(DISTINCT hash({json_sql(value)}) % 9007199254740993){chosen}"
    return Typed(array_sql(items, ""), "dynamic")


def _digest(call: Call, condition: Typed | None) -> Typed:
    value = ranked(call)
    items = f"list({value.sql} ORDER BY {value.sql}){filter_clause(condition, value)}"
    return Typed(array_sql(items, ""), "dynamic")


@register("hll", 1, 2)
def _hll(call: Call) -> list[Typed]:
    return [_sketch(call, None)]


@register("hll_if", 2, 3)
def _hll_if(call: Call) -> list[Typed]:
    return [_sketch(call, truth(call.arguments[1], call.name, call.at))]


@register("tdigest", 1)
def _tdigest(call: Call) -> list[Typed]:
    return [_digest(call, None)]


def _merge(function: str) -> Aggregate:
    def bind(call: Call) -> list[Typed]:
        value = to_dynamic(call.arguments[0])
        items = f"list({value.sql}){filter_clause(None, value)}"
        return [
            Typed(
                f"{function}('[' || array_to_string(coalesce({items}, []), ',') || ']')", "dynamic"
            )
        ]

    return bind


def _merged_numbers(digests: Any) -> Any:  # noqa: ANN401 - JSON
    return sorted(item for digest in digests if isinstance(digest, list) for item in digest)


define("hll_merged", "dynamic", ["dynamic"], lambda sketches: set_of(sketches, -1))
define("tdigest_merged", "dynamic", ["dynamic"], _merged_numbers)
register("hll_merge", 1)(_merge("k_hll_merged"))
register("tdigest_merge", 1)(_merge("k_tdigest_merged"))
AGGREGATES["merge_tdigest"] = AGGREGATES["tdigest_merge"]
