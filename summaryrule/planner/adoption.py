"""Taking rules over from adx-mon, and handing them over to it.

A rule has one owner, which alone writes to it. This worker makes a rule its own if it is configured
to (``Ownership.adopt_owners``), or if the rule asks for it (annotation ``desired-owner``) and
adx-mon has nothing under way. It then continues from adx-mon's conditions and ``status.backfill``.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from summaryrule.api import unstructured
from summaryrule.api.backfill_request import upstream_record
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import (
    BACKFILL_CONDITION,
    FINALIZER,
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    OPERATOR_NAME,
    QUERY_CONDITION,
    READY_CONDITION,
    RECONCILING_CONDITION,
    SCHEDULE_CONDITION,
    STALLED_CONDITION,
)
from summaryrule.api.instant import Instant, InvalidInstantError
from summaryrule.api.ownership import UNOWNED, desired_owner_of, owner_of
from summaryrule.api.tokens import request_key, window_token
from summaryrule.api.upstream_backfill import UpstreamRequest, exclusive_end
from summaryrule.api.v1 import (
    BackfillRecord,
    Condition,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.planner import events
from summaryrule.planner.types import (
    Blocked,
    Effect,
    Plan,
    PlanContext,
    PlannerSettings,
    RecordStatus,
    SetFinalizer,
    SetOwner,
)

_OF_UPSTREAM: Final = frozenset({"Criteria", "Completed", "Failed", BACKFILL_CONDITION})
"""Conditions of adx-mon that would stay as they are, because this worker does not write them."""
_OF_THIS_WORKER: Final = frozenset(
    {
        READY_CONDITION,
        RECONCILING_CONDITION,
        STALLED_CONDITION,
        QUERY_CONDITION,
        BACKFILL_CONDITION,
    }
)
_UNDER_WAY: Final = frozenset({"Pending", "Running"})


class UpstreamStatusError(ValueError):
    """A condition of adx-mon cannot be read; the message says which one and what to do."""


def plan_ownership(rule: Mapping[str, Any], now: Instant, settings: PlannerSettings) -> Plan | None:
    """The plan for a rule of another owner: no write, or the take-over; None for a rule of ours.

    It reads the raw object: what another operator owns may be something that cannot be parsed here.
    None for an object that is being deleted as well: our finalizer may be on it.
    """
    ownership, owner = settings.ownership, owner_of(rule)
    if unstructured.is_being_deleted(rule) or ownership.is_ours(rule):
        return None
    cause = f"belongs to {owner!r}" if owner else UNOWNED
    is_adopted = owner in ownership.adopt_owners
    if not is_adopted and desired_owner_of(rule) == OPERATOR_NAME:
        waits = _why_not_yet(rule, now)
        is_adopted, cause = not waits, f"{cause} and is taken over later: {waits}"
    if is_adopted:
        return Plan(writes=(SetOwner(OPERATOR_NAME), events.adopted(owner)))
    return Plan(blocked=(Blocked.because(BlockReason.NOT_OURS, cause=cause),))


def _why_not_yet(rule: Mapping[str, Any], now: Instant) -> str:
    """Why the rule cannot be taken from a running adx-mon yet; empty if it can.

    The conditions are adx-mon's own (``SafeToAdopt``): it has nothing in flight, and no window is
    due, so that it does not submit one at the same time.
    """
    status = unstructured.nested_dict(rule, "status")
    found = {each.get("type"): each for each in unstructured.nested_list(status, "conditions")}
    if _has_operations(found.get(OPERATIONS_CONDITION, {})):
        return "adx-mon has windows in flight"
    backfill = unstructured.nested_dict(status, "backfill")
    if backfill.get("phase") in _UNDER_WAY:
        return "adx-mon has a backfill under way"
    spec = unstructured.nested_dict(rule, "spec")
    interval = unstructured.interval_of(spec)
    generation = unstructured.nested_dict(rule, "metadata").get("generation")
    seen = found.get(SCHEDULE_CONDITION, {}).get("observedGeneration")
    last = unstructured.as_instant(found.get(LAST_EXECUTION_CONDITION, {}).get("message"))
    if interval is None or last is None or seen != generation:
        return "adx-mon is about to submit a window"
    due = last.plus(interval.ticks + unstructured.ingestion_delay_of(spec).ticks)
    return "adx-mon is about to submit a window" if due <= now else ""


def _has_operations(condition: Mapping[str, Any]) -> bool:
    return unstructured.as_str(condition.get("message")).strip() not in {"", "[]", "null"}


def plan_hand_over(context: PlanContext) -> Plan | None:
    """The plan that gives the rule to its next owner; None while windows of ours are in flight.

    The status keeps what adx-mon reads: its conditions, of which the cursor is one.
    """
    stored, owner = context.stored, context.next_owner
    if not context.is_handed_over or context.in_flight_windows(stored):
        return None
    generation = context.rule.metadata.generation
    kept = tuple(
        each.model_copy(update={"observed_generation": generation})
        for each in stored.conditions
        if each.type not in _OF_THIS_WORKER
    )
    gone = ("schedule", "backfill", "observed_generation", "query_hash")
    status = stored.model_copy(update={**dict.fromkeys(gone), "conditions": kept})
    writes: list[Effect] = [] if status == stored else [RecordStatus(status)]
    writes.append(events.handed_over(owner, stored.schedule))
    if FINALIZER in context.rule.metadata.finalizers:
        writes.append(SetFinalizer(present=False))
    return Plan(writes=(*writes, SetOwner(owner)))


def is_new_here(status: SummaryRuleStatus) -> bool:
    """Whether this worker has not recorded a status yet, or another client replaced it."""
    has_ready = any(each.type == READY_CONDITION for each in status.conditions)
    return status.observed_generation is None or not has_ready


def without_upstream_conditions(status: SummaryRuleStatus) -> SummaryRuleStatus:
    """The status without conditions of adx-mon that nobody would update."""
    kept = tuple(each for each in status.conditions if each.type not in _OF_UPSTREAM)
    return status.model_copy(update={"conditions": kept})


def with_upstream_backfill(rule: SummaryRule) -> SummaryRule:
    """The rule with the backfill that adx-mon ran, if any, as the newest record in history."""
    status = rule.status
    record = _upstream_record(rule)
    if status is None or record is None:
        return rule
    history = (record, *status.backfill_history)
    return rule.model_copy(
        update={"status": status.model_copy(update={"backfill_history": history})}
    )


def _upstream_record(rule: SummaryRule) -> BackfillRecord | None:
    progress = rule.status.upstream_backfill if rule.status is not None else None
    if progress is None:
        return None
    request, ours = rule.spec.upstream_backfill, rule.spec.backfill
    if ours is not None:
        request = UpstreamRequest(ours.request_id or "", ours.start, ours.end)
    record = upstream_record(progress, request, rule.spec.interval)
    if record is None:
        return None
    key = request_key(rule, record.start, record.id)
    left = tuple(
        window.model_copy(update={"token": window_token(rule, window.window, record.id)})
        for window in record.unfinished
    )
    return record.model_copy(update={"key": key, "unfinished": left})


def import_upstream_status(rule: SummaryRule) -> ScheduleStatus:
    """The schedule of a rule that adx-mon ran, from its conditions.

    Raises:
        UpstreamStatusError: if a condition cannot be read. A guessed cursor could lose or double
            windows.
    """
    conditions = {c.type: c for c in (rule.status.conditions if rule.status else ())}
    cursor = _read_cursor(conditions.get(LAST_EXECUTION_CONDITION))
    in_flight = _read_operations(conditions.get(OPERATIONS_CONDITION))
    ran = max((each.end for each in in_flight), default=cursor)
    return ScheduleStatus(cursor=cursor, last_done=cursor, in_flight=in_flight, upstream_until=ran)


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
    end = exclusive_end(last)
    if start >= end:
        raise ValueError(f"{start} is not before {end}")
    return WindowStatus(start=start, end=end, operation_id=entry["operationId"] or None)
