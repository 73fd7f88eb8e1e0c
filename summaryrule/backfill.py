"""The backfill of a past range: every state it can be in, and every way from one to another.

Theory of operation (design, section 7):

1. A request is its start on the grid and its requestId. Its end is a target that may move.
2. ``doneUntil`` is the high-water mark: every window before it is done. It never goes back, and
   it wins over a ``spec.backfill.start`` that did.
3. Every window is written down as an intent (bounds, attempt, token, endpoint) before it is
   submitted, and credited by that record.
4. Windows done out of order wait in ``doneAhead`` until the mark reaches them.
5. A window that fails for good stops new ones: phase Failed, until a retry, a skip or a new
   request. What is in flight is finished first.
6. Database, table, body and interval are part of the promise, as ``specHash``. When they change
   mid-run, what is in flight is finished and the phase is Failed, reason SpecChanged; a retry
   goes on from the mark with the new text.
7. A request that ends goes to history, from where the same one is never run again.

``TRANSITIONS`` is the one table of phases; ``worker`` and ``plan`` change a phase nowhere else.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

from summaryrule import acts, flight
from summaryrule.duration import Duration
from summaryrule.identity import request_key, spec_hash, token
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.request import find_ended
from summaryrule.settings import Settings
from summaryrule.v1 import (
    REQUESTED_BY,
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    Phase,
    Range,
    SummaryRule,
    WindowStatus,
)
from summaryrule.windows import Tiles, Window, ceil, floor, is_due, tile


class Event(Enum):
    """What can happen to a backfill."""

    STARTED = auto()
    PAUSED = auto()
    RESUMED = auto()
    FAILED = auto()
    RETRIED = auto()
    FINISHED = auto()
    REMOVED = auto()
    REPLACED = auto()
    EXTENDED = auto()


TRANSITIONS: Final[dict[tuple[Phase, Event], Phase]] = {
    ("Pending", Event.STARTED): "Running",
    ("Pending", Event.PAUSED): "Paused",
    ("Pending", Event.FAILED): "Failed",
    ("Pending", Event.FINISHED): "Completed",
    ("Pending", Event.REMOVED): "Canceled",
    ("Pending", Event.REPLACED): "Superseded",
    ("Running", Event.PAUSED): "Paused",
    ("Running", Event.FAILED): "Failed",
    ("Running", Event.FINISHED): "Completed",
    ("Running", Event.REMOVED): "Canceled",
    ("Running", Event.REPLACED): "Superseded",
    ("Paused", Event.RESUMED): "Running",
    ("Paused", Event.FAILED): "Failed",
    ("Paused", Event.FINISHED): "Completed",
    ("Paused", Event.REMOVED): "Canceled",
    ("Paused", Event.REPLACED): "Superseded",
    ("Failed", Event.RETRIED): "Running",
    ("Failed", Event.FINISHED): "Completed",
    ("Failed", Event.REMOVED): "Canceled",
    ("Failed", Event.REPLACED): "Superseded",
    ("Completed", Event.EXTENDED): "Running",
}

SPEC_CHANGED: Final = "SpecChanged"
WINDOW_FAILED: Final = "WindowFailed"


class IllegalTransitionError(RuntimeError):
    """An event that the phase does not allow: a mistake in the caller, never in the input."""


def after(phase: Phase, event: Event) -> Phase:
    """The phase that follows.

    Raises:
        IllegalTransitionError: where ``TRANSITIONS`` has no such step.
    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError as error:
        raise IllegalTransitionError(f"{phase} has no {event.name}") from error


def moved(status: BackfillStatus, event: Event, **changes: object) -> BackfillStatus:
    """The status after an event, with further fields changed."""
    return status.model_copy(update={"phase": after(status.phase, event), **changes})


def open_request(
    rule: SummaryRule, wanted: BackfillSpec, history: Iterable[BackfillRecord], now: Instant
) -> BackfillStatus:
    """The record of a new request; what history has of it counts as done."""
    interval = rule.spec.interval
    start = floor(wanted.start, interval)
    ended = find_ended(history, start, wanted.request_id)
    reached = ended.done_until if ended is not None and ended.done_until is not None else start
    status = BackfillStatus(
        request_key=request_key(rule, start, wanted.request_id),
        request_id=wanted.request_id,
        requested_start=start,
        requested_end=ceil(wanted.end, interval),
        requested_by=rule.metadata.annotations.get(REQUESTED_BY),
        requested_at=now,
        done_until=max(start, reached),
        spec_hash=spec_hash(rule.spec),
        windows_done=len(tile(start, reached, interval)),
    )
    return counted(status, interval)


def retarget(status: BackfillStatus, wanted: BackfillSpec, interval: Duration) -> BackfillStatus:
    """The same request with the end that spec asks for now: later extends, earlier shortens."""
    end = ceil(wanted.end, interval)
    if end == status.requested_end:
        return status
    return counted(status.model_copy(update={"requested_end": end}), interval)


