"""How long the windows of a plan should take, from the operations that the rule has had.

Status keeps how long an operation took of late (``typical``); this says where each figure comes
from, so that a reader can judge it. Used by ``explain``.
"""

from collections.abc import Iterator
from typing import Final

from summaryrule.agenda import Plan
from summaryrule.duration import Duration
from summaryrule.settings import Settings
from summaryrule.v1 import SummaryRule, SummaryRuleStatus

Estimate = dict[str, str]
_SECOND: Final = 1_000_000_000
_UNKNOWN: Final = {"duration": "unknown", "from": "no operation of this rule has ended yet"}


def estimates(
    rule: SummaryRule, planned: Plan, counts: dict[str, int], settings: Settings
) -> dict[str, Estimate]:
    """For each kind of which ``counts`` has windows: its ``duration``, and what that is ``from``.

    It covers the operations alone, as many at once as may be; waiting for what is held back, or
    not due yet, comes on top.
    """
    status = rule.status or SummaryRuleStatus()
    wanted = rule.spec.backfill
    at_once = {
        "interval": settings.interval_in_flight,
        "backfill": wanted.max_in_flight if wanted is not None else 1,
    }
    known = {
        "interval": [*_of_runs(status), *_of_backfills(status, planned)],
        "backfill": [*_of_backfills(status, planned), *_of_runs(status)],
    }
    return {
        kind: _estimate(count, at_once[kind], known[kind])
        for kind, count in counts.items()
        if count
    }


def _estimate(count: int, at_once: int, known: list[tuple[Duration, str]]) -> Estimate:
    if not known:
        return dict(_UNKNOWN)
    each, source = known[0]
    whole = -(-count // at_once) * each.nanoseconds
    if whole > _SECOND:
        whole = -(-whole // _SECOND) * _SECOND
    how = f"{each} an operation on average, as {source} took; up to {at_once} at once"
    return {"duration": str(Duration(whole)), "from": how}


def _of_runs(status: SummaryRuleStatus) -> Iterator[tuple[Duration, str]]:
    if status.schedule is not None and status.schedule.operation_time is not None:
        yield status.schedule.operation_time, "its interval runs"


def _of_backfills(status: SummaryRuleStatus, planned: Plan) -> Iterator[tuple[Duration, str]]:
    running = planned.backfill or status.backfill
    if running is not None and running.operation_time is not None:
        yield running.operation_time, "this backfill"
    for record in status.backfill_history:
        if record.operation_time is not None:
            yield record.operation_time, f"its backfill from {record.start}"
