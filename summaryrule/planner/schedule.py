"""Interval runs: which windows are due, and how the cursor moves.

1. Without a cursor, the first window is the last complete one. Each later window runs, oldest
   first.
2. The cursor moves when the operation of a window is recorded, also if the window fails later.
3. A window is submitted at the earliest when its end is ``ingestionDelay`` ago.
4. A window that fails permanently stays in status until a retry or skip annotation. While
   ``failed_limit`` windows are there, no new window is taken.
"""

from dataclasses import dataclass

from summaryrule.api.constants import GRID_LIMIT
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.tokens import window_token
from summaryrule.api.v1 import (
    EarlierGrid,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleSpec,
    WindowStatus,
)
from summaryrule.api.windows import WindowSequence, floor, next_window
from summaryrule.planner import annotations, events, window_execution
from summaryrule.planner.progress import update_average
from summaryrule.planner.types import EmitEvent, PlanContext
from summaryrule.planner.window_execution import WindowOutcomes


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """The schedule after one step.

    Attributes:
        status: the status to store.
        due: windows that were due and had no intent before this step.
        events: Kubernetes Events to emit.
    """

    status: ScheduleStatus
    due: WindowSequence
    events: tuple[EmitEvent, ...] = ()


def step(context: PlanContext, before: ScheduleStatus, *, may_retry: bool) -> ScheduleStep:
    """Apply observations and annotations, then record the next intents.

    ``may_retry`` is False while a backfill defers the retry annotation. It waits here too:
    otherwise a window that Kusto rejects would be submitted again without end.
    """
    outcomes = window_execution.apply_observations(context, before.in_flight)
    status = _apply_outcomes(context, before, outcomes, may_retry=may_retry)
    due = due_windows(context.rule.spec, status, context.now)
    failed = outcomes.failed
    emitted = (events.window_failed(failed, "interval"),) if failed else ()
    if context.blocked is None and not context.is_handed_over:
        status = record_intents(context, status, due)
    return ScheduleStep(status, due, emitted)


def _apply_outcomes(
    context: PlanContext, status: ScheduleStatus, outcomes: WindowOutcomes, *, may_retry: bool
) -> ScheduleStatus:
    rule, observed = context.rule, context.observed
    result = annotations.apply(rule, (*status.failed, *outcomes.failed), may_retry=may_retry)
    ends = [window.end for window in (*outcomes.accepted, *outcomes.done, *result.skipped)]
    done = [window.end for window in outcomes.done]
    retried = map(annotations.reset_attempts, result.retried)
    changes = {
        "cursor": max([*ends, *_maybe(status.cursor)], default=None),
        "last_done": max([*done, *_maybe(status.last_done)], default=None),
        "in_flight": _with_tokens(rule, (*outcomes.in_flight, *retried)),
        "failed": _sorted_by_start(result.kept),
        "operation_time": update_average(status.operation_time, outcomes.done, observed),
    }
    return status.model_copy(update=changes)


def due_windows(spec: SummaryRuleSpec, status: ScheduleStatus, now: Instant) -> WindowSequence:
    """The windows that are due and have no intent yet, oldest first."""
    first = next_window(now, spec.interval, spec.ingestion_delay, status.taken_until)
    limit = floor(now.plus(-spec.ingestion_delay.ticks), spec.interval)
    return WindowSequence(first.start, first.start if spec.suspend else limit, spec.interval)


def record_intents(
    context: PlanContext, status: ScheduleStatus, windows: WindowSequence
) -> ScheduleStatus:
    """Record intents for the first windows, up to ``interval_in_flight`` windows in flight."""
    settings = context.settings
    known = window_execution.with_current_target(context, status.in_flight)
    capacity = settings.interval_in_flight - len(known)
    if len(status.failed) >= settings.failed_limit:
        capacity = 0
    chosen = windows[: max(capacity, 0)]
    intents = tuple(window_execution.new_intent(context, window) for window in chosen)
    if intents:
        status = _with_interval(status, context.rule.spec.interval)
    return status.model_copy(update={"in_flight": (*known, *intents)})


def _with_interval(status: ScheduleStatus, interval: Duration) -> ScheduleStatus:
    """With the interval of the next intents; the one before it, if any, becomes an earlier grid."""
    until = status.taken_until
    earlier = status.earlier_grids
    if status.interval not in (None, interval) and until is not None:
        grid = EarlierGrid(interval=status.interval, until=until)
        earlier = (grid, *earlier)[:GRID_LIMIT]
    return status.model_copy(update={"interval": interval, "earlier_grids": earlier})


def _with_tokens(rule: SummaryRule, windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    """The windows, oldest first, each with a token: those imported from adx-mon have none."""
    return _sorted_by_start(
        tuple(
            window
            if window.token
            else window.model_copy(update={"token": window_token(rule, window.window)})
            for window in windows
        )
    )


def _sorted_by_start(windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    return tuple(sorted(windows, key=lambda window: window.start))


def _maybe(instant: Instant | None) -> tuple[Instant, ...]:
    return () if instant is None else (instant,)
