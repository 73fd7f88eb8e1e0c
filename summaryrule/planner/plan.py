"""The plan: everything the worker decides about one rule, as plain data.

``plan(rule, observed, now, settings)`` is pure. ``worker run`` executes its actions; ``worker
plan`` prints its windows: the same Plan (design, section 12). Each call decides the next steps
from what is stored, so that after a crash, a conflict or a lost answer the same call goes on.

The order in which it decides:

1. A rule that is not ours, or that cannot be read, is left alone and said so.
2. What was observed is written to status, together with the next intents: one write.
3. Recorded intents are submitted; nothing is submitted that is not recorded.
4. The cursor is shown in spec, and its ownership given up at once.
5. What has ended is cleared away: act annotations, spec.backfill, the finalizer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from summaryrule.api import backfill_request
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import MalformedError, parse_rule
from summaryrule.api.v1 import FINALIZER, ScheduleStatus, SummaryRule, SummaryRuleStatus
from summaryrule.api.windows import Window, WindowSequence, due_at
from summaryrule.planner import (
    backfill,
    conditions,
    criteria,
    effects,
    events,
    progress,
    schedule,
)
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
    RunningOperation,
    SetFinalizer,
    has_backfill_in_flight,
    polling_database,
)

__all__ = ["RunningOperation", "Blocked", "MalformedError", "Plan", "plan", "parse_rule"]


def plan(
    rule: SummaryRule,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
    evaluate: criteria.Evaluate,
) -> Plan:
    """Decide what to do about ``rule``, given what was observed, at ``now``."""
    if rule.metadata.deletion_timestamp is not None:
        return plan_deletion(PlanContext(rule, observed, now, settings))
    stranger = conditions.owned_by_other(rule, settings)
    if stranger is not None:
        return Plan(blocked=(stranger,))
    try:
        before = _stored_schedule(rule, settings)
    except conditions.UpstreamStatusError as error:
        return _report(rule, Blocked("Malformed", str(error)), now)
    hold = conditions.blocked_by(rule, settings, evaluate)
    return _decide(PlanContext(rule, observed, now, settings, hold), before)


def _stored_schedule(rule: SummaryRule, settings: PlannerSettings) -> ScheduleStatus | None:
    if settings.mode == "backfill":
        return None
    stored = rule.status.schedule if rule.status is not None else None
    return stored if stored is not None else conditions.import_upstream_status(rule)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Interval runs after this plan: what is stored, what is due, what to tell."""

    status: ScheduleStatus | None
    due: WindowSequence | None = None
    events: tuple[EmitEvent, ...] = ()


def _decide(context: PlanContext, before: ScheduleStatus | None) -> Plan:
    moved = _run_backfill(context)
    runs = _run_schedule(
        context, before, keeps_retry=backfill.is_retry_deferred(context.rule, moved.status)
    )
    status = _status(context, runs.status, moved)
    may_take = context.blocked is None and not conditions.has_too_many_failed(context, runs.status)
    events = (*conditions.event_for(context, moved.status), *runs.events, *moved.events)
    return Plan(
        blocked=conditions.all_blocked(context, runs.status, moved.blocked),
        actions=tuple(_actions(context, status, replace(moved, events=events))),
        running_operations=context.running_operations(status),
        requeue_at=_requeue_at(context, status, runs.due),
        due_windows=runs.due if may_take else None,
        backfill=moved.before_intents,
    )


def _actions(
    context: PlanContext, status: SummaryRuleStatus, moved: backfill.BackfillStep
) -> Iterator[Effect]:
    """The first of these that has anything to do; the worker plans again after it."""
    if _must_record(context, status):
        if has_backfill_in_flight(status) and FINALIZER not in context.rule.metadata.finalizers:
            yield SetFinalizer(present=True)
        yield from moved.cancels
        yield RecordStatus(status)
        yield from effects.remove_annotations(context, status)
        yield from moved.events
        return
    first: list[Effect] = [
        *effects.remove_annotations(context, status),
        *moved.tag_checks,
        *effects.tag_checks(context, status),
        *effects.submits(context, status),
    ]
    if first:
        yield from first
        return
    yield from effects.sync_spec_cursor(context, status)
    yield from effects.cleanup(context, status)


def _run_schedule(
    context: PlanContext, before: ScheduleStatus | None, *, keeps_retry: bool
) -> _Runs:
    if before is None:
        return _Runs(context.stored.schedule)
    progress = schedule.apply_observations(
        context.rule,
        before,
        context.observed,
        context.now,
        context.settings,
        may_retry=not keeps_retry,
    )
    due = schedule.due_windows(context.rule.spec, progress.status, context.now, context.settings)
    failed = progress.outcomes.failed
    told = (events.window_failed(failed, "interval"),) if failed else ()
    if context.blocked is not None:
        return _Runs(progress.status, due, told)
    return _Runs(
        schedule.record_intents(context.rule, progress.status, due, context.settings), due, told
    )