def settle(
    rule: SummaryRule, status: BackfillStatus, observed: Observed, now: Instant, settings: Settings
) -> BackfillStatus:
    """Credit, retry or fail what is in flight, and apply the acts on failed windows (rule 3)."""
    settled = flight.settle(status.in_flight, observed, now, settings)
    sorted_ = acts.apply(rule, (*status.failed, *settled.failed))
    errors = [window.error for window in (*settled.flying, *settled.failed) if window.error]
    windows = sorted((*settled.flying, *sorted_.again), key=_by_start)
    changed = status.model_copy(
        update={
            "in_flight": tuple(windows),
            "failed": tuple(sorted(sorted_.stay, key=_by_start)),
            "skipped": (*status.skipped, *sorted_.skipped),
            "windows_done": status.windows_done + len(settled.done),
            "windows_retried": status.windows_retried + settled.retried + len(sorted_.again),
            "last_error": errors[-1] if errors else status.last_error,
        }
    )
    credited = credit(changed, (*settled.done, *sorted_.skipped))
    if not settled.done and not sorted_.skipped:
        return credited
    return _estimated(counted(credited, rule.spec.interval), now)


def credit(status: BackfillStatus, windows: Iterable[WindowStatus]) -> BackfillStatus:
    """Move the high-water mark over windows that need no more work (rules 2 and 4)."""
    ahead = [*status.done_ahead, *(Range(start=w.start, end=w.end) for w in windows)]
    mark, rest = status.done_until, list[Range]()
    for done in sorted(ahead, key=lambda each: each.start):
        if done.start <= mark:
            mark = max(mark, done.end)
        elif rest and done.start <= rest[-1].end:
            rest[-1] = Range(start=rest[-1].start, end=max(rest[-1].end, done.end))
        else:
            rest.append(done)
    return status.model_copy(update={"done_until": mark, "done_ahead": tuple(rest)})


def outstanding(status: BackfillStatus, interval: Duration) -> Iterator[Window]:
    """Windows neither done nor in flight nor failed, oldest first.

    After a change of interval the mark may lie off the new grid: then the first window is the
    part up to the next boundary, so that nothing is computed twice.
    """
    taken = {window.start for window in (*status.in_flight, *status.failed)}
    for window in _from_mark(status, interval):
        if window.start in taken or any(d.start <= window.start < d.end for d in status.done_ahead):
            continue
        yield window


def intend(
    rule: SummaryRule,
    status: BackfillStatus,
    wanted: BackfillSpec,
    now: Instant,
    settings: Settings,
) -> BackfillStatus:
    """Take up the next due windows, as far as ``maxInFlight`` allows (rule 3)."""
    room = wanted.max_in_flight - len(status.in_flight)
    intents: list[WindowStatus] = []
    for window in outstanding(status, rule.spec.interval):
        if len(intents) >= room or not is_due(window, now, rule.spec.ingestion_delay):
            break
        intents.append(_intent(rule, status, window, settings))
    if not intents:
        return status
    started = moved(status, Event.STARTED) if status.phase == "Pending" else status
    return started.model_copy(
        update={
            "in_flight": tuple(sorted((*status.in_flight, *intents), key=_by_start)),
            "started_at": status.started_at or now,
        }
    )


def is_finished(status: BackfillStatus) -> bool:
    """Whether every window is done or skipped and nothing is in flight."""
    return not status.in_flight and not status.failed and status.done_until >= status.requested_end


def to_history(status: BackfillStatus, now: Instant) -> BackfillRecord:
    """What history keeps of a request that ended (rule 7)."""
    return BackfillRecord(
        key=status.request_key,
        id=status.request_id,
        start=status.requested_start,
        end=status.requested_end,
        by=status.requested_by,
        phase=status.phase,
        windows=status.windows_done,
        done_until=status.done_until,
        finished_at=now,
    )


def counted(status: BackfillStatus, interval: Duration) -> BackfillStatus:
    """With its totals, percent and ``312/720`` made to agree."""
    ahead = sum(len(Tiles(done.start, done.end, interval)) for done in status.done_ahead)
    left = max(0, len(_from_mark(status, interval)) - ahead)
    passed = status.windows_done + len(status.skipped)
    total = passed + left
    return status.model_copy(
        update={
            "windows_total": total,
            "percent": 100 * passed // total if total else 100,
            "progress": f"{passed}/{total}",
        }
    )


def _estimated(status: BackfillStatus, now: Instant) -> BackfillStatus:
    left = status.windows_total - status.windows_done - len(status.skipped)
    if status.started_at is None or not status.windows_done:
        return status
    pace = (now.ticks - status.started_at.ticks) // status.windows_done
    end = Instant(now.plus(pace * left).ticks // 10_000_000 * 10_000_000)
    return status.model_copy(update={"estimated_completion": end if left else None})


def _from_mark(status: BackfillStatus, interval: Duration) -> "_Windows":
    return _Windows(status.done_until, status.requested_end, interval)


class _Windows:
    """The windows from the mark to the end; the first is cut where the mark is off the grid."""

    def __init__(self, mark: Instant, end: Instant, interval: Duration) -> None:
        self._first = Window(mark, min(ceil(mark, interval), end)) if mark < end else None
        aligned = ceil(mark, interval)
        self._rest = Tiles(aligned, max(aligned, end), interval)
        if self._first is not None and self._first.start == self._first.end:
            self._first = None

    def __len__(self) -> int:
        return len(self._rest) + (self._first is not None)

    def __iter__(self) -> Iterator[Window]:
        if self._first is not None:
            yield self._first
        yield from self._rest


def _intent(
    rule: SummaryRule, status: BackfillStatus, window: Window, settings: Settings
) -> WindowStatus:
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=token(rule, status.request_key, window.start),
        endpoint=settings.endpoints.get(rule.spec.database),
    )


def _by_start(window: WindowStatus) -> Instant:
    return window.start
