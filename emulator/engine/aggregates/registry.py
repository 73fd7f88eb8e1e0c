"""Aggregates by name, and what they share."""

from collections.abc import Callable
from typing import Final

from emulator.engine.arithmetic import truth
from emulator.engine.functions.registry import Call
from emulator.engine.typed import Typed

Aggregate = Callable[[Call], list[Typed]]
AGGREGATES: Final[dict[str, tuple[int, int | None, Aggregate]]] = {}
"""Least and most arguments and the binder of each; a binder gives one or more columns."""

TIMES: Final = ("datetime", "timespan")


def register(name: str, least: int, most: int | None = -1) -> Callable[[Aggregate], Aggregate]:
    """Decorate the binder of an aggregate; `most` is `least` when it is not given."""

    def keep(bind: Aggregate) -> Aggregate:
        AGGREGATES[name] = (least, least if most == -1 else most, bind)
        return bind

    return keep


def filter_clause(condition: Typed | None, *values: Typed) -> str:
    """The FILTER clause: the condition, and no NULL in `values`."""
    parts = [f"({value.sql}) IS NOT NULL" for value in values]
    if condition is not None:
        parts.append(condition.sql)
    return f" FILTER (WHERE {' AND '.join(parts)})" if parts else ""


def with_condition(
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


def and_clause(condition: Typed | None) -> str:
    """The condition after one that stands already."""
    return "" if condition is None else f" AND {condition.sql}"
