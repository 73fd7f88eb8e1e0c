"""One turn of a rule's backfill: from what is stored, wanted and observed to what is next.

Called by ``plan`` only. Each step is small and in the order that design, section 7, gives; the
phases change through ``backfill.TRANSITIONS`` alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from summaryrule.api import backfill_request
from summaryrule.api.backfill_request import (
    find_in_history,
    identity_of,
    request_key,
    spec_hash,
    window_token,
)
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import (
    DEFAULTED_END_ANNOTATION,
    FINALIZER,
    HISTORY_LIMIT,
    REQUESTED_BY_ANNOTATION,
    SKIPPED_LIMIT,
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    Phase,
    SummaryRule,
    WindowStatus,
)
from summaryrule.api.windows import Window, ceil, is_due
from summaryrule.planner import annotations, events, window_execution
from summaryrule.planner.progress import (
    mark_done,
    pending_windows,
    update_average,
    with_counts,
    with_eta,
)
from summaryrule.planner.types import (
    Blocked,
    Cancel,
    CheckIngestTag,
    EmitEvent,
    Observations,
    PlannerSettings,
    polling_database,
)


@dataclass(frozen=True, slots=True)
class BackfillStep:
    """The backfill after this turn.

    ``settled`` is its status before new intents were taken up, for listing what is outstanding.
    """

    status: BackfillStatus | None
    history: tuple[BackfillRecord, ...]
    before_intents: BackfillStatus | None = None
    blocked: tuple[Blocked, ...] = ()
    events: tuple[EmitEvent, ...] = ()
    cancels: tuple[Cancel, ...] = ()
    tag_checks: tuple[CheckIngestTag, ...] = ()


@dataclass(frozen=True, slots=True)
class Seat:
    """What every step of a turn looks at."""

    rule: SummaryRule
    observed: Observations
    now: Instant
    settings: PlannerSettings
    may_submit: bool
    history: tuple[BackfillRecord, ...] = field(default=())

    @property
    def wanted(self) -> BackfillSpec | None:
        """What spec asks for."""
        return self.rule.spec.backfill


def step(context: Seat, status: BackfillStatus | None) -> BackfillStep:
    """Settle what is in flight, then do what spec asks for."""
    wanted = context.wanted
    settled = (
        _apply_observations(context, status)
        if status is not None and backfill_request.is_active(status)
        else None
    )
    if wanted is not None and wanted.start >= wanted.end:
        text = f"spec.backfill: start {wanted.start} must be before end {wanted.end}"
        return BackfillStep(
            settled or status, context.history, blocked=(Blocked("Malformed", text),)
        )
    if settled is not None:
        return _step_active(context, settled, wanted)
    if wanted is None:
        cleared = status and status.model_copy(update={"clearing": False})
        return BackfillStep(cleared, context.history)
    return _step_ended(context, status, wanted)


def may_submit(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether recorded intents of this backfill may still go out as they are."""
    return status.phase != "Paused" and not has_spec_changed(rule, status)


def _is_superseded(rule: SummaryRule, status: BackfillStatus) -> bool:
    wanted = rule.spec.backfill
    return wanted is not None and not backfill_request.is_same_request(
        status, backfill_request.identity_of(wanted, rule.spec.interval)
    )