def _run_backfill(context: PlanContext) -> backfill.BackfillStep:
    seat = backfill.Seat(
        context.rule,
        context.observed,
        context.now,
        context.settings,
        may_submit=context.blocked is None,
        history=context.stored.backfill_history,
    )
    return backfill.step(seat, context.stored.backfill)


def _status(
    context: PlanContext, planned: ScheduleStatus | None, moved: backfill.BackfillStep
) -> SummaryRuleStatus:
    status = context.stored.model_copy(
        update={
            "observed_generation": context.rule.metadata.generation,
            "schedule": planned,
            "backfill": moved.status,
            "backfill_history": moved.history,
        }
    )
    hold = conditions.condition_for(context)
    held = None if hold is None else (hold.reason, hold.message)
    merged = conditions.merge_conditions(
        status.conditions,
        conditions.desired_conditions(status, held, runs_schedule=context.runs_schedule),
        generation=context.rule.metadata.generation,
        now=context.now,
    )
    return status.model_copy(update={"conditions": merged})


def _must_record(context: PlanContext, status: SummaryRuleStatus) -> bool:
    """Whether status changed.

    A new generation alone can wait for the next write of a window: soon while an operation runs,
    else if it is the one that this worker's own showing of the cursor made.
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
    """As it is stored, where empty and absent are the same, without the generations."""
    bare = tuple(c.model_copy(update={"observed_generation": None}) for c in status.conditions)
    schedule = None if status.schedule == ScheduleStatus() else status.schedule
    changes = {"observed_generation": None, "conditions": bare, "schedule": schedule}
    return status.model_copy(update=changes)


def _requeue_at(
    context: PlanContext, status: SummaryRuleStatus, due: WindowSequence | None
) -> Instant | None:
    spec = context.rule.spec
    intents = (
        window for window in context.in_flight_windows(status) if window.operation_id is None
    )
    times = [effects.submit_at(context, window) for window in intents]
    if due is not None and not spec.suspend:
        following = Window(due.end, due.end.plus(spec.interval.ticks))
        times.append(due_at(following, spec.ingestion_delay))
    past = status.backfill
    if past is not None and backfill_request.is_active(past):
        following_one = next(progress.pending_windows(past, spec.interval), None)
        times += [due_at(following_one, spec.ingestion_delay)] if following_one else []
        times.append(effects.cursor_sync_due_at(context, past))
    return min((time for time in times if time > context.now), default=None)


def _report(rule: SummaryRule, held: Blocked, now: Instant) -> Plan:
    """Nothing runs; the rule's condition says why."""
    stored = rule.status or SummaryRuleStatus()
    wanted = conditions.DesiredCondition(
        conditions.SCHEDULE_CONDITION, False, held.reason, held.message
    )  # noqa: FBT003
    merged = conditions.merge_conditions(
        stored.conditions, [wanted], generation=rule.metadata.generation, now=now
    )
    said = stored.model_copy(update={"conditions": merged})
    note = EmitEvent("Warning", held.reason, held.message)
    return Plan((held,), () if said == stored else (RecordStatus(said), note))


# FROM summaryrule.departure
# """The end of a rule that is being deleted: cancel what flies, wait a bounded time, let it go."""


def plan_deletion(context: PlanContext) -> Plan:
    """What is left to do for a rule with a deletion timestamp; nothing is submitted any more."""
    if FINALIZER not in context.rule.metadata.finalizers:
        return Plan()
    running = [each for each in _operations_to_cancel(context) if _is_running(context, each)]
    since = context.rule.metadata.deletion_timestamp or context.now
    deadline = since.plus(context.settings.cancel_timeout.ticks)
    if not running or context.now >= deadline:
        return Plan(actions=(SetFinalizer(present=False),))
    cancels = tuple(
        Cancel(each.database, each.operation_id)
        for each in running
        if each.operation_id not in context.observed.canceled
    )
    held = Blocked("Deleting", "operations are being cancelled")
    return Plan((held,), cancels, tuple(running), deadline)


def _operations_to_cancel(context: PlanContext) -> Iterator[RunningOperation]:
    """Operations in status, and those whose answer came too late to be recorded."""
    for window in context.in_flight_windows(context.stored):
        operation_id = window.operation_id or context.observed.submitted.get(window.token)
        if operation_id is not None:
            database = polling_database(window, context.rule, context.settings)
            yield RunningOperation(database, operation_id, window.submitted_at)


def _is_running(context: PlanContext, each: RunningOperation) -> bool:
    operation = context.observed.operations.get(each.operation_id)
    return operation is None or operation.outcome is Outcome.RUNNING
