"""Decides what to do for one rule: the status to record, and why windows do not run.

``decide`` returns a ``Plan``. The plan has the writes that record the decision. It also has the
inputs of ``effects``, which returns the side effects to execute after the writes. ``decide`` uses
only the stored rule and the observations. After a crash, a conflict or a lost reply, the same call
therefore continues the work.

What may hold a window back, and in which order the code checks it, is in docs/architecture.md
("Why a window is not sent").
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from summaryrule.api import backfill_request
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import FINALIZER, SCHEDULE_CONDITION, SKIP_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import read_part
from summaryrule.api.v1 import ScheduleStatus, SummaryRule, SummaryRuleStatus
from summaryrule.api.windows import Window, WindowSequence, due_at
from summaryrule.planner import (
    adoption,
    annotations,
    backfill_state_machine,
    conditions,
    effects,
    events,
    preconditions,
    progress,
    query_validity,
    replacement,
    schedule,
    window_execution,
)
from summaryrule.planner.backfill_state_machine import BackfillStep
from summaryrule.planner.schedule import ScheduleStep
from summaryrule.planner.types import (
    Blocked,
    Cancel,
    Effect,
    EmitEvent,
    Observations,
    Outcome,
    Plan,
    PlanContext,
    PlannerSettings,
    RecordStatus,
    RemoveAnnotations,
    RunningOperation,
    SetFinalizer,
    has_backfill_in_flight,
)


def decide(
    rule: SummaryRule,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
    evaluate: preconditions.Evaluate,
) -> Plan:
    """Decide what to do for ``rule``, which this operator owns.

    ``evaluate`` evaluates its CEL criteria.
    """
    if rule.metadata.deletion_timestamp is not None:
        return plan_deletion(PlanContext(rule, observed, now, settings))
    try:
        before = _stored_schedule(rule)
    except adoption.UpstreamStatusError as error:
        return _report(rule, Blocked.because(BlockReason.MALFORMED, cause=error), now)
    known = adoption.with_upstream_backfill(rule)
    blocked = preconditions.blocked_by(rule, settings, evaluate)
    context = PlanContext(known, observed, now, settings, blocked)
    context = replace(context, replace=replacement.next_status(context, before))
    return adoption.plan_hand_over(context) or _decide(_with_query(context), before)


def _with_query(context: PlanContext) -> PlanContext:
    """The context with the last answer about the query, and with the check that is still to make.

    A rule that does not run here has neither.
    """
    if context.blocked is not None:
        return context
    key = query_validity.hash_of(context.rule, context.settings)
    if not context.settings.checks_queries:
        return replace(context, query_answer=query_validity.turned_off(context, key))
    answer = query_validity.answer_about(context, key)
    return replace(
        context,
        blocked=query_validity.blocked_by(answer),
        query_answer=answer,
        query_check=query_validity.check_for(context, key, answer),
    )


def plan_deletion(context: PlanContext) -> Plan:
    """Cancel running operations, wait up to ``cancel_timeout``, then remove the finalizer."""
    if FINALIZER not in context.rule.metadata.finalizers:
        return Plan()
    running = [each for each in _operations_to_cancel(context) if _is_running(context, each)]
    since = context.rule.metadata.deletion_timestamp or context.now
    deadline = since.plus(context.settings.cancel_timeout.ticks)
    older_runs = tuple(replacement.drop_older_runs(context))
    if not (running or older_runs) or context.now >= deadline:
        return Plan(writes=(SetFinalizer(present=False),))
    cancels = tuple(
        Cancel(each.database, each.operation_id)
        for each in running
        if each.operation_id not in context.observed.canceled
    )
    blocked = Blocked.because(BlockReason.DELETING)
    return Plan(
        writes=(*cancels, *older_runs),
        blocked=(blocked,),
        running_operations=tuple(running),
        requeue_at=deadline,
    )


def _operations_to_cancel(context: PlanContext) -> Iterator[RunningOperation]:
    """The operations in status, and those that Kusto has started but status does not have yet."""
    for window in context.in_flight_windows(context.stored):
        operation_id = window.operation_id or context.observed.submitted.get(window.token)
        if operation_id is not None:
            database = context.polling_database(window)
            yield RunningOperation(database, operation_id, window.submitted_at)


def _is_running(context: PlanContext, each: RunningOperation) -> bool:
    operation = context.observed.operations.get(each.operation_id)
    return operation is None or operation.outcome is Outcome.RUNNING


def _report(rule: SummaryRule, blocked: Blocked, now: Instant) -> Plan:
    """The plan that runs nothing and records the reason in the rule's conditions."""
    stored = rule.status or SummaryRuleStatus()
    status = _with_reason(stored, blocked, generation=rule.metadata.generation, now=now)
    event = EmitEvent("Warning", blocked.reason.value, blocked.message)
    return Plan(() if status == stored else (RecordStatus(status), event), blocked=(blocked,))


