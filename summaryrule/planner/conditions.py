"""Status conditions, and the reasons for which a rule does not run.

Three condition types and their message formats are adx-mon's. They are read once, when a rule has
no ``status.schedule`` yet, and are written for the tools that read them. The fourth, ``Backfill``,
is True while no backfill is outstanding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.api.backfill_request import is_active
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import (
    BACKFILL_CONDITION,
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    OWNER_ANNOTATION,
    RUNNABLE_PHASES,
    SCHEDULE_CONDITION,
)
from summaryrule.api.instant import TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.api.v1 import (
    BackfillStatus,
    Condition,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.planner import criteria
from summaryrule.planner.types import Blocked, EmitEvent, PlanContext, PlannerSettings

_OPERATIONS_LIMIT: Final = 200
_CRITERIA_REASONS: Final = {
    "CriteriaNotMatched": BlockReason.CRITERIA_NOT_MET,
    "CriteriaExpressionError": BlockReason.CRITERIA_EXPRESSION_ERROR,
}


class UpstreamStatusError(ValueError):
    """A condition of adx-mon cannot be read; the message says which one and what to do."""


@dataclass(frozen=True, slots=True)
class DesiredCondition:
    """A condition as it should be, without its transition time."""

    type: str
    status: bool
    reason: str
    message: str


def merge_conditions(
    before: Iterable[Condition],
    desired: Iterable[DesiredCondition],
    *,
    generation: int,
    now: Instant,
) -> tuple[Condition, ...]:
    """The conditions with ``desired`` applied.

    Others stay as they are. A transition time changes only when the status of its condition does.
    """
    kept = {condition.type: condition for condition in before}
    for each in desired:
        old = kept.get(each.type)
        status = "True" if each.status else "False"
        since = old.last_transition_time if old is not None and old.status == status else None
        kept[each.type] = Condition(
            type=each.type,
            status=status,
            reason=each.reason,
            message=each.message,
            last_transition_time=since or _whole_second(now),
            observed_generation=generation,
        )
    return tuple(kept.values())


def not_running(condition_type: str, blocked: Blocked) -> DesiredCondition:
    """The condition that says why something does not run."""
    return DesiredCondition(
        condition_type, status=False, reason=blocked.reason.value, message=blocked.message
    )


def desired_conditions(
    status: SummaryRuleStatus, blocked: Blocked | None, *, runs_schedule: bool
) -> list[DesiredCondition]:
    """The conditions for this status.

    Args:
        status: the status to store.
        blocked: why no window is submitted; None if windows are.
        runs_schedule: whether this worker runs the interval runs. If another operator does,
            adx-mon's conditions are the state of that operator and stay as they are.
    """
    desired = (
        _schedule_conditions(status.schedule or ScheduleStatus(), blocked) if runs_schedule else []
    )
    backfill = _backfill_condition(status, blocked)
    return desired if backfill is None else [*desired, backfill]


def _schedule_conditions(
    schedule: ScheduleStatus, blocked: Blocked | None
) -> list[DesiredCondition]:
    desired = [_schedule_condition(schedule, blocked), _operations_condition(schedule)]
    if schedule.cursor is None:
        return desired
    executed = DesiredCondition(
        LAST_EXECUTION_CONDITION,
        status=True,
        reason="ExecutionSuccessful",
        message=str(schedule.cursor),
    )
    return [*desired, executed]


def import_upstream_status(rule: SummaryRule) -> ScheduleStatus:
    """The schedule of a rule that adx-mon ran, from its conditions.

    Raises:
        UpstreamStatusError: if a condition cannot be read. A guessed cursor could lose or double
            windows.
    """
    conditions = {c.type: c for c in (rule.status.conditions if rule.status else ())}
    cursor = _read_cursor(conditions.get(LAST_EXECUTION_CONDITION))
    in_flight = _read_operations(conditions.get(OPERATIONS_CONDITION))
    return ScheduleStatus(cursor=cursor, last_done=cursor, in_flight=in_flight)


def _schedule_condition(schedule: ScheduleStatus, blocked: Blocked | None) -> DesiredCondition:
    if blocked is not None:
        return not_running(SCHEDULE_CONDITION, blocked)
    if schedule.failed:
        first = schedule.failed[0]
        message = f"{len(schedule.failed)} windows failed, the first {first.window}: {first.error}"
        return not_running(SCHEDULE_CONDITION, Blocked(BlockReason.WINDOW_FAILED, message))
    message = "windows run as they are due"
    return DesiredCondition(SCHEDULE_CONDITION, status=True, reason="Active", message=message)


def _operations_condition(schedule: ScheduleStatus) -> DesiredCondition:
    operations = [
        {
            "operationId": window.operation_id,
            "startTime": str(window.start),
            "endTime": str(window.window.query_end),
        }
        for window in schedule.in_flight
        if window.operation_id
    ][-_OPERATIONS_LIMIT:]
    message = json.dumps(operations) if operations else ""
    reason = "InProgress" if operations else "Idle"
    return DesiredCondition(OPERATIONS_CONDITION, bool(operations), reason, message)


def _backfill_condition(
    status: SummaryRuleStatus, blocked: Blocked | None
) -> DesiredCondition | None:
    backfill = status.backfill
    if backfill is None:
        return None
    # True only after spec.backfill is removed, so that it does not change again.
    is_final = not is_active(backfill) and not backfill.clearing
    message = f"{backfill.progress} windows, done until {backfill.done_until}"
    if backfill.phase == "Failed" and backfill.failed:
        first = backfill.failed[0]
        message = f"window {first.window} failed: {first.error}; retry or skip it by annotation"
    elif backfill.phase == "Failed":
        message += "; the spec changed: retry by annotation, or set a new requestId"
    elif blocked is not None and backfill.phase in RUNNABLE_PHASES:
        text = f"{message}; {blocked.message}"
        return not_running(BACKFILL_CONDITION, Blocked(blocked.reason, text))
    return DesiredCondition(
        BACKFILL_CONDITION, is_final, backfill.reason or backfill.phase, message
    )


def _read_cursor(condition: Condition | None) -> Instant | None:
    if condition is None or not condition.message:
        return None
    try:
        return Instant.parse(condition.message)
    except InvalidInstantError as error:
        raise UpstreamStatusError(
            f"condition {LAST_EXECUTION_CONDITION} holds {condition.message[:60]!r}, which {error};"
            " write the end of the last window that ran, or remove the condition to start afresh"
        ) from error


def _read_operations(condition: Condition | None) -> tuple[WindowStatus, ...]:
    if condition is None or not condition.message.strip():
        return ()
    try:
        return tuple(_read_operation(entry) for entry in json.loads(condition.message))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UpstreamStatusError(
            f"condition {OPERATIONS_CONDITION} holds no list of operations that can be read; remove"
            " it once they have ended"
        ) from error


def _read_operation(entry: dict[str, Any]) -> WindowStatus:
    start, last = Instant.parse(entry["startTime"]), Instant.parse(entry["endTime"])
    # adx-mon writes the inclusive end, one tick before the boundary.
    end = last.plus(1) if last.ticks % TICKS_PER_SECOND else last
    if start >= end:
        raise ValueError(f"{start} is not before {end}")
    return WindowStatus(start=start, end=end, operation_id=entry["operationId"])


def _whole_second(now: Instant) -> Instant:
    return Instant(now.ticks - now.ticks % TICKS_PER_SECOND)


# Why a rule does not run


def owned_by_other(rule: SummaryRule, settings: PlannerSettings) -> Blocked | None:
    """The block if the rule belongs to another operator: this worker does not write to it."""
    owner = rule.metadata.annotations.get(OWNER_ANNOTATION, "")
    if owner == settings.owner or (not owner and settings.adopt_unowned):
        return None
    why = f"belongs to {owner!r}" if owner else "has no owner and unowned rules are not adopted"
    return Blocked(BlockReason.NOT_OURS, f"the rule {why} (annotation {OWNER_ANNOTATION})")


def blocked_by(
    rule: SummaryRule, settings: PlannerSettings, evaluate: criteria.Evaluate
) -> Blocked | None:
    """Why no window of the rule may be submitted: its criteria, or no endpoint for its database."""
    result = criteria.evaluate_criteria(rule.spec, settings.labels, evaluate)
    if not result.proceed:
        return Blocked(_CRITERIA_REASONS[result.reason], result.message)
    database = rule.spec.database
    if database not in settings.endpoints:
        known = ", ".join(sorted(settings.endpoints)) or "none"
        text = f"no endpoint is configured for database {database!r} ({known})"
        return Blocked(BlockReason.NO_ENDPOINT, text)
    return None


def condition_for(context: PlanContext) -> Blocked | None:
    """Why the rule does not run, for its condition: also if its endpoint does not answer."""
    if context.blocked is not None or not context.observed.endpoint_error:
        return context.blocked
    return Blocked(BlockReason.ENDPOINT_UNAVAILABLE, context.observed.endpoint_error)


def event_for(context: PlanContext, backfill: BackfillStatus | None) -> tuple[EmitEvent, ...]:
    """An Event when a new reason for which the rule does not run goes into its condition.

    Criteria that do not match cause no Event: many rules are for other clusters.
    """
    blocked = condition_for(context)
    is_running = backfill is not None and backfill.phase in RUNNABLE_PHASES
    if blocked is None or not (context.runs_schedule or is_running):
        return ()
    if blocked.reason is BlockReason.CRITERIA_NOT_MET:
        return ()
    kind = SCHEDULE_CONDITION if context.runs_schedule else BACKFILL_CONDITION
    messages = [each.message for each in context.stored.conditions if each.type == kind]
    if any(blocked.message in message for message in messages):
        return ()
    return (EmitEvent("Warning", blocked.reason.value, blocked.message),)


def has_too_many_failed(context: PlanContext, schedule: ScheduleStatus | None) -> bool:
    """Whether ``failed_limit`` interval windows failed, so that no new ones are taken."""
    return schedule is not None and len(schedule.failed) >= context.settings.failed_limit


def all_blocked(
    context: PlanContext, schedule: ScheduleStatus | None, of_backfill: tuple[Blocked, ...]
) -> tuple[Blocked, ...]:
    """All reasons for which the rule or a part of it does not run, those of the rule first."""
    found = [] if context.blocked is None else [context.blocked]
    if context.rule.spec.suspend:
        text = "spec.suspend is true: interval runs stop"
        found.append(Blocked(BlockReason.SUSPENDED, text))
    if schedule is not None and has_too_many_failed(context, schedule):
        text = f"{len(schedule.failed)} interval windows failed; retry or skip them by annotation"
        found.append(Blocked(BlockReason.TOO_MANY_FAILED, text))
    return (*found, *of_backfill)
