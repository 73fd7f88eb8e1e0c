"""Functions that look at other rows: `prev`, `next`, `row_number`, `row_cumsum`, and ranks.

The rows must be in an order (`sort`, `serialize`). Source: Kusto docs, "Window functions".
"""

from collections.abc import Callable
from typing import Final

from emulator.engine.arithmetic import truth
from emulator.engine.conversion import convert
from emulator.engine.functions.registry import Call
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed, constant, null


def _over(call: Call, *more_keys: str, frame: str = "") -> str:
    relation = call.binder.relation
    if relation is None or not relation.order:
        raise call.error(
            "can be invoked only on rows in an order: write sort or serialize before", "SEM0210"
        )
    keys = [*relation.keys, *more_keys]
    partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
    return f"OVER ({partition}ORDER BY {', '.join(relation.order)}{frame})"


def _plain(call: Call, value: Typed) -> Typed:
    """`value` without a window inside."""
    return call.binder.hoist(value) if value.windowed else value


def _neighbour(function: str) -> Callable[[Call], Typed]:
    def bind(call: Call) -> Typed:
        if not 1 <= len(call.arguments) <= 3:
            raise call.error("function expects 1 to 3 arguments")
        value = _plain(call, call.arguments[0])
        offset = call.argument(1, "long") if len(call.arguments) > 1 else constant("long", 1)
        if not isinstance(offset.constant, int):
            raise UnsupportedProblem(f"a computed offset in '{call.name}()'", call.at)
        default = (
            convert(call.arguments[2], value.type) if len(call.arguments) > 2 else null(value.type)
        )
        sql = f"{function}({value.sql}, {offset.constant}, {default.sql}) {_over(call)}"
        return Typed(sql, value.type, windowed=True)

    return bind


def _row_number(call: Call) -> Typed:
    start = call.argument(0, "long") if call.arguments else constant("long", 1)
    groups = _restarts(call, 1)
    return Typed(f"(row_number() {_over(call, *groups)} + {start.sql} - 1)", "long", windowed=True)


def _restarts(call: Call, index: int) -> list[str]:
    """A hidden column that counts the restarts so far."""
    if len(call.arguments) <= index:
        return []
    condition = _plain(call, truth(call.arguments[index], call.name, call.at))
    frame = " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    count = f"sum(coalesce({condition.sql}, false)::INTEGER) {_over(call, frame=frame)}"
    return [call.binder.hoist(Typed(count, "long", windowed=True)).sql]


def _row_cumsum(call: Call) -> Typed:
    if not 1 <= len(call.arguments) <= 2:
        raise call.error("function expects 1 or 2 arguments")
    value = _plain(call, call.arguments[0])
    if value.type not in ("int", "long", "real", "timespan", "decimal"):
        raise call.error(f"argument 1 must be a number, and is a {value.type}")
    value = convert(value, "long") if value.type == "int" else value
    groups = _restarts(call, 1)
    frame = " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    total = f"sum({value.sql}) {_over(call, *groups, frame=frame)}"
    cast = {"long": "BIGINT", "timespan": "BIGINT", "real": "DOUBLE", "decimal": "DECIMAL(38,9)"}[
        value.type
    ]
    return Typed(f"(coalesce({total}, 0))::{cast}", value.type, windowed=True)


def _rank(call: Call, *, dense: bool) -> Typed:
    if not 1 <= len(call.arguments) <= 2:
        raise call.error("function expects 1 or 2 arguments")
    value = _plain(call, call.arguments[0])
    groups = _restarts(call, 1)
    before = f"lag({value.sql}) {_over(call, *groups)}"
    first = f"(row_number() {_over(call, *groups)} = 1)"
    changed = call.binder.hoist(
        Typed(f"({first} OR {value.sql} IS DISTINCT FROM {before})", "bool", windowed=True)
    )
    frame = " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
    if dense:
        return Typed(
            f"sum({changed.sql}::INTEGER) {_over(call, *groups, frame=frame)}::BIGINT",
            "long",
            windowed=True,
        )
    number = call.binder.hoist(Typed(f"row_number() {_over(call, *groups)}", "long", windowed=True))
    sql = f"max(CASE WHEN {changed.sql} THEN {number.sql} END) {_over(call, *groups, frame=frame)}"
    return Typed(sql, "long", windowed=True)


def _session(call: Call) -> Typed:
    raise UnsupportedProblem("the function 'row_window_session()'", call.at)


def _rank_dense(call: Call) -> Typed:
    return _rank(call, dense=True)


def _rank_min(call: Call) -> Typed:
    return _rank(call, dense=False)


WINDOWS: Final[dict[str, Callable[[Call], Typed]]] = {
    "prev": _neighbour("lag"),
    "next": _neighbour("lead"),
    "row_number": _row_number,
    "row_cumsum": _row_cumsum,
    "row_rank_dense": _rank_dense,
    "row_rank_min": _rank_min,
    "row_window_session": _session,
}
