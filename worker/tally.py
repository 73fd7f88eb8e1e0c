"""Counts what the loop does, for the metrics: the difference that each write makes.

Nothing is counted where a decision is made, so that the pure rooms stay pure and a window is
counted when it is recorded, not when it is hoped for.
"""

from collections.abc import Iterable

from summaryrule.api.backfill_request import is_active
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.v1 import (
    BackfillStatus,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.api.windows import count_windows, floor
from worker.kube.store import Key, key_of
from worker.metrics import Metrics
from worker.ports import RawRule
from worker.reader import ModelCache


class StatusMetrics:
    """Feeds ``Metrics``; one a worker."""

    def __init__(self, metrics: Metrics, reader: ModelCache) -> None:
        self._metrics, self._reader = metrics, reader
        self._in_flight: dict[Key, tuple[int, int]] = {}
        self._sums = (0, 0)

    def observe_rule(self, rule: RawRule, now: Instant) -> None:
        """A rule was looked at: its interval and lag, and what is left of its backfill."""
        key, known = key_of(rule), self._reader.parse_or_none(rule)
        self._metrics.rule_interval(*key, None if known is None else _interval(known))
        self._metrics.rule_lag(*key, None if known is None else _lag(known, now))
        self._metrics.backfill_remaining(*key, None if known is None else _remaining(known, now))
        self._set_in_flight(key, self._reader.status(rule))

    def observe_write(self, before: RawRule, after: RawRule) -> None:
        """A rule was written: count the windows that came to something."""
        old, new = self._reader.status(before), self._reader.status(after)
        self._count_schedule(old.schedule or ScheduleStatus(), new.schedule or ScheduleStatus())
        if new.backfill is not None:
            self._count_backfill(old.backfill, new.backfill)

    def forget(self, key: Key) -> None:
        """The rule is gone."""
        self._metrics.forget_rule(*key)
        self._change(self._in_flight.pop(key, (0, 0)), (0, 0))

    def _count_schedule(self, old: ScheduleStatus, new: ScheduleStatus) -> None:
        left = {w.token for w in old.in_flight} - {w.token for w in new.in_flight}
        failed = {w.token for w in new.failed} - {w.token for w in old.failed}
        if left - failed:
            self._metrics.window("interval", "completed", len(left - failed))
        if failed:
            self._metrics.window("interval", "failed", len(failed))

    def _count_backfill(self, old: BackfillStatus | None, new: BackfillStatus) -> None:
        same = old is not None and old.request_key == new.request_key
        done = new.windows_done - (old.windows_done if old is not None and same else 0)
        failed = len(new.failed) - (len(old.failed) if old is not None and same else 0)
        if same and done > 0:
            self._metrics.window("backfill", "completed", done)
        if failed > 0:
            self._metrics.window("backfill", "failed", failed)

    def _set_in_flight(self, key: Key, status: SummaryRuleStatus) -> None:
        runs = _submitted(status.schedule.in_flight) if status.schedule is not None else 0
        past = _submitted(status.backfill.in_flight) if status.backfill is not None else 0
        self._change(self._in_flight.get(key, (0, 0)), (runs, past))
        self._in_flight[key] = (runs, past)

    def _change(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Sums are carried on: adding all rules up at each look is too slow for thousands."""
        runs, past = (s - b + a for s, b, a in zip(self._sums, before, after, strict=True))
        self._sums = (runs, past)
        self._metrics.in_flight("interval", runs)
        self._metrics.in_flight("backfill", past)


def _submitted(windows: Iterable[WindowStatus]) -> int:
    """An intent without an operation may be the next window's, recorded ahead."""
    return sum(1 for window in windows if window.operation_id is not None)


def _interval(rule: SummaryRule) -> float:
    return _seconds(rule.spec.interval.ticks)


def _lag(rule: SummaryRule, now: Instant) -> float | None:
    """Seconds from the last done window to now; None while nothing has to follow it."""
    schedule = rule.status.schedule if rule.status is not None else None
    if rule.spec.suspend or schedule is None or schedule.last_done is None:
        return None
    return max(_seconds(now.ticks - schedule.last_done.ticks), 0.0)


def _remaining(rule: SummaryRule, now: Instant) -> int | None:
    """Due windows that the backfill has to run; None while it has none or is paused."""
    backfill = rule.status.backfill if rule.status is not None else None
    if backfill is None or not is_active(backfill) or backfill.phase == "Paused":
        return None
    left = backfill.windows_total - backfill.windows_done - backfill.windows_skipped
    interval = rule.spec.interval
    due_until = floor(now.plus(-rule.spec.ingestion_delay.ticks), interval)
    begins = max(due_until, floor(backfill.requested_start, interval))
    return max(left - count_windows(begins, backfill.requested_end, interval), 0)


def _seconds(ticks: int) -> float:
    return ticks / TICKS_PER_SECOND
