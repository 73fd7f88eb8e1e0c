"""Status conditions: what ``kubectl get``, ``kubectl wait`` and upstream's tools read.

The first three types and their message formats are upstream's (design, section 9); they are read
once, for the cursor, when a rule has no ``status.schedule``, and written for tools that read
them. ``Backfill`` is True when no backfill is outstanding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.api.instant import TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.api.v1 import (
    OWNER_ANNOTATION,
    BackfillStatus,
    Condition,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.planner import criteria
from summaryrule.planner.types import Blocked, EmitEvent, PlanContext, PlannerSettings

SCHEDULE_CONDITION: Final = "summaryrule.adx-mon.azure.com"
OPERATIONS_CONDITION: Final = f"{SCHEDULE_CONDITION}/OperationId"
LAST_EXECUTION_CONDITION: Final = f"{SCHEDULE_CONDITION}/LastSuccessfulExecution"
BACKFILL_CONDITION: Final = "Backfill"
_OPERATIONS_LIMIT: Final = 200


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


def desired_conditions(
    status: SummaryRuleStatus, held: tuple[str, str] | None, *, runs_schedule: bool
) -> list[DesiredCondition]:
    """The conditions that this status calls for.

    Args:
        status: as it is about to be stored.
        held: why nothing runs, if so.
        runs_schedule: whether interval runs are this worker's. Where they are another operator's,
            upstream's conditions are its memory, and not to be touched.
    """
    wanted = (
        _schedule_conditions(status.schedule or ScheduleStatus(), held) if runs_schedule else []
    )
    backfill = _backfill_condition(status, held)
    return wanted if backfill is None else [*wanted, backfill]


def _schedule_conditions(
    schedule: ScheduleStatus, held: tuple[str, str] | None
) -> list[DesiredCondition]:
    wanted = [_schedule_condition(schedule, held), _operations_condition(schedule)]
    if schedule.cursor is None:
        return wanted
    cursor = str(schedule.cursor)
    return [
        *wanted,
        DesiredCondition(LAST_EXECUTION_CONDITION, True, "ExecutionSuccessful", cursor),
    ]  # noqa: FBT003


def import_upstream_status(rule: SummaryRule) -> ScheduleStatus:
    """The schedule of a rule that another operator ran, from upstream's conditions.

    Raises:
        ForeignStateError: where a condition is there but cannot be read; guessing a cursor could
            lose or double windows.
    """
    conditions = {c.type: c for c in (rule.status.conditions if rule.status else ())}
    cursor = _read_cursor(conditions.get(LAST_EXECUTION_CONDITION))
    flying = _read_operations(conditions.get(OPERATIONS_CONDITION))
    return ScheduleStatus(cursor=cursor, last_done=cursor, in_flight=flying)


def _schedule_condition(schedule: ScheduleStatus, held: tuple[str, str] | None) -> DesiredCondition:
    if held is not None:
        return DesiredCondition(SCHEDULE_CONDITION, False, held[0], held[1])  # noqa: FBT003
    if schedule.failed:
        first = schedule.failed[0]
        message = f"{len(schedule.failed)} windows failed, the first {first.window}: {first.error}"
        return DesiredCondition(SCHEDULE_CONDITION, False, "WindowFailed", message)  # noqa: FBT003
    return DesiredCondition(SCHEDULE_CONDITION, True, "Active", "windows run as they are due")  # noqa: FBT003


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
    status: SummaryRuleStatus, held: tuple[str, str] | None
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
    elif held is not None and backfill.phase in ("Pending", "Running"):
        return DesiredCondition(BACKFILL_CONDITION, False, held[0], f"{message}; {held[1]}")  # noqa: FBT003
    return DesiredCondition(BACKFILL_CONDITION, settled, backfill.reason or backfill.phase, message)


def _read_cursor(condition: Condition | None) -> Instant | None:
    if condition is None or not condition.message:
        return None
    try:
        return Instant.parse(condition.message)
    except InvalidInstantError as error:
        raise UpstreamStatusError(
            f"condition {LAST_EXECUTION_CONDITION} holds {condition.message[:60]!r}, which {error}; write the"
            " end of the last window that ran, or remove the condition to start afresh"
        ) from error


def _read_operations(condition: Condition | None) -> tuple[WindowStatus, ...]:
    if condition is None or not condition.message.strip():
        return ()
    try:
        return tuple(_read_operation(entry) for entry in json.loads(condition.message))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UpstreamStatusError(
            f"condition {OPERATIONS_CONDITION} holds no list of operations that can be read; remove it once"
            " they have ended"
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


# FROM summaryrule.holds
# """Why a rule, or a part of it, does not run here or now. Asked by ``plan``."""


def owned_by_other(rule: SummaryRule, settings: PlannerSettings) -> Blocked | None:
    """A rule that belongs to another operator is left alone."""
    owner = rule.metadata.annotations.get(OWNER_ANNOTATION, "")
    if owner == settings.owner or (not owner and settings.adopt_unowned):
        return None
    whose = f"belongs to {owner!r}" if owner else "has no owner and unowned rules are not adopted"
    return Blocked("NotOurs", f"the rule {whose} (annotation {OWNER_ANNOTATION})")


def blocked_by(
    rule: SummaryRule, settings: PlannerSettings, evaluate: criteria.Evaluate
) -> Blocked | None:
    """Why nothing new of the rule may be submitted: its criteria, or no endpoint."""
    verdict = criteria.evaluate_criteria(rule.spec, settings.labels, evaluate)
    if not verdict.proceed:
        reason = verdict.reason.replace("CriteriaNotMatched", "CriteriaNotMet")
        return Blocked(reason, verdict.message)
    database = rule.spec.database
    if database not in settings.endpoints:
        known = ", ".join(sorted(settings.endpoints)) or "none"
        return Blocked(
            "NoEndpoint", f"no endpoint is configured for database {database!r} ({known})"
        )
    return None


def condition_for(context: PlanContext) -> Blocked | None:
    """What keeps the rule from running, as its condition says: a hold, or a silent endpoint."""
    if context.blocked is not None or not context.observed.endpoint_error:
        return context.blocked
    return Blocked("EndpointUnavailable", context.observed.endpoint_error)


def event_for(context: PlanContext, past: BackfillStatus | None) -> tuple[EmitEvent, ...]:
    """An Event on what a person has to know of, when the condition comes to say so.

    Criteria that do not match are none: rules are often for other clusters.
    """
    hold = condition_for(context)
    runs = context.runs_schedule or (past is not None and past.phase in ("Pending", "Running"))
    if hold is None or hold.reason == "CriteriaNotMet" or not runs:
        return ()
    kind = SCHEDULE_CONDITION if context.runs_schedule else BACKFILL_CONDITION
    said = any(
        hold.message in each.message for each in context.stored.conditions if each.type == kind
    )
    return () if said else (EmitEvent("Warning", hold.reason, hold.message),)


def has_too_many_failed(context: PlanContext, planned: ScheduleStatus | None) -> bool:
    """Whether so many interval windows failed that no new one is taken."""
    return planned is not None and len(planned.failed) >= context.settings.failed_limit


def all_blocked(
    context: PlanContext, planned: ScheduleStatus | None, of_backfill: tuple[Blocked, ...]
) -> tuple[Blocked, ...]:
    """All reasons, for the plan to say."""
    found = [] if context.blocked is None else [context.blocked]
    if context.rule.spec.suspend:
        found.append(Blocked("Suspended", "spec.suspend is true: interval runs stop"))
    if planned is not None and has_too_many_failed(context, planned):
        text = f"{len(planned.failed)} interval windows failed; retry or skip them by annotation"
        found.append(Blocked("TooManyFailed", text))
    return (*found, *of_backfill)
