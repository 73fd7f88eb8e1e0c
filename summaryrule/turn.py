"""One turn of a rule's backfill: from what is stored, wanted and observed to what is next.

Called by ``plan`` only. Each step is small and in the order that design, section 7, gives; the
phases change through ``backfill.TRANSITIONS`` alone.
"""

from dataclasses import dataclass, field, replace

from summaryrule import backfill, flight, notes, phase, request
from summaryrule.actions import Announce, Cancel, LookUpTag
from summaryrule.backfill import Event
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.phase import Hold, spec_changed
from summaryrule.remaining import counted, credit
from summaryrule.settings import Settings
from summaryrule.v1 import (
    HISTORY_LIMIT,
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    SummaryRule,
)


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

    @property
    def wanted(self) -> BackfillSpec | None:
        """What spec asks for."""
        return self.rule.spec.backfill


def take(seat: Seat, status: BackfillStatus | None) -> Turn:
    """Settle what is in flight, then do what spec asks for."""
    wanted = seat.wanted
    settled = _settled(seat, status) if status is not None and request.is_active(status) else None
    if wanted is not None and wanted.start >= wanted.end:
        text = f"spec.backfill: start {wanted.start} must be before end {wanted.end}"
        return Turn(settled or status, seat.history, held=(("Malformed", text),))
    if settled is not None:
        return _take_active(seat, settled, wanted)
    if wanted is None:
        cleared = status and status.model_copy(update={"clearing": False})
        return Turn(cleared, seat.history)
    return _take_ended(seat, status, wanted)


