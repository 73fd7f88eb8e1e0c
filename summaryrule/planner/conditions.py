"""Status conditions, and the reasons for which a rule does not run.

The first three condition types and their message formats are adx-mon's. They are read once, for
the cursor, when a rule has no ``status.schedule``, and written for tools that read them.
``Backfill`` is True when no backfill is outstanding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import (
    BACKFILL_CONDITION,
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    OWNER_ANNOTATION,
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
    """A condition that upstream wrote cannot be read; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class DesiredCondition:
    """A condition as it should read, before its transition time is known."""

    type: str
    status: bool
    reason: str
    message: str


def merge_conditions(
    before: Iterable[Condition],
    wanted: Iterable[DesiredCondition],
    *,
    generation: int,
    now: Instant,
) -> tuple[Condition, ...]:
    """Conditions after ``wanted``: others stay, a transition time moves only with its status."""
    kept = {condition.type: condition for condition in before}
    for each in wanted:
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
    """The conditions that this status calls for.

    Args:
        status: as it is about to be stored.
        blocked: why nothing runs, if so.
        runs_schedule: whether interval runs are this worker's. Where they are another operator's,
            upstream's conditions are its state and stay untouched.
    """
    wanted = (
        _schedule_conditions(status.schedule or ScheduleStatus(), blocked) if runs_schedule else []
    )
    backfill = _backfill_condition(status, blocked)
    return wanted if backfill is None else [*wanted, backfill]


def _schedule_conditions(
    schedule: ScheduleStatus, blocked: Blocked | None
) -> list[DesiredCondition]:
    wanted = [_schedule_condition(schedule, blocked), _operations_condition(schedule)]
    if schedule.cursor is None:
        return wanted
    executed = DesiredCondition(
        LAST_EXECUTION_CONDITION,
        status=True,
        reason="ExecutionSuccessful",
        message=str(schedule.cursor),
    )
    return [*wanted, executed]


def import_upstream_status(rule: SummaryRule) -> ScheduleStatus:
    """The schedule of a rule that another operator ran, from upstream's conditions.

    Raises:
        UpstreamStatusError: where a condition is there but cannot be read; guessing a cursor could
            lose or double windows.
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
    has_ended = backfill.phase in ("Completed", "Canceled", "Superseded")
    settled = has_ended and not backfill.clearing  # once spec.backfill is gone, so that it is final
    message = f"{backfill.progress} windows, done until {backfill.done_until}"
    if backfill.phase == "Failed" and backfill.failed:
        first = backfill.failed[0]
        message = f"window {first.window} failed: {first.error}; retry or skip it by annotation"
    elif backfill.phase == "Failed":
        message += "; the spec changed: retry by annotation, or set a new requestId"
    elif blocked is not None and backfill.phase in ("Pending", "Running"):
        text = f"{message}; {blocked.message}"
        return not_running(BACKFILL_CONDITION, Blocked(blocked.reason, text))
    return DesiredCondition(BACKFILL_CONDITION, settled, backfill.reason or backfill.phase, message)


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
    # Upstream writes the inclusive end, one tick short of the boundary.
    end = last.plus(1) if last.ticks % TICKS_PER_SECOND else last
    if start >= end:
        raise ValueError(f"{start} is not before {end}")
    return WindowStatus(start=start, end=end, operation_id=entry["operationId"])


def _whole_second(now: Instant) -> Instant:
    return Instant(now.ticks - now.ticks % TICKS_PER_SECOND)


# Why a rule does not run


def owned_by_other(rule: SummaryRule, settings: PlannerSettings) -> Blocked | None:
    """That the rule belongs to another operator, if so; this worker then never writes to it."""
    owner = rule.metadata.annotations.get(OWNER_ANNOTATION, "")
    if owner == settings.owner or (not owner and settings.adopt_unowned):
        return None
    whose = f"belongs to {owner!r}" if owner else "has no owner and unowned rules are not adopted"
    return Blocked(BlockReason.NOT_OURS, f"the rule {whose} (annotation {OWNER_ANNOTATION})")


def blocked_by(
    rule: SummaryRule, settings: PlannerSettings, evaluate: criteria.Evaluate
) -> Blocked | None:
    """Why nothing of the rule may be submitted: its criteria, or no endpoint for its database."""
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
    """Why the rule does not run, as its condition says it: also when its endpoint is silent."""
    if context.blocked is not None or not context.observed.endpoint_error:
        return context.blocked
    return Blocked(BlockReason.ENDPOINT_UNAVAILABLE, context.observed.endpoint_error)


def event_for(context: PlanContext, backfill: BackfillStatus | None) -> tuple[EmitEvent, ...]:
    """An Event, when the condition begins to say why the rule does not run.

    Criteria that do not match cause none: rules are often meant for other clusters.
    """
    blocked = condition_for(context)
    is_running = backfill is not None and backfill.phase in ("Pending", "Running")
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
    """Whether so many interval windows failed that no new one is taken."""
    return schedule is not None and len(schedule.failed) >= context.settings.failed_limit


def all_blocked(
    context: PlanContext, schedule: ScheduleStatus | None, of_backfill: tuple[Blocked, ...]
) -> tuple[Blocked, ...]:
    """Every reason for which something of the rule does not run, the rule's own first."""
    found = [] if context.blocked is None else [context.blocked]
    if context.rule.spec.suspend:
        text = "spec.suspend is true: interval runs stop"
        found.append(Blocked(BlockReason.SUSPENDED, text))
    if schedule is not None and has_too_many_failed(context, schedule):
        text = f"{len(schedule.failed)} interval windows failed; retry or skip them by annotation"
        found.append(Blocked(BlockReason.TOO_MANY_FAILED, text))
    return (*found, *of_backfill)