def _with_reason(
    stored: SummaryRuleStatus, blocked: Blocked, *, generation: int, now: Instant
) -> SummaryRuleStatus:
    """The status of a rule that does not run at all."""
    desired = [
        *conditions.ready_conditions([blocked]),
        conditions.not_running(SCHEDULE_CONDITION, blocked),
    ]
    merged = conditions.merge_conditions(stored.conditions, desired, generation=generation, now=now)
    return stored.model_copy(update={"observed_generation": generation, "conditions": merged})


def plan_unreadable(raw: Mapping[str, Any], message: str, now: Instant, *, is_new: bool) -> Plan:
    """The plan for an object that is not a valid rule: report it on the object, once.

    The Event is the first write. If a field has a wrong type, the API server (1.37) refuses every
    write to the object, even a write of a condition. A status that cannot be read is not
    overwritten. A deleted object loses its finalizer, because its operations cannot be read.

    Args:
        raw: the object from the API server.
        message: why the object is not valid.
        now: the time for the condition.
        is_new: whether the message differs from the last message about this object.
    """
    metadata = raw["metadata"]
    blocked = (Blocked.because(BlockReason.MALFORMED, cause=message),)
    if "deletionTimestamp" in metadata:
        has_finalizer = FINALIZER in metadata.get("finalizers", ())
        return Plan((SetFinalizer(present=False),) if has_finalizer else (), blocked=blocked)
    status = read_part(SummaryRuleStatus, raw.get("status")) or SummaryRuleStatus()
    generation = int(metadata.get("generation", 0))
    changed = _with_reason(status, blocked[0], generation=generation, now=now)
    if changed == status:
        return Plan(blocked=blocked)
    event = (EmitEvent("Warning", BlockReason.MALFORMED.value, message),) if is_new else ()
    if raw.get("status") and status == SummaryRuleStatus():
        return Plan(event, blocked=blocked)
    return Plan((*event, RecordStatus(changed)), blocked=blocked)


def _stored_schedule(rule: SummaryRule) -> ScheduleStatus:
    stored = rule.status.schedule if rule.status is not None else None
    return stored if stored is not None else adoption.import_upstream_status(rule)


def _decide(context: PlanContext, before: ScheduleStatus) -> Plan:
    backfill_step = backfill_state_machine.step(context)
    schedule_step = _step_schedule(context, before, backfill_step)
    blocked = preconditions.all_blocked(context, schedule_step.status, backfill_step.blocked)
    status = _status(context, schedule_step, backfill_step, blocked)
    too_many_failed = preconditions.has_too_many_failed(context, schedule_step.status)
    may_take = context.blocked is None and not too_many_failed
    return Plan(
        writes=tuple(_writes(context, status, schedule_step, backfill_step)),
        context=context,
        blocked=blocked,
        running_operations=context.running_operations(status),
        requeue_at=_requeue_at(context, status, schedule_step.due),
        due_windows=schedule_step.due if may_take else None,
        backfill=backfill_step.before_intents,
        query_check=context.query_check,
    )


def _step_schedule(
    context: PlanContext, before: ScheduleStatus, backfill_step: BackfillStep
) -> ScheduleStep:
    may_retry = not backfill_state_machine.is_retry_deferred(context.rule, backfill_step.status)
    return schedule.step(context, before, may_retry=may_retry)


def _writes(
    context: PlanContext,
    status: SummaryRuleStatus,
    schedule_step: ScheduleStep,
    backfill_step: BackfillStep,
) -> Iterator[Effect]:
    if not _must_record(context, status):
        yield from backfill_step.cancels
        yield from _annotation_writes(context, status)
        return
    if has_backfill_in_flight(status) and FINALIZER not in context.rule.metadata.finalizers:
        yield SetFinalizer(present=True)
    yield from backfill_step.cancels
    yield RecordStatus(status)
    yield from _annotation_writes(context, status)
    yield from preconditions.event_for(context)
    yield from query_validity.event_for(context)
    yield from schedule_step.events
    yield from backfill_step.events


