"""Why a rule, or a part of it, does not run here or now. Asked by ``plan``."""

from summaryrule import criteria
from summaryrule.actions import Announce
from summaryrule.agenda import Held
from summaryrule.conditions import BACKFILL
from summaryrule.conditions import OWNER as CONDITION
from summaryrule.desk import Desk
from summaryrule.phase import Hold
from summaryrule.settings import Settings
from summaryrule.v1 import OWNER, BackfillStatus, ScheduleStatus, SummaryRule


def not_ours(rule: SummaryRule, settings: Settings) -> Held | None:
    """A rule that belongs to another operator is left alone."""
    owner = rule.metadata.annotations.get(OWNER, "")
    if owner == settings.owner or (not owner and settings.adopt_unowned):
        return None
    whose = f"belongs to {owner!r}" if owner else "has no owner and unowned rules are not adopted"
    return Held("NotOurs", f"the rule {whose} (annotation {OWNER})")


def hold(rule: SummaryRule, settings: Settings, evaluate: criteria.Evaluate) -> Held | None:
    """Why nothing new of the rule may be submitted: its criteria, or no endpoint."""
    verdict = criteria.judge(rule.spec, settings.labels, evaluate)
    if not verdict.proceed:
        reason = verdict.reason.replace("CriteriaNotMatched", "CriteriaNotMet")
        return Held(reason, verdict.message)
    database = rule.spec.database
    if database not in settings.endpoints:
        known = ", ".join(sorted(settings.endpoints)) or "none"
        return Held("NoEndpoint", f"no endpoint is configured for database {database!r} ({known})")
    return None


def condition(desk: Desk) -> Held | None:
    """What keeps the rule from running, as its condition says: a hold, or a silent endpoint."""
    if desk.hold is not None or not desk.observed.unanswered:
        return desk.hold
    return Held("EndpointUnavailable", desk.observed.unanswered)


def told(desk: Desk, past: BackfillStatus | None) -> tuple[Announce, ...]:
    """An Event on what a person has to know of, when the condition comes to say so.

    Criteria that do not match are none: rules are often for other clusters.
    """
    hold = condition(desk)
    runs = desk.runs_schedule or (past is not None and past.phase in ("Pending", "Running"))
    if hold is None or hold.reason == "CriteriaNotMet" or not runs:
        return ()
    kind = CONDITION if desk.runs_schedule else BACKFILL
    said = any(hold.message in each.message for each in desk.stored.conditions if each.type == kind)
    return () if said else (Announce("Warning", hold.reason, hold.message),)


def too_many_failed(desk: Desk, planned: ScheduleStatus | None) -> bool:
    """Whether so many interval windows failed that no new one is taken."""
    return planned is not None and len(planned.failed) >= desk.settings.failed_limit


def held(
    desk: Desk, planned: ScheduleStatus | None, of_backfill: tuple[Hold, ...]
) -> tuple[Held, ...]:
    """All reasons, for the plan to say."""
    found = [] if desk.hold is None else [desk.hold]
    if desk.rule.spec.suspend:
        found.append(Held("Suspended", "spec.suspend is true: interval runs stop"))
    if planned is not None and too_many_failed(desk, planned):
        text = f"{len(planned.failed)} interval windows failed; retry or skip them by annotation"
        found.append(Held("TooManyFailed", text))
    return (*found, *(Held(reason, message) for reason, message in of_backfill))
