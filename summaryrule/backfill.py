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
7. A request that ends goes to history, from where the same one is never run again. What history
   has of one that ended part-way (its mark, what is done beyond it, the windows whose end is not
   known) is what it goes on from when it is asked for again, on whatever grid.

``TRANSITIONS`` is the one table of phases; ``worker`` and ``plan`` change a phase nowhere else.
"""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from summaryrule import acts, flight
from summaryrule.identity import request_key, spec_hash, token
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.remaining import counted, credit, estimated, outstanding
from summaryrule.request import ask_of, find_ended
from summaryrule.settings import Settings
from summaryrule.typical import typical
from summaryrule.v1 import (
    DEFAULTED_END,
    FINALIZER,
    REQUESTED_BY,
    SKIPPED_LIMIT,
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    Phase,
    SummaryRule,
    WindowStatus,
)
from summaryrule.windows import Window, ceil, is_due


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
    asked = ask_of(wanted, interval)
    ended = find_ended(history, asked)
    start = ended.start if ended is not None else asked.start
    reached = ended.done_until if ended is not None and ended.done_until is not None else start
    kept = _kept(ended) if ended is not None else {"interval": interval}
    status = BackfillStatus(
        request_key=request_key(rule, start, wanted.request_id),
        request_id=wanted.request_id,
        requested_start=start,
        requested_end=ceil(wanted.end, interval),
        end_defaulted=_is_defaulted(rule, wanted),
        requested_by=rule.metadata.annotations.get(REQUESTED_BY),
        requested_at=now,
        done_until=max(start, reached),
        spec_hash=spec_hash(rule.spec),
    )
    return counted(status.model_copy(update=kept), interval)


def _kept(ended: BackfillRecord) -> dict[str, object]:
    """What a request that is asked for again has of the time before."""
    return {
        "interval": ended.interval,
        "windows_done": ended.windows,
        "done_ahead": ended.done_ahead,
        "in_flight": ended.unfinished,
        "operation_time": ended.operation_time,
    }


def known(rule: SummaryRule, opened: BackfillStatus) -> BackfillStatus:
    """A request that history has as done: up to there it is complete, and nothing of it runs."""
    end = min(opened.requested_end, opened.done_until)
    done = moved(opened, Event.FINISHED, clearing=True, in_flight=(), requested_end=end)
    return counted(done, rule.spec.interval)


def retarget(rule: SummaryRule, status: BackfillStatus, wanted: BackfillSpec) -> BackfillStatus:
    """The same request with the end that spec asks for now: later extends, earlier shortens.

    A failed window that the range has left asks for no act any more.
    """
    end = ceil(wanted.end, rule.spec.interval)
    if end == status.requested_end:
        return status
    changes = {
        "requested_end": end,
        "end_defaulted": _is_defaulted(rule, wanted),
        "failed": tuple(window for window in status.failed if window.start < end),
    }
    return counted(status.model_copy(update=changes), rule.spec.interval)


def _is_defaulted(rule: SummaryRule, wanted: BackfillSpec) -> bool:
    """Whether admission chose the end: its annotation names the very end that spec has."""
    return rule.metadata.annotations.get(DEFAULTED_END) == str(wanted.end)


def settle(
    rule: SummaryRule, status: BackfillStatus, observed: Observed, now: Instant, settings: Settings
) -> BackfillStatus:
    """Credit, retry or fail what is in flight (rule 3); ``intend`` sets out ahead anew."""
    begun = [window for window in status.in_flight if not flight.is_ahead(window, now)]
    settled = flight.settle(begun, observed, now, settings)
    errors = [window.error for window in (*settled.flying, *settled.failed) if window.error]
    changed = status.model_copy(
        update={
            "in_flight": settled.flying,
            "failed": tuple(sorted((*status.failed, *settled.failed), key=_by_start)),
            "windows_done": status.windows_done + len(settled.done),
            "windows_retried": status.windows_retried + settled.retried,
            "last_error": errors[-1] if errors else status.last_error,
            "operation_time": typical(status.operation_time, settled.done, observed),
        }
    )
    return _passed(rule, changed, settled.done, now)


def act(
    rule: SummaryRule, status: BackfillStatus, now: Instant, *, may_retry: bool
) -> BackfillStatus:
    """Apply the annotations on windows; what is retried goes out with the text of now (rule 6)."""
    asked = acts.apply(rule, status.failed, may_retry=may_retry)
    again = map(acts.fresh, asked.again)
    changed = status.model_copy(
        update={
            "in_flight": tuple(sorted((*status.in_flight, *again), key=_by_start)),
            "failed": tuple(sorted(asked.stay, key=_by_start)),
            "windows_retried": status.windows_retried + len(asked.again),
            "spec_hash": spec_hash(rule.spec) if asked.again else status.spec_hash,
        }
    )
    if asked.again:
        changed = counted(changed, rule.spec.interval)
    skipped = (*asked.skipped, *_skipped_ahead(rule, credit(changed, asked.skipped)))
    return _passed(rule, _left_out(changed, skipped), skipped, now)


def _passed(
    rule: SummaryRule, status: BackfillStatus, windows: tuple[WindowStatus, ...], now: Instant
) -> BackfillStatus:
    """With windows that are done or skipped counted in; as it is where there are none."""
    if not windows:
        return status
    return estimated(counted(credit(status, windows), rule.spec.interval), now)


def _skipped_ahead(rule: SummaryRule, status: BackfillStatus) -> tuple[WindowStatus, ...]:
    """Windows still to run that the skip annotation names."""
    named = acts.named_to_skip(rule)
    if not named:
        return ()
    windows = outstanding(status, rule.spec.interval)
    return tuple(
        WindowStatus(start=window.start, end=window.end)
        for window in windows
        if window.start in named
    )


def _left_out(status: BackfillStatus, skipped: tuple[WindowStatus, ...]) -> BackfillStatus:
    return status.model_copy(
        update={
            "skipped": (*status.skipped, *skipped)[-SKIPPED_LIMIT:],
            "windows_skipped": status.windows_skipped + len(skipped),
        }
    )


def intend(
    rule: SummaryRule,
    status: BackfillStatus,
    wanted: BackfillSpec,
    now: Instant,
    settings: Settings,
) -> BackfillStatus:
    """Take up the next due windows, as far as ``maxInFlight`` allows (rule 3).

    When the last that was in flight has ended and the next is due within ``brief_wait``, its intent
    is recorded ahead, in the same write: it goes out when it is due, and the finalizer stays.
    """
    known = flight.addressed(status.in_flight, rule, settings)
    room = wanted.max_in_flight - len(known)
    intents: list[WindowStatus] = []
    for window in outstanding(status, rule.spec.interval):
        if len(intents) >= room or not is_due(window, now, rule.spec.ingestion_delay):
            break
        intents.append(_intent(rule, status, window, settings))
    ahead = None if known or intents else _soon(rule, status, now, settings)
    if ahead is not None:
        intents.append(_intent(rule, status, ahead, settings))
    begins = status.phase == "Pending" and bool(intents or status.in_flight)
    if not intents and not begins:
        return status.model_copy(update={"in_flight": known})
    started = moved(status, Event.STARTED) if begins else status
    flying = tuple(sorted((*known, *intents), key=_by_start))
    changes: dict[str, object] = {"in_flight": flying, "started_at": status.started_at or now}
    paced = started if started.paced_from is not None else pace_anew(started, now)
    return paced.model_copy(update=changes)


def _soon(
    rule: SummaryRule, status: BackfillStatus, now: Instant, settings: Settings
) -> Window | None:
    """The next window, if it is waited for briefly after another."""
    if status.phase != "Running" or FINALIZER not in rule.metadata.finalizers:
        return None
    soon = now.plus(settings.brief_wait.ticks)
    following = next(outstanding(status, rule.spec.interval), None)
    is_soon = following is not None and is_due(following, soon, rule.spec.ingestion_delay)
    return following if is_soon else None


def pace_anew(status: BackfillStatus, now: Instant) -> BackfillStatus:
    """Count the pace from here: what was done or waited before says nothing of what is to come."""
    return status.model_copy(
        update={
            "paced_from": now,
            "paced_windows": status.windows_done,
            "estimated_completion": None,
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
        end_defaulted=status.end_defaulted,
        by=status.requested_by,
        phase=status.phase,
        interval=status.interval,
        windows=status.windows_done,
        done_until=status.done_until,
        done_ahead=status.done_ahead,
        unfinished=tuple(_bare(window) for window in (*status.in_flight, *status.failed)),
        operation_time=status.operation_time,
        finished_at=now,
    )


def _bare(window: WindowStatus) -> WindowStatus:
    """The intent alone: nothing of how it went, so that it begins anew."""
    return WindowStatus(start=window.start, end=window.end, token=window.token)


def _intent(
    rule: SummaryRule, status: BackfillStatus, window: Window, settings: Settings
) -> WindowStatus:
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=token(rule, status.request_key, window.start),
        **flight.address(rule, settings),
    )


def _by_start(window: WindowStatus) -> Instant:
    return window.start