def _status(
    context: PlanContext,
    schedule_step: ScheduleStep,
    backfill_step: BackfillStep,
    blocked: tuple[Blocked, ...],
) -> SummaryRuleStatus:
    generation = context.rule.metadata.generation
    stored = context.stored
    if adoption.is_new_here(stored):
        stored = adoption.without_upstream_conditions(stored)
    status = stored.model_copy(
        update={
            "observed_generation": generation,
            "schedule": schedule_step.status,
            "backfill": backfill_step.status,
            "backfill_history": backfill_step.history,
            "replace": context.replace,
        }
    )
    if context.query_answer is not None:
        status = status.model_copy(update={"query_hash": context.query_answer.key})
    merged = conditions.merge_conditions(
        status.conditions,
        conditions.desired_conditions(
            status,
            preconditions.condition_for(context),
            preconditions.for_ready(context, status, blocked),
            context.query_answer,
        ),
        generation=generation,
        now=context.now,
    )
    return status.model_copy(update={"conditions": merged})


def _must_record(context: PlanContext, status: SummaryRuleStatus) -> bool:
    """Whether the status must be written now.

    If only the generation has changed, and windows of a backfill are in flight, the write can be
    delayed until the next change of the status. It is delayed if an operation is running, or if
    this worker changed the generation itself when it updated the cursor.
    """
    if context.stored == status:
        return False
    if _without_generations(context.stored) != _without_generations(status):
        return True
    if context.stored.observed_generation == status.observed_generation:
        return False
    is_own = context.observed.cursor_sync_generation == status.observed_generation
    return not (has_backfill_in_flight(status) and (context.running_operations(status) or is_own))


def _without_generations(status: SummaryRuleStatus) -> SummaryRuleStatus:
    """The status without generations, and without an empty schedule, which is not stored."""
    bare = tuple(c.model_copy(update={"observed_generation": None}) for c in status.conditions)
    kept_schedule = None if status.schedule == ScheduleStatus() else status.schedule
    changes = {"observed_generation": None, "conditions": bare, "schedule": kept_schedule}
    return status.model_copy(update=changes)


def _annotation_writes(
    context: PlanContext, status: SummaryRuleStatus
) -> Iterator[RemoveAnnotations | EmitEvent]:
    """Remove annotations that status has recorded; report entries that match no window.

    The annotations are removed at once. Otherwise a window that fails again would be retried
    without end. If the spec has changed, the retry annotation stays until the windows in flight
    have ended.
    """
    names = annotations.present(context.rule)
    if not names or backfill_state_machine.is_retry_deferred(context.rule, status.backfill):
        return
    yield RemoveAnnotations(names)
    for annotation, entries in annotations.unmatched(context.rule, _addressable_windows(context)):
        if annotation == SKIP_ANNOTATION or not _resumes_with_new_spec(context, status):
            yield events.annotation_ignored(annotation, entries)


def _resumes_with_new_spec(context: PlanContext, status: SummaryRuleStatus) -> bool:
    """Whether a retry lets the backfill continue with a changed spec, whatever its entries are."""
    before, after = context.stored.backfill, status.backfill
    if before is None or not backfill_request.is_active(before):
        return False
    still_changed = after is not None and backfill_state_machine.has_spec_changed(
        context.rule, after
    )
    return backfill_state_machine.has_spec_changed(context.rule, before) and not still_changed


def _addressable_windows(context: PlanContext) -> annotations.AddressableWindows:
    now, stored = context.now, context.stored
    failed = (stored.schedule or ScheduleStatus()).failed
    in_flight = tuple(
        window
        for window in context.in_flight_windows(stored)
        if not window_execution.is_prerecorded(window, now)
    )
    status = stored.backfill
    if status is None:
        return annotations.AddressableWindows(failed, in_flight, (), frozenset().__contains__)
    sent = tuple(w for w in status.in_flight if not window_execution.is_prerecorded(w, now))
    status = status.model_copy(update={"in_flight": sent})
    pending = (
        {window.start for window in progress.pending_windows(status, context.rule.spec.interval)}
        if SKIP_ANNOTATION in annotations.present(context.rule)
        else set[Instant]()
    )
    return annotations.AddressableWindows(
        (*failed, *status.failed), in_flight, status.skipped, pending.__contains__
    )


def _requeue_at(
    context: PlanContext, status: SummaryRuleStatus, due: WindowSequence
) -> Instant | None:
    spec = context.rule.spec
    intents = (each for each in context.in_flight_windows(status) if each.operation_id is None)
    times = [effects.submit_at(context, window) for window in intents]
    if not spec.suspend:
        following = Window(due.end, due.end.plus(spec.interval.ticks))
        times.append(due_at(following, spec.ingestion_delay))
    running = status.backfill
    if running is not None and backfill_request.is_active(running):
        pending = next(progress.pending_windows(running, spec.interval), None)
        times += [due_at(pending, spec.ingestion_delay)] if pending else []
        times.append(effects.cursor_sync_due_at(context, running))
    return min((time for time in times if time > context.now), default=None)
