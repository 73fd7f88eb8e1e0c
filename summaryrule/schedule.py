"""Interval runs: which windows the schedule owes, and where its cursor stands.

1. Without a cursor the first window is the last complete one; from then on every window runs,
   oldest first, none dropped (design, section 6).
2. The cursor moves when a window's submission is recorded, never when one fails.
3. A window is never submitted before its end is ``ingestionDelay`` ago.
4. What fails for good is kept, and retried or skipped by annotation. While ``failed_limit`` of
   them wait, no new window is taken: nothing is lost, and a broken rule does not hammer Kusto.
"""

from dataclasses import dataclass

from summaryrule import acts, flight
from summaryrule.identity import schedule_key, token
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.settings import Settings
from summaryrule.typical import typical
from summaryrule.v1 import ScheduleStatus, SummaryRule, SummaryRuleSpec, WindowStatus
from summaryrule.windows import Tiles, floor, next_window


@dataclass(frozen=True, slots=True)
class Progress:
    """The schedule after what was observed, and what happened on the way."""

    status: ScheduleStatus
    settled: flight.Settled


def settle(
    rule: SummaryRule,
    status: ScheduleStatus,
    observed: Observed,
    now: Instant,
    settings: Settings,
    *,
    may_retry: bool,
) -> Progress:
    """Credit, retry or fail what is in flight; apply retry and skip annotations.

    A retry that stays on the rule for its backfill (``phase.keeps_retry``) waits here, too, or a
    window that is refused would be sent over and over.
    """
    settled = flight.settle(status.in_flight, observed, now, settings)
    sorted_ = acts.apply(rule, (*status.failed, *settled.failed), may_retry=may_retry)
    ends = [window.end for window in (*settled.accepted, *settled.done, *sorted_.skipped)]
    done = [window.end for window in settled.done]
    changes = {
        "cursor": max([*ends, *_maybe(status.cursor)], default=None),
        "last_done": max([*done, *_maybe(status.last_done)], default=None),
        "in_flight": _named(rule, (*settled.flying, *map(acts.fresh, sorted_.again))),
        "failed": _ordered(sorted_.stay),
        "operation_time": typical(status.operation_time, settled.done, observed),
    }
    return Progress(status.model_copy(update=changes), settled)


def due(spec: SummaryRuleSpec, status: ScheduleStatus, now: Instant, settings: Settings) -> Tiles:
    """Every window that is due and neither submitted nor intended, oldest first."""
    ends = [window.end for window in (*status.in_flight, *status.failed)]
    taken = max([*ends, *_maybe(status.cursor)], default=None)
    first = next_window(now, spec.interval, spec.ingestion_delay, taken)
    limit = floor(now.plus(-spec.ingestion_delay.ticks), spec.interval)
    is_open = not spec.suspend and settings.mode == "all"
    return Tiles(first.start, limit if is_open else first.start, spec.interval)


def intend(
    rule: SummaryRule, status: ScheduleStatus, windows: Tiles, settings: Settings
) -> ScheduleStatus:
    """Take up the next windows, as far as the bound on those in flight allows."""
    known = flight.addressed(status.in_flight, rule, settings)
    room = settings.interval_in_flight - len(known)
    if len(status.failed) >= settings.failed_limit:
        room = 0
    intents = tuple(
        WindowStatus(
            start=window.start,
            end=window.end,
            token=token(rule, schedule_key(rule), window.start),
            **flight.address(rule, settings),
        )
        for window in windows[: max(room, 0)]
    )
    return status.model_copy(update={"in_flight": (*known, *intents)})


def _named(rule: SummaryRule, windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    """In order, each with a token: windows adopted from upstream come without one."""
    return _ordered(
        tuple(
            window
            if window.token
            else window.model_copy(update={"token": token(rule, schedule_key(rule), window.start)})
            for window in windows
        )
    )


def _ordered(windows: tuple[WindowStatus, ...]) -> tuple[WindowStatus, ...]:
    return tuple(sorted(windows, key=lambda window: window.start))


def _maybe(instant: Instant | None) -> tuple[Instant, ...]:
    return () if instant is None else (instant,)
