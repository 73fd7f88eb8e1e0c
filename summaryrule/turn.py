"""One turn of a rule's backfill: from what is stored, wanted and observed to what is next.

Called by ``plan`` only. Each step is small and in the order that design, section 7, gives; the
phases change through ``backfill.TRANSITIONS`` alone.
"""

from dataclasses import dataclass, field, replace

from summaryrule import acts, backfill, request
from summaryrule.actions import Announce, Cancel, LookUpTag
from summaryrule.backfill import Event
from summaryrule.identity import spec_hash
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.settings import Settings
from summaryrule.v1 import (
    HISTORY_LIMIT,
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    SummaryRule,
    WindowStatus,
)
from summaryrule.windows import ceil, floor

Hold = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Turn:
    """The backfill after this turn.

    ``settled`` is its status before new intents were taken up, for listing what is outstanding.
    """

    status: BackfillStatus | None
    history: tuple[BackfillRecord, ...]
    settled: BackfillStatus | None = None
    held: tuple[Hold, ...] = ()
    announcements: tuple[Announce, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    lookups: tuple[LookUpTag, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """What every step of a turn looks at."""

    rule: SummaryRule
    observed: Observed
    now: Instant
    settings: Settings
    may_submit: bool
    history: tuple[BackfillRecord, ...] = field(default=())


def take(seat: Seat, status: BackfillStatus | None) -> Turn:
    """Settle what is in flight, then do what spec asks for."""
    wanted = seat.rule.spec.backfill
    if status is not None and request.is_active(status):
        return _take_active(seat, _settled(seat, status), wanted)
    if wanted is None:
        cleared = status and status.model_copy(update={"clearing": False})
        return Turn(cleared, seat.history)
    return _take_ended(seat, status, wanted)


def spec_changed(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the windows' text or grid is no longer what this backfill began with."""
    return status.spec_hash != spec_hash(rule.spec)


def _settled(seat: Seat, status: BackfillStatus) -> BackfillStatus:
    settled = backfill.settle(seat.rule, status, seat.observed, seat.now, seat.settings)
    return _resolved(seat, settled) if spec_changed(seat.rule, settled) else settled


def _resolved(seat: Seat, status: BackfillStatus) -> BackfillStatus:
    """Intents of the old text whose submission is unknown: credited by tag, else taken back."""
    tagged = seat.observed.tagged
    unknown = [w for w in status.in_flight if w.operation_id is None and w.token in tagged]
    went_through = [window for window in unknown if tagged[window.token]]
    kept = tuple(window for window in status.in_flight if window not in unknown)
    changed = status.model_copy(
        update={
            "in_flight": kept,
            "windows_done": status.windows_done + len(went_through),
        }
    )
    return backfill.counted(backfill.credit(changed, went_through), seat.rule.spec.interval)


def _take_active(seat: Seat, status: BackfillStatus, wanted: BackfillSpec | None) -> Turn:
    if wanted is None:
        return _cancel(seat, status)
    start = floor(wanted.start, seat.rule.spec.interval)
    if not request.continues(status, start, wanted.request_id):
        return _supersede(seat, status, wanted)
    return _go_on(seat, backfill.retarget(status, wanted, seat.rule.spec.interval), wanted)


def _take_ended(seat: Seat, status: BackfillStatus | None, wanted: BackfillSpec) -> Turn:
    interval = seat.rule.spec.interval
    start, end = floor(wanted.start, interval), ceil(wanted.end, interval)
    if status is not None and request.continues(status, start, wanted.request_id):
        if end <= status.done_until:
            return Turn(status, seat.history)
        extended = backfill.moved(status, Event.EXTENDED, clearing=False)
        return _go_on(seat, backfill.retarget(extended, wanted, interval), wanted)
    opened = backfill.open_request(seat.rule, wanted, seat.history, seat.now)
    ended = request.find_ended(seat.history, start, wanted.request_id)
    if request.has_run(ended, end):
        known = backfill.moved(opened, Event.FINISHED, clearing=True)
        return Turn(known, seat.history, announcements=(_already_ran(known),))
    started = replace(_go_on(seat, opened, wanted))
    return replace(started, announcements=(_started(opened), *started.announcements))


def _cancel(seat: Seat, status: BackfillStatus) -> Turn:
    canceled = backfill.moved(status, Event.REMOVED, in_flight=())
    cancels = tuple(
        Cancel(seat.rule.spec.database, window.operation_id)
        for window in status.in_flight
        if window.operation_id is not None and window.operation_id not in seat.observed.canceled
    )
    note = f"spec.backfill was removed after {status.progress} windows"
    announcement = Announce("Normal", "BackfillCanceled", note)
    return Turn(
        canceled,
        _remembered(seat, canceled),
        announcements=(announcement,),
        cancels=cancels,
    )


def _supersede(seat: Seat, status: BackfillStatus, wanted: BackfillSpec) -> Turn:
    if status.in_flight:
        hold = ("Superseding", "windows of the request before are still in flight")
        return Turn(
            status, seat.history, settled=None, held=(hold,), lookups=_lookups(seat, status)
        )
    ended = backfill.moved(status, Event.REPLACED)
    note = f"another request took its place after {status.progress} windows"
    fresh_seat = replace(seat, history=_remembered(seat, ended))
    turn = _take_ended(fresh_seat, None, wanted)
    announcement = Announce("Normal", "BackfillSuperseded", note)
    return replace(turn, announcements=(announcement, *turn.announcements))


def _go_on(seat: Seat, status: BackfillStatus, wanted: BackfillSpec) -> Turn:
    if backfill.is_finished(status):
        return _finish(seat, status)
    moved, announcements = _judge(seat, status)
    paused = _pause(moved, wanted)
    changed = spec_changed(seat.rule, paused)
    runs = seat.may_submit and paused.phase in ("Pending", "Running") and not changed
    taken = backfill.intend(seat.rule, paused, wanted, seat.now, seat.settings) if runs else paused
    return Turn(
        taken,
        seat.history,
        settled=paused if runs else None,
        held=_holds(seat, paused),
        announcements=announcements,
        lookups=_lookups(seat, taken),
    )


def _finish(seat: Seat, status: BackfillStatus) -> Turn:
    done = backfill.moved(
        status, Event.FINISHED, clearing=True, reason=None, estimated_completion=None
    )
    note = f"{done.progress} windows from {done.requested_start} to {done.requested_end}"
    if done.skipped:
        note += f", {len(done.skipped)} of them skipped"
    announcement = Announce("Normal", "BackfillCompleted", note)
    return Turn(done, _remembered(seat, done), announcements=(announcement,))


def _judge(seat: Seat, status: BackfillStatus) -> tuple[BackfillStatus, tuple[Announce, ...]]:
    """Into and out of phase Failed (rules 5 and 6 of ``backfill``)."""
    changed = spec_changed(seat.rule, status)
    if status.phase == "Failed":
        return _judge_failed(seat, status, changed=changed), ()
    if status.failed:
        failed = backfill.moved(status, Event.FAILED, reason=backfill.WINDOW_FAILED)
        return failed, (_window_failed(status.failed[0]),)
    if changed and not status.in_flight:
        failed = backfill.moved(status, Event.FAILED, reason=backfill.SPEC_CHANGED)
        note = "database, table, body or interval changed mid-run; retry goes on with the new text"
        return failed, (Announce("Warning", "BackfillFailed", note),)
    return status, ()


def _judge_failed(seat: Seat, status: BackfillStatus, *, changed: bool) -> BackfillStatus:
    waits = status.failed or (
        status.reason == backfill.SPEC_CHANGED and changed and not acts.wants_retry(seat.rule)
    )
    if waits:
        return status
    again = backfill.moved(status, Event.RETRIED, reason=None, spec_hash=spec_hash(seat.rule.spec))
    return backfill.counted(again, seat.rule.spec.interval)


def _pause(status: BackfillStatus, wanted: BackfillSpec) -> BackfillStatus:
    if wanted.suspend and status.phase in ("Pending", "Running"):
        return backfill.moved(status, Event.PAUSED)
    if not wanted.suspend and status.phase == "Paused":
        return backfill.moved(status, Event.RESUMED)
    return status


def _holds(seat: Seat, status: BackfillStatus) -> tuple[Hold, ...]:
    if status.phase == "Paused":
        return (("Paused", "spec.backfill.suspend is true"),)
    if status.phase == "Failed":
        why = status.last_error if status.failed else "the spec changed mid-run"
        return (("BackfillFailed", f"{why}; retry or skip by annotation"),)
    delay = seat.rule.spec.ingestion_delay
    last = max((seat.rule.spec.interval.ticks, 1))
    final = status.requested_end
    if final.plus(delay.ticks) > seat.now and final.plus(-last) >= status.done_until:
        text = f"windows up to {final} wait until their end is {delay} ago"
        return (("WaitingUntilDue", text),)
    return ()


def _lookups(seat: Seat, status: BackfillStatus) -> tuple[LookUpTag, ...]:
    """Intents of a text that is gone: only the table can tell whether they went through."""
    if not spec_changed(seat.rule, status):
        return ()
    spec = seat.rule.spec
    return tuple(
        LookUpTag(spec.database, spec.table, window.token)
        for window in status.in_flight
        if window.operation_id is None and window.token not in seat.observed.tagged
    )


def _remembered(seat: Seat, status: BackfillStatus) -> tuple[BackfillRecord, ...]:
    return (backfill.to_history(status, seat.now), *seat.history)[:HISTORY_LIMIT]


def _started(status: BackfillStatus) -> Announce:
    note = f"{status.windows_total} windows from {status.requested_start} to {status.requested_end}"
    return Announce("Normal", "BackfillStarted", note)


def _already_ran(status: BackfillStatus) -> Announce:
    note = (
        f"the backfill from {status.requested_start} ran before and is not run again; to run it"
        " again set spec.backfill.requestId to a new value"
    )
    return Announce("Normal", "BackfillAlreadyRan", note)


def _window_failed(window: WindowStatus) -> Announce:
    note = f"backfill window {window.window} failed: {window.error}"
    return Announce("Warning", "WindowFailed", note)
