"""Status conditions: what ``kubectl get``, ``kubectl wait`` and upstream's tools read.

The first three types and their message formats are upstream's (design, section 9); they are read
once, for the cursor, when a rule has no ``status.schedule``, and written for tools that read
them. ``Backfill`` is True when no backfill is outstanding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.instant import TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.v1 import Condition, ScheduleStatus, SummaryRule, SummaryRuleStatus, WindowStatus

OWNER: Final = "summaryrule.adx-mon.azure.com"
OPERATIONS: Final = f"{OWNER}/OperationId"
LAST_EXECUTION: Final = f"{OWNER}/LastSuccessfulExecution"
BACKFILL: Final = "Backfill"
_OPERATIONS_LIMIT: Final = 200


class ForeignStateError(ValueError):
    """A condition that upstream wrote cannot be read; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A condition as it should read, before its transition time is known."""

    type: str
    status: bool
    reason: str
    message: str


def merge(
    before: Iterable[Condition], wanted: Iterable[Wanted], *, generation: int, now: Instant
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


def describe(
    status: SummaryRuleStatus, held: tuple[str, str] | None, *, runs_schedule: bool
) -> list[Wanted]:
    """The conditions that this status calls for.

    Args:
        status: as it is about to be stored.
        held: why nothing runs, if so.
        runs_schedule: whether interval runs are this worker's. Where they are another operator's,
            upstream's conditions are its memory, and not to be touched.
    """
    wanted = _of_schedule(status.schedule or ScheduleStatus(), held) if runs_schedule else []
    backfill = _backfill(status, held)
    return wanted if backfill is None else [*wanted, backfill]


def _of_schedule(schedule: ScheduleStatus, held: tuple[str, str] | None) -> list[Wanted]:
    wanted = [_owner(schedule, held), _operations(schedule)]
    if schedule.cursor is None:
        return wanted
    cursor = str(schedule.cursor)
    return [*wanted, Wanted(LAST_EXECUTION, True, "ExecutionSuccessful", cursor)]  # noqa: FBT003


def adopt(rule: SummaryRule) -> ScheduleStatus:
    """The schedule of a rule that another operator ran, from upstream's conditions.

    Raises:
        ForeignStateError: where a condition is there but cannot be read; guessing a cursor could
            lose or double windows.
    """
    conditions = {c.type: c for c in (rule.status.conditions if rule.status else ())}
    cursor = _read_cursor(conditions.get(LAST_EXECUTION))
    flying = _read_operations(conditions.get(OPERATIONS))
    return ScheduleStatus(cursor=cursor, last_done=cursor, in_flight=flying)


def _owner(schedule: ScheduleStatus, held: tuple[str, str] | None) -> Wanted:
    if held is not None:
        return Wanted(OWNER, False, held[0], held[1])  # noqa: FBT003
    if schedule.failed:
        first = schedule.failed[0]
        message = f"{len(schedule.failed)} windows failed, the first {first.window}: {first.error}"
        return Wanted(OWNER, False, "WindowFailed", message)  # noqa: FBT003
    return Wanted(OWNER, True, "Active", "windows run as they are due")  # noqa: FBT003


def _operations(schedule: ScheduleStatus) -> Wanted:
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
    return Wanted(OPERATIONS, bool(operations), reason, message)


def _backfill(status: SummaryRuleStatus, held: tuple[str, str] | None) -> Wanted | None:
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
        return Wanted(BACKFILL, False, held[0], f"{message}; {held[1]}")  # noqa: FBT003
    return Wanted(BACKFILL, settled, backfill.reason or backfill.phase, message)


def _read_cursor(condition: Condition | None) -> Instant | None:
    if condition is None or not condition.message:
        return None
    try:
        return Instant.parse(condition.message)
    except InvalidInstantError as error:
        raise ForeignStateError(
            f"condition {LAST_EXECUTION} holds {condition.message[:60]!r}, which {error}; write the"
            " end of the last window that ran, or remove the condition to start afresh"
        ) from error


def _read_operations(condition: Condition | None) -> tuple[WindowStatus, ...]:
    if condition is None or not condition.message.strip():
        return ()
    try:
        return tuple(_read_operation(entry) for entry in json.loads(condition.message))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ForeignStateError(
            f"condition {OPERATIONS} holds no list of operations that can be read; remove it once"
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
