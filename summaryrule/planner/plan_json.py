"""A plan as JSON for people and scripts, the output of ``worker plan``.

It lists the windows that are due, the command of each, why windows do not run, and an estimate of
the time that the operations take.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, takewhile
from typing import Any, Final

from summaryrule import window_command
from summaryrule.api.duration import NANOSECONDS_PER_SECOND, Duration
from summaryrule.api.instant import Instant
from summaryrule.api.tokens import window_token
from summaryrule.api.v1 import BackfillStatus, SummaryRule, SummaryRuleStatus
from summaryrule.api.windows import Window, is_due
from summaryrule.planner import backfill_state_machine, progress
from summaryrule.planner.types import Plan, PlannerSettings

LIMIT: Final = 1_000
_UNKNOWN: Final = {"duration": "unknown", "from": "no operation of this rule has ended yet"}

Estimate = dict[str, str]


def explain(
    rule: SummaryRule, plan: Plan, now: Instant, settings: PlannerSettings
) -> dict[str, Any]:
    """The plan as JSON, with at most 1,000 due windows of each kind, oldest first.

    ``count`` counts all of them; ``more`` is how many are left out. ``held`` are the block reasons.
    """
    intervals = plan.due_windows if plan.due_windows is not None else ()
    status = plan.backfill
    due = (
        chain(_unfinished_windows(rule, status, now), _due_backfill_windows(rule, status, now))
        if status is not None
        else iter(())
    )
    run = backfill_state_machine.run_of(rule, status) if status is not None else None
    listed = list(islice(due, LIMIT))
    beyond = sum(1 for _ in due)
    counts = {"interval": len(intervals), "backfill": len(listed) + beyond}
    more = max(0, len(intervals) - LIMIT) + beyond
    return {
        "name": rule.metadata.name,
        "count": counts,
        "estimate": estimates(rule, plan, counts, settings),
        "held": [each.as_json() for each in plan.blocked],
        "interval": [_window_as_json(rule, window, None, settings) for window in intervals[:LIMIT]],
        "backfill": [_window_as_json(rule, window, run, settings) for window in listed],
        **({"more": more} if more else {}),
    }


def _unfinished_windows(
    rule: SummaryRule, status: BackfillStatus, now: Instant
) -> Iterator[Window]:
    """Windows that an earlier run of the request left unfinished, without a stored intent."""
    stored = rule.status.backfill if rule.status is not None else None
    taken = {window.token for window in stored.in_flight} if stored is not None else set()
    for window in status.in_flight:
        is_known = window.token in taken or window.operation_id is not None
        if not is_known and is_due(window.window, now, rule.spec.ingestion_delay):
            yield window.window


def _due_backfill_windows(
    rule: SummaryRule, status: BackfillStatus, now: Instant
) -> Iterable[Window]:
    delay = rule.spec.ingestion_delay
    windows = progress.pending_windows(status, rule.spec.interval)
    return takewhile(lambda window: is_due(window, now, delay), windows)


def _window_as_json(
    rule: SummaryRule, window: Window, run: str | None, settings: PlannerSettings
) -> Mapping[str, str]:
    token = window_token(rule, window, run)
    command = window_command.append_command(
        rule, window, settings.labels, token=token, replaces=rule.spec.replaces
    )
    return {
        "start": str(window.start),
        "end": str(window.end),
        "queryEnd": str(window.query_end),
        "command": command,
        "token": token,
    }


def estimates(
    rule: SummaryRule, plan: Plan, counts: dict[str, int], settings: PlannerSettings
) -> dict[str, Estimate]:
    """The estimate of each kind that has windows: its ``duration``, and what it is ``from``.

    It is the time of the operations, with as many in flight as allowed. The time in which windows
    wait is not in it.
    """
    status = rule.status or SummaryRuleStatus()
    backfill = rule.spec.backfill
    limits = {
        "interval": settings.interval_in_flight,
        "backfill": backfill.max_in_flight if backfill is not None else 1,
    }
    averages = {
        "interval": [*_from_schedule(status), *_from_backfills(status, plan)],
        "backfill": [*_from_backfills(status, plan), *_from_schedule(status)],
    }
    return {
        kind: _estimate(count, limits[kind], averages[kind])
        for kind, count in counts.items()
        if count
    }


def _estimate(count: int, limit: int, averages: list[tuple[Duration, str]]) -> Estimate:
    if not averages:
        return dict(_UNKNOWN)
    average, source = averages[0]
    total = -(-count // limit) * average.nanoseconds
    if total > NANOSECONDS_PER_SECOND:
        total = -(-total // NANOSECONDS_PER_SECOND) * NANOSECONDS_PER_SECOND
    basis = f"{average} an operation on average, as {source} took; up to {limit} at once"
    return {"duration": str(Duration(total)), "from": basis}


def _from_schedule(status: SummaryRuleStatus) -> Iterator[tuple[Duration, str]]:
    if status.schedule is not None and status.schedule.operation_time is not None:
        yield status.schedule.operation_time, "its interval runs"


def _from_backfills(status: SummaryRuleStatus, plan: Plan) -> Iterator[tuple[Duration, str]]:
    current = plan.backfill or status.backfill
    if current is not None and current.operation_time is not None:
        yield current.operation_time, "this backfill"
    for record in status.backfill_history:
        if record.operation_time is not None:
            yield record.operation_time, f"its backfill from {record.start}"
