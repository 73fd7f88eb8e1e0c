"""Status conditions.

Three condition types and their message formats are adx-mon's. They are written for the tools that
read them, and so that adx-mon can take the rule back. ``Backfill`` is True while no backfill is
outstanding. ``QueryValid`` has Kusto's answer about the query. ``Ready``, ``Stalled`` and
``Reconciling`` are those of kstatus (https://github.com/kubernetes-sigs/cli-utils, pkg/kstatus),
which Flux and other tools read.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from summaryrule.api.backfill_request import is_active
from summaryrule.api.block_reason import BlockKind
from summaryrule.api.constants import (
    BACKFILL_CONDITION,
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    QUERY_CONDITION,
    READY_CONDITION,
    RECONCILING_CONDITION,
    RUNNABLE_PHASES,
    SCHEDULE_CONDITION,
    STALLED_CONDITION,
)
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import (
    Condition,
    ScheduleStatus,
    SummaryRuleStatus,
)
from summaryrule.planner.preconditions import failed_windows
from summaryrule.planner.types import Blocked, QueryAnswer

_OPERATIONS_LIMIT: Final = 200
_ACTIVE: Final = "windows run as they are due"
_ABNORMAL: Final = frozenset({STALLED_CONDITION, RECONCILING_CONDITION})
"""Conditions that a rule has only while they are True."""


@dataclass(frozen=True, slots=True)
class DesiredCondition:
    """A condition as it should be, without its transition time; ``status`` None is Unknown."""

    type: str
    status: bool | None
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

    Others stay as they are, except that ``Stalled`` and ``Reconciling`` go where ``Ready`` comes
    without them. A transition time changes only when the status of its condition does.
    """
    stored = {condition.type: condition for condition in before}
    wanted = {each.type: each for each in desired}
    gone = _ABNORMAL - wanted.keys() if READY_CONDITION in wanted else frozenset[str]()
    kept = {type_: each for type_, each in stored.items() if type_ not in gone}
    for each in wanted.values():
        old = stored.get(each.type)
        status = "Unknown" if each.status is None else "True" if each.status else "False"
        since = old.last_transition_time if old is not None and old.status == status else None
        kept[each.type] = Condition(
            type=each.type,
            status=status,
            reason=each.reason,
            message=each.message,
            last_transition_time=since or now.whole_second,
            observed_generation=generation,
        )
    return tuple(kept.values())


def not_running(condition_type: str, blocked: Blocked) -> DesiredCondition:
    """The condition that says why something does not run."""
    return DesiredCondition(
        condition_type, status=False, reason=blocked.reason.value, message=blocked.message
    )


def desired_conditions(
    status: SummaryRuleStatus,
    blocked: Blocked | None,
    for_ready: Iterable[Blocked],
    query_answer: QueryAnswer | None,
) -> list[DesiredCondition]:
    """The conditions for this status.

    Args:
        status: the status to store.
        blocked: why no window is submitted; None if windows are.
        for_ready: the block reasons that ``Ready`` is derived from.
        query_answer: whether the query is valid; None leaves the condition as it is.
    """
    desired = ready_conditions(for_ready)
    desired += _schedule_conditions(status.schedule or ScheduleStatus(), blocked)
    backfill = _backfill_condition(status, blocked)
    query = None if query_answer is None else _query_condition(query_answer)
    return [*desired, *(each for each in (backfill, query) if each is not None)]


def _query_condition(answer: QueryAnswer) -> DesiredCondition:
    status = {"True": True, "False": False}.get(answer.status)
    return DesiredCondition(QUERY_CONDITION, status, answer.reason, answer.message)


def ready_conditions(blocked: Iterable[Blocked]) -> list[DesiredCondition]:
    """``Ready``, and what kstatus wants beside it.

    ``Ready`` is False with the first problem, and ``Stalled`` is then True if somebody must act, or
    ``Reconciling`` if the worker tries again by itself, or still has to find out. Without a problem
    ``Ready`` is True, with the first reason that somebody chose, or ``Active``. A reason that only
    waits changes nothing.

    Args:
        blocked: block reasons, the most important first.
    """
    found = list(blocked)
    starting = (each for each in found if each.reason.kind is BlockKind.STARTING)
    for problem in (*(each for each in found if each.reason.is_problem), *starting):
        is_stalled = problem.reason.kind is BlockKind.NEEDS_ACTION
        beside = STALLED_CONDITION if is_stalled else RECONCILING_CONDITION
        said = problem.reason.value, problem.message
        return [
            DesiredCondition(READY_CONDITION, False, *said),  # noqa: FBT003
            DesiredCondition(beside, True, *said),  # noqa: FBT003
        ]
    for chosen in (each for each in found if each.reason.kind is BlockKind.INTENDED):
        return [DesiredCondition(READY_CONDITION, True, chosen.reason.value, chosen.message)]  # noqa: FBT003
    return [DesiredCondition(READY_CONDITION, True, "Active", _ACTIVE)]  # noqa: FBT003


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


def _schedule_condition(schedule: ScheduleStatus, blocked: Blocked | None) -> DesiredCondition:
    if blocked is not None:
        return not_running(SCHEDULE_CONDITION, blocked)
    for failed in failed_windows(schedule):
        return not_running(SCHEDULE_CONDITION, failed)
    return DesiredCondition(SCHEDULE_CONDITION, status=True, reason="Active", message=_ACTIVE)


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