def _has_orphaned_intents(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether intents that were not answered can never be sent again: only the table knows."""
    return not may_submit(rule, status) and (
        has_spec_changed(rule, status) or _is_superseded(rule, status)
    )


def _apply_observations(context: Seat, status: BackfillStatus) -> BackfillStatus:
    settled = apply_observations(
        context.rule, status, context.observed, context.now, context.settings
    )
    resolved = (
        _resolve_unknown_submits(context, settled)
        if _has_orphaned_intents(context.rule, settled)
        else settled
    )
    return apply_annotations(
        context.rule, resolved, context.now, may_retry=_may_retry(context.rule, resolved)
    )


def _may_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether a failed window that is retried now could be sent; else its retry has to wait.

    After a change of spec the retry goes on with the new text, once what was in flight has ended.
    """
    if _is_superseded(rule, status):
        return False
    return not has_spec_changed(rule, status) or (status.phase == "Failed" and not status.in_flight)


def _resolve_unknown_submits(context: Seat, status: BackfillStatus) -> BackfillStatus:
    """Stranded intents whose submission is unknown: credited by tag, else failed.

    One that is not in the table may still be running, so it keeps its bounds: on another grid, a
    window from the same start would have its token, and be dropped as a repeat or overlap it. A
    retry sends it as it was recorded.
    """
    tagged = context.observed.tag_found
    unknown = [w for w in status.in_flight if w.operation_id is None and w.token in tagged]
    if not unknown:
        return status
    went_through = [window for window in unknown if tagged[window.token]]
    error = {"error": window_execution.OUTCOME_UNKNOWN}
    lost = [window.model_copy(update=error) for window in unknown if window not in went_through]
    changes = {
        "in_flight": tuple(window for window in status.in_flight if window not in unknown),
        "failed": (*status.failed, *lost),
        "windows_done": status.windows_done + len(went_through),
        "last_error": window_execution.OUTCOME_UNKNOWN if lost else status.last_error,
    }
    credited = mark_done(status.model_copy(update=changes), went_through)
    return with_counts(credited, context.rule.spec.interval)


def _tag_checks(context: Seat, status: BackfillStatus) -> tuple[CheckIngestTag, ...]:
    if not _has_orphaned_intents(context.rule, status):
        return ()
    return tuple(
        window_execution.ingest_tag_check(window, context.rule, context.settings)
        for window in status.in_flight
        if window.operation_id is None and window.token not in context.observed.tag_found
    )


def _step_active(
    context: Seat, status: BackfillStatus, wanted: BackfillSpec | None
) -> BackfillStep:
    if wanted is None:
        return _cancel(context, status)
    if _is_superseded(context.rule, status):
        return _supersede(context, status, wanted)
    return _continue(context, change_end(context.rule, status, wanted), wanted)


def _step_ended(context: Seat, status: BackfillStatus | None, wanted: BackfillSpec) -> BackfillStep:
    asked = backfill_request.identity_of(wanted, context.rule.spec.interval)
    if status is not None and backfill_request.is_same_request(status, asked):
        if wanted.end <= status.done_until:
            return BackfillStep(status, context.history)
        ended = backfill_request.find_in_history(context.history, asked)
        left = ended.unfinished if ended is not None else ()
        extended = transition(status, BackfillEvent.EXTENDED, clearing=False, in_flight=left)
        anew = restart_rate_estimate(extended, context.now)
        return _continue(context, change_end(context.rule, anew, wanted), wanted)
    opened = open_request(context.rule, wanted, context.history, context.now)
    if backfill_request.is_completed(
        backfill_request.find_in_history(context.history, asked), wanted.end
    ):
        known = completed_from_history(context.rule, opened)
        return BackfillStep(known, context.history, events=(events.already_ran(known),))
    turn = _continue(context, opened, wanted)
    return replace(turn, events=(events.started(opened), *turn.events))


def _cancel(context: Seat, status: BackfillStatus) -> BackfillStep:
    ended = transition(status, BackfillEvent.REMOVED, estimated_completion=None)
    canceled = ended.model_copy(update={"in_flight": ()})
    cancels = tuple(
        Cancel(
            polling_database(window, context.rule, context.settings),
            window.operation_id,
        )
        for window in status.in_flight
        if window.operation_id is not None and window.operation_id not in context.observed.canceled
    )
    history = _append_history(context, ended)
    return BackfillStep(canceled, history, events=(events.canceled(canceled),), cancels=cancels)


def _supersede(context: Seat, status: BackfillStatus, wanted: BackfillSpec) -> BackfillStep:
    if status.in_flight:
        hold = Blocked("Superseding", "windows of the request before are still in flight")
        return BackfillStep(
            status, context.history, blocked=(hold,), tag_checks=_tag_checks(context, status)
        )
    ended = transition(status, BackfillEvent.REPLACED)
    turn = _step_ended(replace(context, history=_append_history(context, ended)), None, wanted)
    return replace(turn, events=(events.superseded(ended), *turn.events))


def _continue(context: Seat, status: BackfillStatus, wanted: BackfillSpec) -> BackfillStep:
    if is_finished(status):
        return _finish(context, status)
    judged, events = evaluate_failure(context.rule, status, context.now)
    paused = apply_suspend(judged, wanted, context.now)
    runs = (
        context.may_submit
        and paused.phase in ("Pending", "Running")
        and not has_spec_changed(context.rule, paused)
    )
    taken = (
        record_intents(context.rule, paused, wanted, context.now, context.settings)
        if runs
        else paused
    )
    return BackfillStep(
        taken,
        context.history,
        before_intents=paused if runs else None,
        blocked=blocked_by(context.rule, paused, context.now),
        events=events,
        tag_checks=_tag_checks(context, taken),
    )


def _finish(context: Seat, status: BackfillStatus) -> BackfillStep:
    done = transition(
        status, BackfillEvent.FINISHED, clearing=True, reason=None, estimated_completion=None
    )
    return BackfillStep(done, _append_history(context, done), events=(events.completed(done),))


def _append_history(context: Seat, status: BackfillStatus) -> tuple[BackfillRecord, ...]:
    return (to_history(status, context.now), *context.history)[:HISTORY_LIMIT]


# FROM summaryrule.phase
# """Into and out of the phases Failed and Paused, and why a backfill stands still.
#
# Called by ``turn`` for a backfill that goes on. Phases change through ``backfill.TRANSITIONS``.
# """


Announced = tuple[BackfillStatus, tuple[EmitEvent, ...]]


def has_spec_changed(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the windows' text or grid is no longer what this backfill began with."""
    return status.spec_hash != spec_hash(rule.spec)


def needs_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether only a retry makes it go on with the new text (rule 6)."""
    return has_spec_changed(rule, status) and not annotations.has_retry_request(rule)


def evaluate_failure(rule: SummaryRule, status: BackfillStatus, now: Instant) -> Announced:
    """Into phase Failed and out of it (rules 5 and 6 of ``backfill``)."""
    if status.phase == "Failed":
        return _leave_failed(rule, status, now), ()
    if status.failed and not _only_unknown_outcomes(rule, status):
        return _fail(status, WINDOW_FAILED), (events.window_failed(status.failed),)
    if has_spec_changed(rule, status) and not status.in_flight:
        if annotations.has_retry_request(rule) and not status.failed:
            return _with_current_spec(rule, status), ()
        return _fail(status, SPEC_CHANGED), (events.SPEC_CHANGED,)
    return status, ()


def _only_unknown_outcomes(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether all that failed are windows of which the change of spec left nothing known."""
    lost = all(window.error == window_execution.OUTCOME_UNKNOWN for window in status.failed)
    return lost and has_spec_changed(rule, status)


def is_retry_deferred(rule: SummaryRule, status: BackfillStatus | None) -> bool:
    """Whether a retry stays on the rule: it goes on with a changed spec, but not yet.

    What is in flight ends first; then the phase is Failed, and the retry is applied.
    """
    if (
        status is None
        or not backfill_request.is_active(status)
        or not has_spec_changed(rule, status)
    ):
        return False
    return annotations.has_retry_request(rule) and (
        bool(status.in_flight) or status.phase != "Failed"
    )


def _fail(status: BackfillStatus, reason: str) -> BackfillStatus:
    return transition(status, BackfillEvent.FAILED, reason=reason, estimated_completion=None)


def _leave_failed(rule: SummaryRule, status: BackfillStatus, now: Instant) -> BackfillStatus:
    if status.failed:
        return status
    if needs_retry(rule, status):
        return status.model_copy(update={"reason": SPEC_CHANGED})
    again = transition(status, BackfillEvent.RETRIED, reason=None)
    return restart_rate_estimate(_with_current_spec(rule, again), now)


def _with_current_spec(rule: SummaryRule, status: BackfillStatus) -> BackfillStatus:
    changed = status.model_copy(update={"spec_hash": spec_hash(rule.spec)})
    return with_counts(changed, rule.spec.interval)


def apply_suspend(status: BackfillStatus, wanted: BackfillSpec, now: Instant) -> BackfillStatus:
    """Into phase Paused and out of it, as ``spec.backfill.suspend`` asks."""
    if wanted.suspend and status.phase in ("Pending", "Running"):
        return transition(status, BackfillEvent.PAUSED, estimated_completion=None)
    if not wanted.suspend and status.phase == "Paused":
        return restart_rate_estimate(transition(status, BackfillEvent.RESUMED), now)
    return status


def blocked_by(rule: SummaryRule, status: BackfillStatus, now: Instant) -> tuple[Blocked, ...]:
    """Why windows that are left do not run now."""
    if status.phase == "Paused":
        return (Blocked("Paused", "spec.backfill.suspend is true"),)
    if status.phase == "Failed":
        why = status.last_error if status.failed else "the spec changed mid-run"
        return (Blocked("BackfillFailed", f"{why}; retry or skip by annotation"),)
    if has_spec_changed(rule, status):
        return (Blocked("SpecChanged", "windows of the text before are still in flight"),)
    delay, last = rule.spec.ingestion_delay, status.requested_end
    first_waiting = last.plus(-rule.spec.interval.ticks)
    if last.plus(delay.ticks) > now and first_waiting >= status.done_until:
        return (
            Blocked("WaitingUntilDue", f"windows up to {last} wait until their end is {delay} ago"),
        )
    return ()


# FROM summaryrule.backfill
# """The backfill of a past range: every state it can be in, and every way from one to another.
#
# Theory of operation (design, section 7):
#
# 1. A request is its start on the grid and its requestId. Its end is a target that may move.
# 2. ``doneUntil`` is the high-water mark: every window before it is done. It never goes back, and
#    it wins over a ``spec.backfill.start`` that did.
# 3. Every window is written down as an intent (bounds, attempt, token, endpoint) before it is
#    submitted, and credited by that record.
# 4. Windows done out of order wait in ``doneAhead`` until the mark reaches them.
# 5. A window that fails for good stops new ones: phase Failed, until a retry, a skip or a new
#    request. What is in flight is finished first.
# 6. Database, table, body and interval are part of the promise, as ``specHash``. When they change
#    mid-run, what is in flight is finished and the phase is Failed, reason SpecChanged; a retry
#    goes on from the mark with the new text.
# 7. A request that ends goes to history, from where the same one is never run again. What history
#    has of one that ended part-way (its mark, what is done beyond it, the windows whose end is not
#    known) is what it goes on from when it is asked for again, on whatever grid.
#
# ``TRANSITIONS`` is the one table of phases; ``worker`` and ``plan`` change a phase nowhere else.
# """


class BackfillEvent(Enum):
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


TRANSITIONS: Final[dict[tuple[Phase, BackfillEvent], Phase]] = {
    ("Pending", BackfillEvent.STARTED): "Running",
    ("Pending", BackfillEvent.PAUSED): "Paused",
    ("Pending", BackfillEvent.FAILED): "Failed",
    ("Pending", BackfillEvent.FINISHED): "Completed",
    ("Pending", BackfillEvent.REMOVED): "Canceled",
    ("Pending", BackfillEvent.REPLACED): "Superseded",
    ("Running", BackfillEvent.PAUSED): "Paused",
    ("Running", BackfillEvent.FAILED): "Failed",
    ("Running", BackfillEvent.FINISHED): "Completed",
    ("Running", BackfillEvent.REMOVED): "Canceled",
    ("Running", BackfillEvent.REPLACED): "Superseded",
    ("Paused", BackfillEvent.RESUMED): "Running",
    ("Paused", BackfillEvent.FAILED): "Failed",
    ("Paused", BackfillEvent.FINISHED): "Completed",
    ("Paused", BackfillEvent.REMOVED): "Canceled",
    ("Paused", BackfillEvent.REPLACED): "Superseded",
    ("Failed", BackfillEvent.RETRIED): "Running",
    ("Failed", BackfillEvent.FINISHED): "Completed",
    ("Failed", BackfillEvent.REMOVED): "Canceled",
    ("Failed", BackfillEvent.REPLACED): "Superseded",
    ("Completed", BackfillEvent.EXTENDED): "Running",
}

SPEC_CHANGED: Final = "SpecChanged"
WINDOW_FAILED: Final = "WindowFailed"


class IllegalTransitionError(RuntimeError):
    """An event that the phase does not allow: a mistake in the caller, never in the input."""


def next_phase(phase: Phase, event: BackfillEvent) -> Phase:
    """The phase that follows.

    Raises:
        IllegalTransitionError: where ``TRANSITIONS`` has no such step.
    """
    try:
        return TRANSITIONS[phase, event]
    except KeyError as error:
        raise IllegalTransitionError(f"{phase} has no {event.name}") from error


def transition(status: BackfillStatus, event: BackfillEvent, **changes: object) -> BackfillStatus:
    """The status after an event, with further fields changed."""
    return status.model_copy(update={"phase": next_phase(status.phase, event), **changes})


def open_request(
    rule: SummaryRule, wanted: BackfillSpec, history: Iterable[BackfillRecord], now: Instant
) -> BackfillStatus:
    """The record of a new request; what history has of it counts as done."""
    interval = rule.spec.interval
    asked = identity_of(wanted, interval)
    ended = find_in_history(history, asked)
    start = ended.start if ended is not None else asked.start
    reached = ended.done_until if ended is not None and ended.done_until is not None else start
    kept = _carried_over(ended) if ended is not None else {"interval": interval}
    status = BackfillStatus(
        request_key=request_key(rule, start, wanted.request_id),
        request_id=wanted.request_id,
        requested_start=start,
        requested_end=ceil(wanted.end, interval),
        end_defaulted=_is_defaulted(rule, wanted),
        requested_by=rule.metadata.annotations.get(REQUESTED_BY_ANNOTATION),
        requested_at=now,
        done_until=max(start, reached),
        spec_hash=spec_hash(rule.spec),
    )
    return with_counts(status.model_copy(update=kept), interval)


def _carried_over(ended: BackfillRecord) -> dict[str, object]:
    """What a request that is asked for again has of the time before."""
    return {
        "interval": ended.interval,
        "windows_done": ended.windows,
        "done_ahead": ended.done_ahead,
        "in_flight": ended.unfinished,
        "operation_time": ended.operation_time,
    }


def completed_from_history(rule: SummaryRule, opened: BackfillStatus) -> BackfillStatus:
    """A request that history has as done: up to there it is complete, and nothing of it runs."""
    end = min(opened.requested_end, opened.done_until)
    done = transition(
        opened, BackfillEvent.FINISHED, clearing=True, in_flight=(), requested_end=end
    )
    return with_counts(done, rule.spec.interval)


def change_end(rule: SummaryRule, status: BackfillStatus, wanted: BackfillSpec) -> BackfillStatus:
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
    return with_counts(status.model_copy(update=changes), rule.spec.interval)


def _is_defaulted(rule: SummaryRule, wanted: BackfillSpec) -> bool:
    """Whether admission chose the end: its annotation names the very end that spec has."""
    return rule.metadata.annotations.get(DEFAULTED_END_ANNOTATION) == str(wanted.end)


def apply_observations(
    rule: SummaryRule,
    status: BackfillStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> BackfillStatus:
    """Credit, retry or fail what is in flight (rule 3); ``intend`` sets out ahead anew."""
    begun = [
        window for window in status.in_flight if not window_execution.is_prerecorded(window, now)
    ]
    settled = window_execution.apply_observations(begun, observed, now, settings)
    errors = [window.error for window in (*settled.in_flight, *settled.failed) if window.error]
    changed = status.model_copy(
        update={
            "in_flight": settled.in_flight,
            "failed": tuple(sorted((*status.failed, *settled.failed), key=_by_start)),
            "windows_done": status.windows_done + len(settled.done),
            "windows_retried": status.windows_retried + settled.retried,
            "last_error": errors[-1] if errors else status.last_error,
            "operation_time": update_average(status.operation_time, settled.done, observed),
        }
    )
    return _with_done(rule, changed, settled.done, now)


def apply_annotations(
    rule: SummaryRule, status: BackfillStatus, now: Instant, *, may_retry: bool
) -> BackfillStatus:
    """Apply the annotations on windows; what is retried goes out with the text of now (rule 6)."""
    asked = annotations.apply(rule, status.failed, may_retry=may_retry)
    again = map(annotations.reset_attempts, asked.retried)
    changed = status.model_copy(
        update={
            "in_flight": tuple(sorted((*status.in_flight, *again), key=_by_start)),
            "failed": tuple(sorted(asked.kept, key=_by_start)),
            "windows_retried": status.windows_retried + len(asked.retried),
            "spec_hash": spec_hash(rule.spec) if asked.retried else status.spec_hash,
        }
    )
    if asked.retried:
        changed = with_counts(changed, rule.spec.interval)
    skipped = (*asked.skipped, *_pending_to_skip(rule, mark_done(changed, asked.skipped)))
    return _with_done(rule, _with_skipped(changed, skipped), skipped, now)


def _with_done(
    rule: SummaryRule, status: BackfillStatus, windows: tuple[WindowStatus, ...], now: Instant
) -> BackfillStatus:
    """With windows that are done or skipped counted in; as it is where there are none."""
    if not windows:
        return status
    return with_eta(with_counts(mark_done(status, windows), rule.spec.interval), now)


def _pending_to_skip(rule: SummaryRule, status: BackfillStatus) -> tuple[WindowStatus, ...]:
    """Windows still to run that the skip annotation names."""
    named = annotations.starts_to_skip(rule)
    if not named:
        return ()
    windows = pending_windows(status, rule.spec.interval)
    return tuple(
        WindowStatus(start=window.start, end=window.end)
        for window in windows
        if window.start in named
    )


def _with_skipped(status: BackfillStatus, skipped: tuple[WindowStatus, ...]) -> BackfillStatus:
    return status.model_copy(
        update={
            "skipped": (*status.skipped, *skipped)[-SKIPPED_LIMIT:],
            "windows_skipped": status.windows_skipped + len(skipped),
        }
    )


def record_intents(
    rule: SummaryRule,
    status: BackfillStatus,
    wanted: BackfillSpec,
    now: Instant,
    settings: PlannerSettings,
) -> BackfillStatus:
    """Take up the next due windows, as far as ``maxInFlight`` allows (rule 3).

    When the last that was in flight has ended and the next is due within ``brief_wait``, its intent
    is recorded ahead, in the same write: it goes out when it is due, and the finalizer stays.
    """
    known = window_execution.with_current_target(status.in_flight, rule, settings)
    room = wanted.max_in_flight - len(known)
    intents: list[WindowStatus] = []
    for window in pending_windows(status, rule.spec.interval):
        if len(intents) >= room or not is_due(window, now, rule.spec.ingestion_delay):
            break
        intents.append(_new_intent(rule, status, window, settings))
    ahead = None if known or intents else _next_due_soon(rule, status, now, settings)
    if ahead is not None:
        intents.append(_new_intent(rule, status, ahead, settings))
    begins = status.phase == "Pending" and bool(intents or status.in_flight)
    if not intents and not begins:
        return status.model_copy(update={"in_flight": known})
    started = transition(status, BackfillEvent.STARTED) if begins else status
    flying = tuple(sorted((*known, *intents), key=_by_start))
    changes: dict[str, object] = {"in_flight": flying, "started_at": status.started_at or now}
    paced = started if started.paced_from is not None else restart_rate_estimate(started, now)
    return paced.model_copy(update=changes)


def _next_due_soon(
    rule: SummaryRule, status: BackfillStatus, now: Instant, settings: PlannerSettings
) -> Window | None:
    """The next window, if it is waited for briefly after another."""
    if status.phase != "Running" or FINALIZER not in rule.metadata.finalizers:
        return None
    soon = now.plus(settings.prerecord_horizon.ticks)
    following = next(pending_windows(status, rule.spec.interval), None)
    is_soon = following is not None and is_due(following, soon, rule.spec.ingestion_delay)
    return following if is_soon else None


def restart_rate_estimate(status: BackfillStatus, now: Instant) -> BackfillStatus:
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
        unfinished=tuple(_as_new_intent(window) for window in (*status.in_flight, *status.failed)),
        operation_time=status.operation_time,
        finished_at=now,
    )


def _as_new_intent(window: WindowStatus) -> WindowStatus:
    """The intent alone: nothing of how it went, so that it begins anew."""
    return WindowStatus(start=window.start, end=window.end, token=window.token)


def _new_intent(
    rule: SummaryRule, status: BackfillStatus, window: Window, settings: PlannerSettings
) -> WindowStatus:
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=window_token(rule, status.request_key, window.start),
        **window_execution.target_of(rule, settings),
    )


def _by_start(window: WindowStatus) -> Instant:
    return window.start
