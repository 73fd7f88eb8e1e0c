"""Interval runs: which windows the schedule owes, and where its cursor stands.

1. Without a cursor the first window is the last complete one; from then on every window runs,
   oldest first, none dropped (design, section 6).
2. The cursor moves when a window's submission is recorded, never when one fails.
3. A window is never submitted before its end is ``ingestionDelay`` ago.
4. What fails for good is kept, and retried or skipped by annotation. While ``failed_limit`` of
   them wait, no new window is taken: nothing is lost, and a broken rule does not hammer Kusto.
"""

from dataclasses import dataclass

from summaryrule.api.backfill_request import schedule_key, window_token
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import ScheduleStatus, SummaryRule, SummaryRuleSpec, WindowStatus
from summaryrule.api.windows import WindowSequence, floor, next_window
from summaryrule.planner import annotations, window_execution
from summaryrule.planner.progress import update_average
from summaryrule.planner.types import Observations, PlannerSettings


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """The schedule after what was observed, and what happened on the way."""

    status: ScheduleStatus
    outcomes: window_execution.WindowOutcomes


def apply_observations(
    rule: SummaryRule,
    status: ScheduleStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
    *,
    may_retry: bool,
) -> ScheduleStep:
    """Credit, retry or fail what is in flight; apply retry and skip annotations.

    A retry that stays on the rule for its backfill (``phase.keeps_retry``) waits here, too, or a
    window that is refused would be sent over and over.
    """
    settled = window_execution.apply_observations(status.in_flight, observed, now, settings)
    sorted_ = annotations.apply(rule, (*status.failed, *settled.failed), may_retry=may_retry)
    ends = [window.end for window in (*settled.accepted, *settled.done, *sorted_.skipped)]
    done = [window.end for window in settled.done]
    changes = {
        "cursor": max([*ends, *_maybe(status.cursor)], default=None),
        "last_done": max([*done, *_maybe(status.last_done)], default=None),
        "in_flight": _with_tokens(
            rule, (*settled.in_flight, *map(annotations.reset_attempts, sorted_.retried))
        ),
        "failed": _sorted_by_start(sorted_.kept),
        "operation_time": update_average(status.operation_time, settled.done, observed),
    }
    return ScheduleStep(status.model_copy(update=changes), settled)


def due_windows(
    spec: SummaryRuleSpec, status: ScheduleStatus, now: Instant, settings: PlannerSettings
) -> WindowSequence:
    """Every window that is due and neither submitted nor intended, oldest first."""
    ends = [window.end for window in (*status.in_flight, *status.failed)]
    taken = max([*ends, *_maybe(status.cursor)], default=None)
    first = next_window(now, spec.interval, spec.ingestion_delay, taken)
    limit = floor(now.plus(-spec.ingestion_delay.ticks), spec.interval)
    is_open = not spec.suspend and settings.mode == "all"
    return WindowSequence(first.start, limit if is_open else first.start, spec.interval)


def record_intents(
    rule: SummaryRule, status: ScheduleStatus, windows: WindowSequence, settings: PlannerSettings
) -> ScheduleStatus:
    """Take up the next windows, as far as the bound on those in flight allows."""
    known = window_execution.with_current_target(status.in_flight, rule, settings)
    room = settings.interval_in_flight - len(known)
    if len(status.failed) >= settings.failed_limit:
        room = 0
    intents = tuple(
        WindowStatus(
            start=window.start,
            end=window.end,
            token=window_token(rule, schedule_key(rule), window.start),
            **window_execution.target_of(rule, settings),
        )
        for window in windows[: max(room, 0)]
    )
    return status.model_copy(update={"in_flight": (*known, *intents)})


def _with_tokens(rule: SummaryRule, windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    """In order, each with a token: windows adopted from upstream come without one."""
    return _sorted_by_start(
        tuple(
            window
            if window.token
            else window.model_copy(
                update={"token": window_token(rule, schedule_key(rule), window.start)}
            )
            for window in windows
        )
    )


def _sorted_by_start(windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    return tuple(sorted(windows, key=lambda window: window.start))


def _maybe(instant: Instant | None) -> tuple[Instant, ...]:
    return () if instant is None else (instant,)
