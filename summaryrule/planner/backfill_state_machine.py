"""The state machine of a backfill: its phases, what changes them, and one step of it.

1. The start on the grid and the requestId identify a request. Its end may change.
2. ``doneUntil`` is the high-water mark: each window before it is done. It never moves back, even if
   ``spec.backfill.start`` moves back.
3. A window is recorded as an intent (bounds, attempt, token, target) before it is submitted. Later
   steps credit the window from this record, not from the spec.
4. Windows that finish out of order are in ``doneAhead`` until the mark reaches them.
5. After a window fails permanently, no new window starts. Windows in flight finish. The phase is
   Failed until a retry, a skip or a new request.
6. ``specHash`` is the hash of the request's database, table, body and interval. If database, table
   or body change before a window was sent, the backfill uses the new spec. Otherwise, if one of the
   four changes, the windows in flight finish, and the phase is Failed with reason SpecChanged. A
   retry continues from the mark with the new spec.
7. A request that ends goes into history and does not run again. If it ended early and the
   rule requests it again, it continues from its record in history: the mark, the windows done after
   the mark, and the windows whose outcome is unknown. The interval may be different by then.

``TRANSITIONS`` is the only table of phases; only ``_transition`` changes a phase.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from summaryrule.api import backfill_request
from summaryrule.api.backfill_request import find_in_history, identity_of, request_identity
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import (
    DEFAULTED_END_ANNOTATION,
    FINALIZER,
    HISTORY_LIMIT,
    REQUESTED_BY_ANNOTATION,
    RUNNABLE_PHASES,
    SKIPPED_LIMIT,
)
from summaryrule.api.instant import Instant
from summaryrule.api.replaceable import untagged_rows
from summaryrule.api.tokens import request_key, spec_hash, window_token
from summaryrule.api.v1 import (
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
    EmitEvent,
    PlanContext,
)
from summaryrule.window_command import ingest_tag


class BackfillEvent(Enum):
    """What changes the phase of a backfill."""

    STARTED = auto()
    PAUSED = auto()
    RESUMED = auto()
    FAILED = auto()
    RETRIED = auto()
    FINISHED = auto()
    REMOVED = auto()
    REPLACED = auto()
    EXTENDED = auto()


TRANSITIONS: Final[Mapping[Phase, Mapping[BackfillEvent, Phase]]] = {
    "Pending": {
        BackfillEvent.STARTED: "Running",
        BackfillEvent.PAUSED: "Paused",
        BackfillEvent.FAILED: "Failed",
        BackfillEvent.FINISHED: "Completed",
        BackfillEvent.REMOVED: "Canceled",
        BackfillEvent.REPLACED: "Superseded",
    },
    "Running": {
        BackfillEvent.PAUSED: "Paused",
        BackfillEvent.FAILED: "Failed",
        BackfillEvent.FINISHED: "Completed",
        BackfillEvent.REMOVED: "Canceled",
        BackfillEvent.REPLACED: "Superseded",
    },
    "Paused": {
        BackfillEvent.RESUMED: "Running",
        BackfillEvent.FAILED: "Failed",
        BackfillEvent.FINISHED: "Completed",
        BackfillEvent.REMOVED: "Canceled",
        BackfillEvent.REPLACED: "Superseded",
    },
    "Failed": {
        BackfillEvent.RETRIED: "Running",
        BackfillEvent.FINISHED: "Completed",
        BackfillEvent.REMOVED: "Canceled",
        BackfillEvent.REPLACED: "Superseded",
    },
    "Completed": {BackfillEvent.EXTENDED: "Running"},
    "Canceled": {},
    "Superseded": {},
}

_RANGE_LIMIT: Final = 100

WINDOW_FAILED: Final = str(BlockReason.WINDOW_FAILED)
SPEC_CHANGED: Final = str(BlockReason.SPEC_CHANGED)


class IllegalTransitionError(RuntimeError):
    """The phase does not allow the event. This is a bug: no input leads to it."""


def next_phase(phase: Phase, event: BackfillEvent) -> Phase:
    """The phase after an event.

    Raises:
        IllegalTransitionError: if ``TRANSITIONS`` has no such step.
    """
    try:
        return TRANSITIONS[phase][event]
    except KeyError as error:
        raise IllegalTransitionError(f"{phase} does not allow {event.name}") from error


def _transition(status: BackfillStatus, event: BackfillEvent, **changes: object) -> BackfillStatus:
    return status.model_copy(update={"phase": next_phase(status.phase, event), **changes})


# The step


@dataclass(frozen=True, slots=True)
class BackfillStep:
    """The backfill after one step.

    Attributes:
        status: the status to store.
        history: the history to store, newest first.
        before_intents: the status before this step recorded intents; None if it must not do so.
        blocked: why the remaining windows do not run now.
        events: Kubernetes Events to emit.
        cancels: operations to cancel.
    """

    status: BackfillStatus | None
    history: tuple[BackfillRecord, ...]
    before_intents: BackfillStatus | None = None
    blocked: tuple[Blocked, ...] = ()
    events: tuple[EmitEvent, ...] = ()
    cancels: tuple[Cancel, ...] = ()


def step(context: PlanContext) -> BackfillStep:
    """Apply observations and annotations, then compare the backfill with ``spec.backfill``."""
    status, history = context.stored.backfill, context.stored.backfill_history
    requested = context.requested
    is_active = status is not None and backfill_request.is_active(status)
    active = _apply_observations(context, status) if status is not None and is_active else None
    if requested is not None and requested.start >= requested.end:
        text = f"spec.backfill: start {requested.start} must be before end {requested.end}"
        return BackfillStep(
            active or status, history, blocked=(Blocked.because(BlockReason.MALFORMED, cause=text),)
        )
    if active is not None:
        return _step_active(context, active, requested)
    if requested is None:
        cleared = status and status.model_copy(update={"clearing": False})
        held = _blocked_by_upstream(context)
        return BackfillStep(cleared, history, blocked=held, events=_events_for_new(context, held))
    return _step_ended(context, status, requested)


def _blocked_by_upstream(context: PlanContext) -> tuple[Blocked, ...]:
    """The block for a request to adx-mon that is in spec and not done."""
    request = context.rule.spec.upstream_backfill
    if request is None:
        return ()
    record = None
    if request.start is not None:
        interval = context.rule.spec.interval
        identity = request_identity(request.start, interval, request.request_id)
        record = find_in_history(context.stored.backfill_history, identity)
    known = record and f" that did not end; it is done until {record.done_until}"
    return (Blocked.because(BlockReason.UPSTREAM_BACKFILL, cause=known or ""),)


def _events_for_new(context: PlanContext, held: tuple[Blocked, ...]) -> tuple[EmitEvent, ...]:
    """An Event for each of these blocks that no condition names yet."""
    named = {each.message for each in context.stored.conditions}
    return tuple(
        EmitEvent("Warning", each.reason.value, each.message)
        for each in held
        if each.message not in named
    )


def _step_active(
    context: PlanContext, status: BackfillStatus, requested: BackfillSpec | None
) -> BackfillStep:
    if requested is None and any(window.replaces for window in status.in_flight):
        return _end_in_flight(context, status)
    if requested is None:
        return _cancel(context, status)
    if _is_superseded(context.rule, status):
        return _supersede(context, status, requested)
    return _continue(context, change_end(context.rule, status, requested), requested)


def _step_ended(
    context: PlanContext, status: BackfillStatus | None, requested: BackfillSpec
) -> BackfillStep:
    history = context.stored.backfill_history
    identity = identity_of(requested, context.rule.spec.interval)
    if status is not None and backfill_request.is_same_request(status, identity):
        if requested.end <= status.done_until:
            return BackfillStep(status, history)
        return _extend(context, status, requested)
    opened = open_request(context.rule, requested, history, context.now)
    if backfill_request.is_completed(find_in_history(history, identity), requested.end):
        done = completed_from_history(context.rule, opened)
        return BackfillStep(done, history, events=(events.already_ran(done),))
    following = _continue(context, opened, requested)
    return replace(following, events=(events.started(opened), *following.events))


def _extend(context: PlanContext, status: BackfillStatus, requested: BackfillSpec) -> BackfillStep:
    identity = identity_of(requested, context.rule.spec.interval)
    record = find_in_history(context.stored.backfill_history, identity)
    left = record.unfinished if record is not None else ()
    extended = _transition(status, BackfillEvent.EXTENDED, clearing=False, in_flight=left)
    restarted = restart_rate_estimate(extended, context.now)
    return _continue(context, change_end(context.rule, restarted, requested), requested)


def _cancel(context: PlanContext, status: BackfillStatus) -> BackfillStep:
    ended = _transition(status, BackfillEvent.REMOVED, estimated_completion=None)
    canceled = ended.model_copy(update={"in_flight": ()})
    history, cancels = _append_history(context, ended), tuple(_cancels(context, status))
    return BackfillStep(canceled, history, events=(events.canceled(canceled),), cancels=cancels)


def _end_in_flight(context: PlanContext, status: BackfillStatus) -> BackfillStep:
    """Cancel the operations, and wait until the windows in flight have ended.

    In mode Replace an operation that is given up could append its rows after those of a later run.
    """
    return BackfillStep(
        status,
        context.stored.backfill_history,
        blocked=(Blocked.because(BlockReason.CANCELING),),
        cancels=tuple(_cancels(context, status)),
    )


def _cancels(context: PlanContext, status: BackfillStatus) -> Iterator[Cancel]:
    """The operations of the backfill to cancel, without those that count for the schedule too."""
    schedule = context.stored.schedule
    shared = {window.operation_id for window in schedule.in_flight} if schedule else set()
    for window in status.in_flight:
        operation_id = window.operation_id
        if operation_id is not None and operation_id not in {*shared, *context.observed.canceled}:
            yield Cancel(context.polling_database(window), operation_id)


def _supersede(
    context: PlanContext, status: BackfillStatus, requested: BackfillSpec
) -> BackfillStep:
    if status.in_flight:
        blocked = (Blocked.because(BlockReason.SUPERSEDING),)
        return BackfillStep(status, context.stored.backfill_history, blocked=blocked)
    ended = _transition(status, BackfillEvent.REPLACED)
    history = _append_history(context, ended)
    stored = context.stored.model_copy(update={"backfill_history": history})
    rule = context.rule.model_copy(update={"status": stored})
    following = _step_ended(replace(context, rule=rule), None, requested)
    return replace(following, events=(events.superseded(ended), *following.events))


def _continue(
    context: PlanContext, status: BackfillStatus, requested: BackfillSpec
) -> BackfillStep:
    rule, now = context.rule, context.now
    if is_finished(status):
        return _finish(context, status)
    evaluated, emitted = _evaluate_failure(rule, status, now)
    current = _apply_suspend(evaluated, requested, now)
    not_replaceable = _not_replaceable(context, current, requested)
    runs = (
        context.blocked is None
        and not_replaceable is None
        and current.phase in RUNNABLE_PHASES
        and not has_spec_changed(rule, current)
    )
    may_take = runs and not needs_tags(rule, current)
    taken = record_intents(context, current, requested) if may_take else current
    return BackfillStep(
        taken,
        context.stored.backfill_history,
        before_intents=current if runs else None,
        blocked=(not_replaceable,) if not_replaceable else _blocked_by(rule, current, now),
        events=emitted,
    )


def _not_replaceable(
    context: PlanContext, status: BackfillStatus, requested: BackfillSpec
) -> Blocked | None:
    """The block if the next window may have rows that mode Replace cannot remove."""
    if context.replace is None or requested.untagged is not None or is_finished(status):
        return None
    start, since = status.done_until, context.replace.since
    if start >= since:
        return None
    cause = untagged_rows(context.rule.spec.table, start, since)
    return Blocked.because(BlockReason.NOT_REPLACEABLE, cause=cause)


def _finish(context: PlanContext, status: BackfillStatus) -> BackfillStep:
    done = _transition(
        status, BackfillEvent.FINISHED, clearing=True, reason=None, estimated_completion=None
    )
    return BackfillStep(done, _append_history(context, done), events=(events.completed(done),))


def _append_history(context: PlanContext, status: BackfillStatus) -> tuple[BackfillRecord, ...]:
    record = to_history(status, context.now)
    return (record, *context.stored.backfill_history)[:HISTORY_LIMIT]


# Predicates of an active backfill


def may_submit(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the recorded intents of this backfill may be submitted."""
    return status.phase != "Paused" and not has_spec_changed(rule, status)


