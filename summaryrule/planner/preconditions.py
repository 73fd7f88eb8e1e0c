"""What must hold before a window of a rule is sent: criteria, endpoint, suspension, failed windows.

The criteria are adx-mon's. The CEL evaluator is an argument, so that this package needs no CEL
library.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from summaryrule import kql
from summaryrule.api.block_reason import BlockKind, BlockReason
from summaryrule.api.constants import (
    SCHEDULE_CONDITION,
)
from summaryrule.api.replaceable import REPLACES_ALL
from summaryrule.api.v1 import (
    ScheduleStatus,
    SummaryRule,
    SummaryRuleSpec,
    SummaryRuleStatus,
)
from summaryrule.planner import window_execution
from summaryrule.planner.types import Blocked, EmitEvent, PlanContext, PlannerSettings

Evaluate = Callable[[str, Mapping[str, str]], bool]
"""Evaluates a CEL expression over string variables; raises ``ExpressionError``."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BOUNDS: Final = frozenset({"startTime", "endTime"})
_CRITERIA_REASONS: Final = {
    "CriteriaNotMatched": BlockReason.CRITERIA_NOT_MET,
    "CriteriaExpressionError": BlockReason.CRITERIA_EXPRESSION_ERROR,
}


class ExpressionError(ValueError):
    """The expression does not compile, uses an unknown label, or its result is not a bool."""


@dataclass(frozen=True, slots=True)
class CriteriaResult:
    """Whether the rule runs here, and why; the reasons are adx-mon's."""

    proceed: bool
    reason: str
    message: str


def evaluate_criteria(
    spec: SummaryRuleSpec, labels: Mapping[str, str], evaluate: Evaluate
) -> CriteriaResult:
    """Whether a worker with these labels runs the rule: criteria and expression must both match."""
    if not spec.criteria and not spec.criteria_expression:
        return CriteriaResult(True, "CriteriaMatched", "no criteria specified (default allow)")  # noqa: FBT003
    if spec.criteria and not any_key_matches(spec.criteria, labels):
        return CriteriaResult(False, "CriteriaNotMatched", "no criteria matched the cluster labels")  # noqa: FBT003
    if not spec.criteria_expression:
        return CriteriaResult(True, "CriteriaMatched", "criteria matched the cluster labels")  # noqa: FBT003
    try:
        is_met = evaluate(spec.criteria_expression, labels)
    except ExpressionError as error:
        message = f"criteria expression error: {error}"
        return CriteriaResult(False, "CriteriaExpressionError", message)  # noqa: FBT003
    outcome = "true" if is_met else "false"
    reason = "CriteriaMatched" if is_met else "CriteriaNotMatched"
    return CriteriaResult(is_met, reason, f"criteria expression evaluated to {outcome}")


def any_key_matches(criteria: Mapping[str, Iterable[str]], labels: Mapping[str, str]) -> bool:
    """Whether the list of any key contains the label of that name, in upper or lower case."""
    lowered = {key.lower(): value.lower() for key, value in labels.items()}
    return any(
        lowered.get(key.lower()) in {value.lower() for value in values}
        for key, values in criteria.items()
    )


def label_error(labels: Mapping[str, str]) -> str | None:
    """Why these cluster labels cannot be KQL variables; None if they can."""
    seen: dict[str, str] = {}
    for key in labels:
        bare = key.removeprefix("_")
        if _IDENTIFIER.fullmatch(key) is None:
            return f"label {key!r} is no identifier: write letters, digits and '_' only"
        if bare in _BOUNDS:
            return f"label {key!r} would replace the window's bounds: choose another name"
        if bare in seen:
            return f"labels {seen[bare]!r} and {key!r} are the same variable _{bare}: drop one"
        seen[bare] = key
    return None