def may_submit(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether recorded intents of this backfill may still go out as they are."""
    return status.phase != "Paused" and not spec_changed(rule, status)


def _is_superseded(rule: SummaryRule, status: BackfillStatus) -> bool:
    wanted = rule.spec.backfill
    return wanted is not None and not request.continues(
        status, request.ask_of(wanted, rule.spec.interval)
    )


def _is_stranded(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether intents that were not answered can never be sent again: only the table knows."""
    return not may_submit(rule, status) and (
        spec_changed(rule, status) or _is_superseded(rule, status)
    )


def _settled(seat: Seat, status: BackfillStatus) -> BackfillStatus:
    settled = backfill.settle(seat.rule, status, seat.observed, seat.now, seat.settings)
    resolved = _resolved(seat, settled) if _is_stranded(seat.rule, settled) else settled
    return backfill.act(seat.rule, resolved, seat.now, may_retry=_may_retry(seat.rule, resolved))


def _may_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether a failed window that is retried now could be sent; else its retry has to wait.

    After a change of spec the retry goes on with the new text, once what was in flight has ended.
    """
    if _is_superseded(rule, status):
        return False
    return not spec_changed(rule, status) or (status.phase == "Failed" and not status.in_flight)


def _resolved(seat: Seat, status: BackfillStatus) -> BackfillStatus:
    """Stranded intents whose submission is unknown: credited by tag, else failed.

    One that is not in the table may still be running, so it keeps its bounds: on another grid, a
    window from the same start would have its token, and be dropped as a repeat or overlap it. A
    retry sends it as it was recorded.
    """
    tagged = seat.observed.tagged
    unknown = [w for w in status.in_flight if w.operation_id is None and w.token in tagged]
    if not unknown:
        return status
    went_through = [window for window in unknown if tagged[window.token]]
    error = {"error": flight.UNANSWERED}
    lost = [window.model_copy(update=error) for window in unknown if window not in went_through]
    changes = {
        "in_flight": tuple(window for window in status.in_flight if window not in unknown),
        "failed": (*status.failed, *lost),
        "windows_done": status.windows_done + len(went_through),
        "last_error": flight.UNANSWERED if lost else status.last_error,
    }
    credited = credit(status.model_copy(update=changes), went_through)
    return counted(credited, seat.rule.spec.interval)


def _lookups(seat: Seat, status: BackfillStatus) -> tuple[LookUpTag, ...]:
    if not _is_stranded(seat.rule, status):
        return ()
    return tuple(
        flight.lookup(window, seat.rule, seat.settings)
        for window in status.in_flight
        if window.operation_id is None and window.token not in seat.observed.tagged
    )


def _take_active(seat: Seat, status: BackfillStatus, wanted: BackfillSpec | None) -> Turn:
    if wanted is None:
        return _cancel(seat, status)
    if _is_superseded(seat.rule, status):
        return _supersede(seat, status, wanted)
    return _go_on(seat, backfill.retarget(seat.rule, status, wanted), wanted)


def _take_ended(seat: Seat, status: BackfillStatus | None, wanted: BackfillSpec) -> Turn:
    asked = request.ask_of(wanted, seat.rule.spec.interval)
    if status is not None and request.continues(status, asked):
        if wanted.end <= status.done_until:
            return Turn(status, seat.history)
        ended = request.find_ended(seat.history, asked)
        left = ended.unfinished if ended is not None else ()
        extended = backfill.moved(status, Event.EXTENDED, clearing=False, in_flight=left)
        anew = backfill.pace_anew(extended, seat.now)
        return _go_on(seat, backfill.retarget(seat.rule, anew, wanted), wanted)
    opened = backfill.open_request(seat.rule, wanted, seat.history, seat.now)
    if request.has_run(request.find_ended(seat.history, asked), wanted.end):
        known = backfill.known(seat.rule, opened)
        return Turn(known, seat.history, announcements=(notes.already_ran(known),))
    turn = _go_on(seat, opened, wanted)
    return replace(turn, announcements=(notes.started(opened), *turn.announcements))


def _cancel(seat: Seat, status: BackfillStatus) -> Turn:
    ended = backfill.moved(status, Event.REMOVED, estimated_completion=None)
    canceled = ended.model_copy(update={"in_flight": ()})
    cancels = tuple(
        Cancel(flight.database(window, seat.rule, seat.settings), window.operation_id)
        for window in status.in_flight
        if window.operation_id is not None and window.operation_id not in seat.observed.canceled
    )
    history = _remembered(seat, ended)
    return Turn(canceled, history, announcements=(notes.canceled(canceled),), cancels=cancels)


def _supersede(seat: Seat, status: BackfillStatus, wanted: BackfillSpec) -> Turn:
    if status.in_flight:
        hold = ("Superseding", "windows of the request before are still in flight")
        return Turn(status, seat.history, held=(hold,), lookups=_lookups(seat, status))
    ended = backfill.moved(status, Event.REPLACED)
    turn = _take_ended(replace(seat, history=_remembered(seat, ended)), None, wanted)
    return replace(turn, announcements=(notes.superseded(ended), *turn.announcements))


def _go_on(seat: Seat, status: BackfillStatus, wanted: BackfillSpec) -> Turn:
    if backfill.is_finished(status):
        return _finish(seat, status)
    judged, announcements = phase.judge(seat.rule, status, seat.now)
    paused = phase.pause(judged, wanted, seat.now)
    runs = (
        seat.may_submit
        and paused.phase in ("Pending", "Running")
        and not spec_changed(seat.rule, paused)
    )
    taken = backfill.intend(seat.rule, paused, wanted, seat.now, seat.settings) if runs else paused
    return Turn(
        taken,
        seat.history,
        settled=paused if runs else None,
        held=phase.holds(seat.rule, paused, seat.now),
        announcements=announcements,
        lookups=_lookups(seat, taken),
    )


def _finish(seat: Seat, status: BackfillStatus) -> Turn:
    done = backfill.moved(
        status, Event.FINISHED, clearing=True, reason=None, estimated_completion=None
    )
    return Turn(done, _remembered(seat, done), announcements=(notes.completed(done),))


def _remembered(seat: Seat, status: BackfillStatus) -> tuple[BackfillRecord, ...]:
    return (backfill.to_history(status, seat.now), *seat.history)[:HISTORY_LIMIT]