def has_spec_changed(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether database, table, body or interval changed since this backfill started."""
    return status.spec_hash != spec_hash(rule.spec)


def needs_tags(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the tags of the table must be read before windows of this backfill are sent.

    In mode Replace each request has tokens of its own, so none of its windows is there.
    """
    if rule.spec.replaces:
        return False
    return status.tags_read_until is None or status.tags_read_until < status.requested_end


def needs_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the spec changed and no retry is requested yet (rule 6)."""
    is_new_spec = has_spec_changed(rule, status) and not takes_edits(rule, status)
    return is_new_spec and not annotations.has_retry_request(rule)


def takes_edits(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether a changed spec simply applies: no window was sent, or is done, failed or skipped.

    In mode Replace a recorded intent does not count: it is sent with the current spec anyway.
    Another interval is left to people: the start may lie inside a window of the new grid.
    """
    if status.interval != rule.spec.interval:
        return False
    is_sent = any(window.operation_id or not window.replaces for window in status.in_flight)
    counts = (status.windows_done, status.windows_skipped, status.windows_retried)
    return not (is_sent or status.failed or any(counts))


def is_retry_deferred(rule: SummaryRule, status: BackfillStatus | None) -> bool:
    """Whether the retry annotation stays on the rule for now.

    If the spec changed, the retry waits until the windows in flight have ended and the phase is
    Failed.
    """
    if status is None or not backfill_request.is_active(status):
        return False
    if not has_spec_changed(rule, status) or not annotations.has_retry_request(rule):
        return False
    return bool(status.in_flight) or status.phase != "Failed"


def is_finished(status: BackfillStatus) -> bool:
    """Whether each window is done or skipped."""
    return not status.in_flight and not status.failed and status.done_until >= status.requested_end


def has_orphaned_intents(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the recorded intents can no longer be submitted.

    Some may have been submitted before. Only the tags of the table say whether their data is there.
    """
    return not may_submit(rule, status) and (
        has_spec_changed(rule, status) or _is_superseded(rule, status)
    )


def _is_superseded(rule: SummaryRule, status: BackfillStatus) -> bool:
    requested = rule.spec.backfill
    return requested is not None and not backfill_request.is_same_request(
        status, identity_of(requested, rule.spec.interval)
    )


def _blocked_by(rule: SummaryRule, status: BackfillStatus, now: Instant) -> tuple[Blocked, ...]:
    """Why the remaining windows do not run now."""
    if status.phase == "Paused":
        return (Blocked.because(BlockReason.PAUSED),)
    if status.phase == "Failed":
        return (Blocked.because(BlockReason.BACKFILL_FAILED, cause=_failure(status)),)
    if has_spec_changed(rule, status):
        return (Blocked.because(BlockReason.SPEC_CHANGED),)
    delay, last = rule.spec.ingestion_delay, status.requested_end
    first_waiting = last.plus(-rule.spec.interval.ticks)
    if last.plus(delay.ticks) > now and first_waiting >= status.done_until:
        return (Blocked.because(BlockReason.WAITING_UNTIL_DUE, end=last, delay=delay),)
    return ()


def _failure(status: BackfillStatus) -> str:
    """Why the backfill is Failed: its first failed window, or the change of the spec."""
    if not status.failed:
        return "the spec changed mid-run"
    first = status.failed[0]
    return f"window {first.window} failed: {first.error}"


# Observations and annotations


def _apply_observations(context: PlanContext, status: BackfillStatus) -> BackfillStatus:
    rule = context.rule
    observed = _apply_operations(context, status)
    if has_orphaned_intents(rule, observed):
        observed = _resolve_unknown_submits(context, observed)
    observed = _credit_present_windows(context, observed)
    return apply_annotations(rule, observed, context.now, may_retry=_may_retry(rule, observed))


def _apply_operations(context: PlanContext, status: BackfillStatus) -> BackfillStatus:
    """Credit, retry or fail windows in flight (rule 3); remove intents that were not sent."""
    now, observed = context.now, context.counted
    sent = [
        window
        for window in status.in_flight
        if not (window_execution.is_prerecorded(window, now) or _was_invalid(context, window))
    ]
    outcomes = window_execution.apply_observations(context, sent)
    known = {(window.token, window.attempt, window.error) for window in sent}
    ended = (*outcomes.in_flight, *outcomes.failed)
    errors = [w.error for w in ended if w.error and (w.token, w.attempt, w.error) not in known]
    changed = status.model_copy(
        update={
            "in_flight": outcomes.in_flight,
            "failed": tuple(sorted((*status.failed, *outcomes.failed), key=_by_start)),
            "windows_done": status.windows_done + len(outcomes.done),
            "windows_already_there": status.windows_already_there + outcomes.already_there,
            "windows_retried": status.windows_retried + outcomes.retried,
            "last_error": errors[-1] if errors else status.last_error,
            "operation_time": update_average(status.operation_time, outcomes.done, observed),
        }
    )
    return _with_done(context.rule, changed, outcomes.done, now)


def _was_invalid(context: PlanContext, window: WindowStatus) -> bool:
    """Whether Kusto rejected the first submit of the window, because the query is invalid.

    In mode Replace the intent stays: an earlier submit, whose reply was lost, could still append.
    """
    is_first = window.operation_id is None and window.submitted_at is None and window.attempt == 1
    is_rejected = context.is_query_invalid and window.token in context.observed.rejected
    return is_first and is_rejected and not window.replaces


def _resolve_unknown_submits(context: PlanContext, status: BackfillStatus) -> BackfillStatus:
    """Credit orphaned intents whose tag is in the table; the others fail.

    The operation of a failed window may still run, so the window keeps its bounds. On another grid,
    a window with the same start has the same token, and Kusto could ignore its data as a repeat.
    """
    found = context.observed.tag_found
    unknown = [
        window
        for window in status.in_flight
        if window.operation_id is None and window.token in found and not window.replaces
    ]
    if not unknown:
        return status
    done = [window for window in unknown if found[window.token]]
    error = {"error": window_execution.OUTCOME_UNKNOWN}
    failed = [window.model_copy(update=error) for window in unknown if window not in done]
    changes = {
        "in_flight": tuple(window for window in status.in_flight if window not in unknown),
        "failed": (*status.failed, *failed),
        "windows_done": status.windows_done + len(done),
        "last_error": window_execution.OUTCOME_UNKNOWN if failed else status.last_error,
    }
    credited = mark_done(status.model_copy(update=changes), done)
    return with_counts(credited, context.rule.spec.interval)


def _credit_present_windows(context: PlanContext, status: BackfillStatus) -> BackfillStatus:
    """Credit the windows whose token is in the table, so that they are not sent.

    Status gets at most ``_RANGE_LIMIT`` ranges; the other windows are sent, and Kusto drops them.
    """
    tags, rule = context.observed.ingest_tags.get(status.request_key), context.rule
    if tags is None or not needs_tags(rule, status):
        return status
    present = _present_windows(rule, status, tags)
    changes = {
        "tags_read_until": status.requested_end,
        "windows_done": status.windows_done + len(present),
        "windows_already_there": status.windows_already_there + len(present),
    }
    return _with_done(rule, status.model_copy(update=changes), present, context.now)


def _present_windows(
    rule: SummaryRule, status: BackfillStatus, tags: frozenset[str]
) -> tuple[WindowStatus, ...]:
    present, ranges, last = list[WindowStatus](), len(status.done_ahead), None
    for window in pending_windows(status, rule.spec.interval):
        if ingest_tag(window_token(rule, window, run_of(rule, status))) not in tags:
            continue
        ranges += window.start != last
        if ranges > _RANGE_LIMIT:
            break
        present.append(WindowStatus(start=window.start, end=window.end))
        last = window.end
    return tuple(present)


def _may_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether a retry may be applied now; if the spec changed, windows in flight must end first."""
    if _is_superseded(rule, status):
        return False
    return not has_spec_changed(rule, status) or (status.phase == "Failed" and not status.in_flight)


def apply_annotations(
    rule: SummaryRule, status: BackfillStatus, now: Instant, *, may_retry: bool
) -> BackfillStatus:
    """Apply the retry and skip annotations; retried windows use the current spec (rule 6)."""
    result = annotations.apply(rule, status.failed, may_retry=may_retry)
    retried = map(annotations.reset_attempts, result.retried)
    changed = status.model_copy(
        update={
            "in_flight": tuple(sorted((*status.in_flight, *retried), key=_by_start)),
            "failed": tuple(sorted(result.kept, key=_by_start)),
            "windows_retried": status.windows_retried + len(result.retried),
            "spec_hash": spec_hash(rule.spec) if result.retried else status.spec_hash,
        }
    )
    if result.retried:
        changed = with_counts(changed, rule.spec.interval)
    pending = _pending_to_skip(rule, mark_done(changed, result.skipped))
    skipped = (*result.skipped, *pending)
    return _with_done(rule, _with_skipped(changed, skipped), skipped, now)


def _pending_to_skip(rule: SummaryRule, status: BackfillStatus) -> tuple[WindowStatus, ...]:
    """Pending windows that the skip annotation names."""
    starts = annotations.starts_to_skip(rule)
    if not starts:
        return ()
    return tuple(
        WindowStatus(start=window.start, end=window.end)
        for window in pending_windows(status, rule.spec.interval)
        if window.start in starts
    )


def _with_done(
    rule: SummaryRule, status: BackfillStatus, windows: tuple[WindowStatus, ...], now: Instant
) -> BackfillStatus:
    """The status with these windows done or skipped, and with new counts and a new estimate."""
    if not windows:
        return status
    return with_eta(with_counts(mark_done(status, windows), rule.spec.interval), now)


def _with_skipped(status: BackfillStatus, skipped: tuple[WindowStatus, ...]) -> BackfillStatus:
    return status.model_copy(
        update={
            "skipped": (*status.skipped, *skipped)[-SKIPPED_LIMIT:],
            "windows_skipped": status.windows_skipped + len(skipped),
        }
    )


# The phases Failed and Paused


def _evaluate_failure(
    rule: SummaryRule, status: BackfillStatus, now: Instant
) -> tuple[BackfillStatus, tuple[EmitEvent, ...]]:
    """Enter or leave phase Failed (rules 5 and 6)."""
    if status.phase == "Failed":
        return _leave_failed(rule, status, now), ()
    if status.failed and not _only_unknown_outcomes(rule, status):
        return _fail(status, WINDOW_FAILED), (events.window_failed(status.failed),)
    if has_spec_changed(rule, status) and takes_edits(rule, status):
        return _with_current_spec(rule, status), ()
    if has_spec_changed(rule, status) and not status.in_flight:
        if annotations.has_retry_request(rule) and not status.failed:
            return _with_current_spec(rule, status), ()
        return _fail(status, SPEC_CHANGED), (events.SPEC_CHANGED,)
    return status, ()


def _only_unknown_outcomes(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the spec changed and all failed windows are orphaned intents."""
    are_unknown = all(window.error == window_execution.OUTCOME_UNKNOWN for window in status.failed)
    return are_unknown and has_spec_changed(rule, status)


def _fail(status: BackfillStatus, reason: str) -> BackfillStatus:
    return _transition(status, BackfillEvent.FAILED, reason=reason, estimated_completion=None)


def _leave_failed(rule: SummaryRule, status: BackfillStatus, now: Instant) -> BackfillStatus:
    if status.failed:
        return status
    if needs_retry(rule, status):
        return status.model_copy(update={"reason": SPEC_CHANGED})
    retried = _transition(status, BackfillEvent.RETRIED, reason=None)
    return restart_rate_estimate(_with_current_spec(rule, retried), now)


def _with_current_spec(rule: SummaryRule, status: BackfillStatus) -> BackfillStatus:
    known = None if takes_edits(rule, status) else status.tags_read_until  # it may be another table
    changes = {"spec_hash": spec_hash(rule.spec), "tags_read_until": known}
    return with_counts(status.model_copy(update=changes), rule.spec.interval)


def _apply_suspend(status: BackfillStatus, requested: BackfillSpec, now: Instant) -> BackfillStatus:
    """Enter or leave phase Paused, as ``spec.backfill.suspend`` says."""
    if requested.suspend and status.phase in RUNNABLE_PHASES:
        return _transition(status, BackfillEvent.PAUSED, estimated_completion=None)
    if not requested.suspend and status.phase == "Paused":
        return restart_rate_estimate(_transition(status, BackfillEvent.RESUMED), now)
    return status


# Requests and history


def open_request(
    rule: SummaryRule, requested: BackfillSpec, history: Iterable[BackfillRecord], now: Instant
) -> BackfillStatus:
    """The status of a new request; windows that are done in history count as done."""
    interval = rule.spec.interval
    identity = identity_of(requested, interval)
    ended = find_in_history(history, identity)
    start = ended.start if ended is not None else identity.start
    reached = ended.done_until if ended is not None and ended.done_until is not None else start
    carried = _carried_over(ended) if ended is not None else {"interval": interval}
    status = BackfillStatus(
        request_key=request_key(rule, start, requested.request_id),
        request_id=requested.request_id,
        requested_start=start,
        requested_end=ceil(requested.end, interval),
        end_defaulted=_is_end_defaulted(rule, requested),
        requested_by=rule.metadata.annotations.get(REQUESTED_BY_ANNOTATION),
        requested_at=now,
        done_until=max(start, reached),
        spec_hash=spec_hash(rule.spec),
        shares_tokens=not rule.spec.replaces and (ended is None or ended.shares_tokens),
        write_mode="Replace" if rule.spec.replaces and ended is None else None,
    )
    return with_counts(status.model_copy(update=carried), interval)


def _carried_over(ended: BackfillRecord) -> dict[str, object]:
    """The fields that a request keeps from its record in history."""
    return {
        "interval": ended.interval,
        "windows_done": ended.windows,
        "windows_already_there": ended.windows_already_there,
        "done_ahead": ended.done_ahead,
        "in_flight": ended.unfinished,
        "operation_time": ended.operation_time,
    }


def completed_from_history(rule: SummaryRule, opened: BackfillStatus) -> BackfillStatus:
    """The status of a request that history shows as completed; no window runs."""
    end = min(opened.requested_end, opened.done_until)
    done = _transition(
        opened, BackfillEvent.FINISHED, clearing=True, in_flight=(), requested_end=end
    )
    return with_counts(done, rule.spec.interval)


def change_end(
    rule: SummaryRule, status: BackfillStatus, requested: BackfillSpec
) -> BackfillStatus:
    """The same request with the end from spec, which may be later or earlier than before.

    Failed windows after the new end are removed: they need no retry or skip.
    """
    end = ceil(requested.end, rule.spec.interval)
    if end == status.requested_end:
        return status
    changes = {
        "requested_end": end,
        "end_defaulted": _is_end_defaulted(rule, requested),
        "failed": tuple(window for window in status.failed if window.start < end),
    }
    return with_counts(status.model_copy(update=changes), rule.spec.interval)


def _is_end_defaulted(rule: SummaryRule, requested: BackfillSpec) -> bool:
    """Whether admission chose the end: its annotation has the same end as spec."""
    return rule.metadata.annotations.get(DEFAULTED_END_ANNOTATION) == str(requested.end)


def to_history(status: BackfillStatus, now: Instant) -> BackfillRecord:
    """The record of a request that ended (rule 7)."""
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
        progress=status.progress or None,
        windows_already_there=status.windows_already_there,
        shares_tokens=status.shares_tokens,
        done_until=status.done_until,
        done_ahead=status.done_ahead,
        unfinished=tuple(_as_new_intent(window) for window in (*status.in_flight, *status.failed)),
        operation_time=status.operation_time,
        finished_at=now,
    )


def _as_new_intent(window: WindowStatus) -> WindowStatus:
    """The window with its bounds, token and mode only, so that it starts with its first attempt."""
    return WindowStatus(
        start=window.start, end=window.end, token=window.token, write_mode=window.write_mode
    )


# Intents


def record_intents(
    context: PlanContext, status: BackfillStatus, requested: BackfillSpec
) -> BackfillStatus:
    """Record intents for the next due windows, up to ``maxInFlight`` (rule 3).

    If nothing is in flight and the next window is due within ``prerecord_horizon``, its intent is
    recorded early. This saves a write when the window is due, and the rule keeps its finalizer.
    """
    rule, now = context.rule, context.now
    known = window_execution.with_current_target(context, status.in_flight)
    capacity = requested.max_in_flight - len(known)
    intents: list[WindowStatus] = []
    for window in pending_windows(status, rule.spec.interval):
        if len(intents) >= capacity or not is_due(window, now, rule.spec.ingestion_delay):
            break
        intents.append(window_execution.new_intent(context, window, run_of(rule, status)))
    early = None if known or intents else _next_due_soon(context, status)
    if early is not None:
        intents.append(window_execution.new_intent(context, early, run_of(rule, status)))
    if intents and not rule.spec.replaces:
        status = status.model_copy(update={"write_mode": None})
    begins = status.phase == "Pending" and bool(intents or status.in_flight)
    if not intents and not begins:
        return status.model_copy(update={"in_flight": known})
    started = _transition(status, BackfillEvent.STARTED) if begins else status
    in_flight = tuple(sorted((*known, *intents), key=_by_start))
    changes: dict[str, object] = {"in_flight": in_flight, "started_at": status.started_at or now}
    paced = started if started.paced_from is not None else restart_rate_estimate(started, now)
    return paced.model_copy(update=changes)


def _next_due_soon(context: PlanContext, status: BackfillStatus) -> Window | None:
    """The next window, if it is due within ``prerecord_horizon`` and the rule has the finalizer."""
    rule = context.rule
    if status.phase != "Running" or FINALIZER not in rule.metadata.finalizers:
        return None
    soon = context.now.plus(context.settings.prerecord_horizon.ticks)
    window = next(pending_windows(status, rule.spec.interval), None)
    is_soon = window is not None and is_due(window, soon, rule.spec.ingestion_delay)
    return window if is_soon else None


def restart_rate_estimate(status: BackfillStatus, now: Instant) -> BackfillStatus:
    """Measure the rate from now: earlier windows and pauses do not count."""
    return status.model_copy(
        update={
            "paced_from": now,
            "paced_windows": status.windows_done,
            "estimated_completion": None,
        }
    )


def run_of(rule: SummaryRule, status: BackfillStatus) -> str | None:
    """What the tokens of this request have beside the window: see ``window_token``."""
    return status.request_key if rule.spec.replaces else status.request_id


def _by_start(window: WindowStatus) -> Instant:
    return window.start
