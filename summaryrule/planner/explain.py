"""The plan in a form for people and scripts: what ``worker plan`` prints (design, section 12)."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, takewhile
from typing import Any, Final

from summaryrule import kql
from summaryrule.api.backfill_request import schedule_key, window_token
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillStatus, SummaryRule, SummaryRuleStatus
from summaryrule.api.windows import Window, is_due
from summaryrule.planner import progress
from summaryrule.planner.types import Plan, PlannerSettings

LIMIT: Final = 1_000


def explain(
    rule: SummaryRule, planned: Plan, now: Instant, settings: PlannerSettings
) -> dict[str, Any]:
    """Every due window of the plan, oldest first, the first 1,000 of each kind, and its holds."""
    intervals = planned.due_windows if planned.due_windows is not None else ()
    past = planned.backfill
    waiting = (
        chain(_unfinished_windows(rule, past, now), _due_backfill_windows(rule, past, now))
        if past is not None
        else iter(())
    )
    key = past.request_key if past is not None else ""
    shown = list(islice(waiting, LIMIT))
    beyond = sum(1 for _ in waiting)
    counts = {"interval": len(intervals), "backfill": len(shown) + beyond}
    more = max(0, len(intervals) - LIMIT) + beyond
    return {
        "name": rule.metadata.name,
        "count": counts,
        "estimate": estimates(rule, planned, counts, settings),
        "held": [{"reason": held.reason, "message": held.message} for held in planned.blocked],
        "interval": [
            _window_as_json(rule, window, schedule_key(rule), settings)
            for window in intervals[:LIMIT]
        ],
        "backfill": [_window_as_json(rule, window, key, settings) for window in shown],
        **({"more": more} if more else {}),
    }


def _unfinished_windows(rule: SummaryRule, past: BackfillStatus, now: Instant) -> Iterator[Window]:
    """Windows that the same request left unfinished when it ended, not yet taken up again."""
    stored = rule.status.backfill if rule.status is not None else None
    taken = {window.token for window in stored.in_flight} if stored is not None else set()
    for window in past.in_flight:
        if window.token not in taken and is_due(window.window, now, rule.spec.ingestion_delay):
            yield window.window


def _due_backfill_windows(
    rule: SummaryRule, past: BackfillStatus, now: Instant
) -> Iterable[Window]:
    delay = rule.spec.ingestion_delay
    windows = progress.pending_windows(past, rule.spec.interval)
    return takewhile(lambda window: is_due(window, now, delay), windows)


def _window_as_json(
    rule: SummaryRule, window: Window, key: str, settings: PlannerSettings
) -> Mapping[str, str]:
    name = window_token(rule, key, window.start)
    return {
        "start": str(window.start),
        "end": str(window.end),
        "queryEnd": str(window.query_end),
        "command": kql.append_command(rule.spec, window, settings.labels, token=name),
        "token": name,
    }


Estimate = dict[str, str]
_SECOND: Final = 1_000_000_000
_UNKNOWN: Final = {"duration": "unknown", "from": "no operation of this rule has ended yet"}


def estimates(
    rule: SummaryRule, planned: Plan, counts: dict[str, int], settings: PlannerSettings
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
        "interval": [*_from_schedule(status), *_from_backfills(status, planned)],
        "backfill": [*_from_backfills(status, planned), *_from_schedule(status)],
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


def _from_schedule(status: SummaryRuleStatus) -> Iterator[tuple[Duration, str]]:
    if status.schedule is not None and status.schedule.operation_time is not None:
        yield status.schedule.operation_time, "its interval runs"


def _from_backfills(status: SummaryRuleStatus, planned: Plan) -> Iterator[tuple[Duration, str]]:
    running = planned.backfill or status.backfill
    if running is not None and running.operation_time is not None:
        yield running.operation_time, "this backfill"
    for record in status.backfill_history:
        if record.operation_time is not None:
            yield record.operation_time, f"its backfill from {record.start}"