def blocked_by(rule: SummaryRule, settings: PlannerSettings, evaluate: Evaluate) -> Blocked | None:
    """Why no window of the rule may be submitted: its criteria, or no endpoint for its database."""
    result = evaluate_criteria(rule.spec, settings.labels, evaluate)
    if not result.proceed:
        return Blocked.because(_CRITERIA_REASONS[result.reason], cause=result.message)
    if rule.spec.replaces and kql.missing_bounds(rule.spec.body):
        return Blocked.because(BlockReason.MALFORMED, cause=f"spec.body: {REPLACES_ALL}")
    database = rule.spec.database
    if database not in settings.endpoints:
        known = ", ".join(sorted(settings.endpoints)) or "none"
        return Blocked.because(BlockReason.NO_ENDPOINT, database=database, known=known)
    return None


def condition_for(context: PlanContext) -> Blocked | None:
    """Why the rule does not run, for its condition: also if its endpoint does not answer."""
    if context.blocked is not None or not context.observed.endpoint_error:
        return context.blocked
    windows = context.in_flight_windows(context.stored)
    sent = (each for each in windows if not window_execution.is_prerecorded(each, context.now))
    first = next(sent, None)
    waiting = f"; window {first.window} waits for it" if first is not None else ""
    return Blocked.because(
        BlockReason.ENDPOINT_UNAVAILABLE, cause=context.observed.endpoint_error + waiting
    )


def event_for(context: PlanContext) -> tuple[EmitEvent, ...]:
    """An Event when a new reason for which the rule does not run goes into its condition.

    Criteria that do not match cause no Event: many rules are for other clusters.
    """
    blocked = condition_for(context)
    if blocked is None or blocked.reason is BlockReason.CRITERIA_NOT_MET:
        return ()
    stored = context.stored.conditions
    messages = [each.message for each in stored if each.type == SCHEDULE_CONDITION]
    # The window that waits may be another one: that is no new reason.
    is_endpoint = blocked.reason is BlockReason.ENDPOINT_UNAVAILABLE
    cause = context.observed.endpoint_error if is_endpoint else blocked.message
    if any(cause in message for message in messages):
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
    if context.next_owner:
        found.append(Blocked.because(BlockReason.HANDING_OVER, owner=context.next_owner))
    if context.rule.spec.suspend:
        found.append(Blocked.because(BlockReason.SUSPENDED))
    if schedule is not None and has_too_many_failed(context, schedule):
        found += failed_windows(schedule, BlockReason.TOO_MANY_FAILED)
    return (*found, *of_backfill)


def failed_windows(
    schedule: ScheduleStatus, reason: BlockReason = BlockReason.WINDOW_FAILED
) -> tuple[Blocked, ...]:
    """The block because of failed interval windows; empty if none has failed."""
    if not schedule.failed:
        return ()
    first, count = schedule.failed[0], len(schedule.failed)
    return (Blocked.because(reason, count=count, window=first.window, error=first.error),)


def for_ready(
    context: PlanContext, status: SummaryRuleStatus, found: Iterable[Blocked]
) -> tuple[Blocked, ...]:
    """The block reasons for condition ``Ready`` of a rule with this status, the first one first.

    Args:
        context: a whole-rule block in it is the only reason, but no problem of an idle rule.
        status: the status to store.
        found: what ``all_blocked`` returned.
    """
    whole = condition_for(context)
    if whole is None and context.is_unchecked:
        whole = Blocked.because(BlockReason.CHECKING_QUERY)
    is_chosen = whole is not None and whole.reason.kind is BlockKind.INTENDED
    if not is_chosen and _is_idle(context, status):
        whole = None
    if whole is not None and whole == context.blocked:
        return (_for_other_cluster(whole),)
    schedule = status.schedule or ScheduleStatus()
    failed = () if has_too_many_failed(context, schedule) else failed_windows(schedule)
    others = (each for each in found if each != context.blocked)
    return (*(() if whole is None else (whole,)), *failed, *others)


def _is_idle(context: PlanContext, status: SummaryRuleStatus) -> bool:
    """Whether somebody suspended everything, so that no window is to be sent."""
    requested, spec = context.requested, context.rule.spec
    is_suspended = spec.suspend and (requested is None or requested.suspend)
    return is_suspended and not context.in_flight_windows(status)


def _for_other_cluster(blocked: Blocked) -> Blocked:
    if blocked.reason is not BlockReason.CRITERIA_NOT_MET:
        return blocked
    return replace(blocked, reason=BlockReason.OTHER_CLUSTER)
