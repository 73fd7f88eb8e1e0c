"""What admission refuses, on top of the schema (design, section 5).

A check is a function named after the violation that it finds, or not; all are run, and all that
they find is reported. A check looks only at what this request changed, so that an unrelated edit
of an old rule always passes. Called by the webhook for every review, and by ``webhook review``
offline.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from summaryrule import manifest
from summaryrule import schema as schema_stage
from summaryrule.case import LOOKBACK_DAYS, Case, ParseCel
from summaryrule.caution import CAUTIONS
from summaryrule.instant import Instant
from summaryrule.plain import is_plain
from summaryrule.v1 import REQUESTED_BY
from summaryrule.violation import Violation, forbidden, invalid
from summaryrule.windows import count

schema = schema_stage.schema


class Review(NamedTuple):
    """The verdict: allowed where there is no violation. ``audit`` is for audit annotations."""

    violations: tuple[Violation, ...]
    warnings: tuple[str, ...]
    audit: dict[str, str]


def review(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    *,
    user: str,
    worker: str,
    now: Instant,
    parse_cel: ParseCel,
) -> Review:
    """Judge ``new`` over ``old`` (None on CREATE), as defaulted, for ``user`` at ``now``.

    The worker's own writes, and anything on an object that is being deleted, always pass.
    """
    case = Case(dict(old or {}), dict(new), user, now, parse_cel)
    if user == worker or manifest.is_leaving(case.new) or case.is_same:
        return Review((), (), {"decision": "allowed"})
    structural = () if is_plain(case) else schema(new, old)
    violations = tuple(
        filter(None, dict.fromkeys([*structural, *[check(case) for check in CHECKS]]))
    )
    warnings = () if violations else tuple(filter(None, [warn(case) for warn in CAUTIONS]))
    return Review(violations, warnings, _audit(case, denied=bool(violations)))


def IntervalNotWholeTicks(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """Kusto cannot hold a window bound between two ticks of 100 ns."""
    interval = case.interval
    if interval is None or interval.is_whole_ticks:
        return None
    text = case.text("interval")
    if text is not None:
        detail = "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds"
        return invalid("spec.interval", detail, text)
    return None


def BodyBlank(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """A body without a query would fail every window."""
    if case.code == "":
        detail = "has no query, only white space or comments; write the KQL of one window"
        return invalid("spec.body", detail, _short(case.spec["body"]))
    return None


def BodyIsManagementCommand(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """A rule appends a query's result; it runs no management command."""
    code = case.code
    if code and code[0] == ".":
        detail = "is a management command; write a query, the worker wraps it in .set-or-append"
        return invalid("spec.body", detail, _short(code))
    return None


def CriteriaExpressionDoesNotParse(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """A rule whose expression is no CEL would never run."""
    expression = case.text("criteriaExpression")
    problem = case.parse_cel(expression) if expression else None
    if problem is not None:
        detail = f"is not a CEL expression: {problem}"
        return invalid("spec.criteriaExpression", detail, _short(expression or ""))
    return None


def StartBeforeLookback(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """Thirty days is how far back a request may reach; running ones may age beyond it."""
    if case.start is None or not case.is_too_old(case.start):
        return None
    if case.changed("start", "requestId") and not case.is_known:
        return _too_old(case, "start")
    return None


def EndBeforeLookback(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """An end that is itself too old is named too, so that one edit mends both."""
    if case.end is None or not case.is_too_old(case.end):
        return None
    if case.changed("end", "requestId") and not case.is_known:
        return _too_old(case, "end")
    return None


def StartInFuture(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """A backfill is about the past; what comes the schedule runs."""
    start, now = case.start, case.now
    if start is not None and start.ticks > now.ticks and case.changed("start"):
        detail = f"is in the future; write a start before now ({now.to_seconds()})"
        return invalid("spec.backfill.start", detail, case.backfill["start"])
    return None


def EndBeyondHorizon(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """An end may lie ahead, for as far as a start may lie back."""
    if case.end is not None and case.is_too_far(case.end) and case.changed("end"):
        detail = f"is more than {LOOKBACK_DAYS} days in the future; write {case.latest} or earlier"
        return invalid("spec.backfill.end", detail, case.backfill["end"])
    return None


def OperationIdForged(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """Only the worker knows its operations."""
    written = case.backfill.get("operationId")
    if written is not None and case.changed("operationId"):
        return forbidden("spec.backfill.operationId", "is set by the worker only; leave it out")
    return None


def RequesterForged(case: Case) -> Violation | None:  # noqa: N802 - the violation's name
    """Admission writes who asked; a user may name no other."""
    requester = case.requester
    if requester not in (None, case.user) and requester != case.requester_before:
        field = f"metadata.annotations[{REQUESTED_BY}]"
        return forbidden(field, f"is set by admission to the requester, {case.user}; leave it out")
    return None


CHECKS: Final = (
    IntervalNotWholeTicks,
    BodyBlank,
    BodyIsManagementCommand,
    CriteriaExpressionDoesNotParse,
    StartBeforeLookback,
    EndBeforeLookback,
    StartInFuture,
    EndBeyondHorizon,
    OperationIdForged,
    RequesterForged,
)


def _audit(case: Case, *, denied: bool) -> dict[str, str]:
    audit = {"decision": "denied" if denied else "allowed"}
    start, end, interval = case.start, case.end, case.interval
    if start is not None and end is not None and interval is not None:
        audit["requested-range"] = f"[{start}, {end})"
        audit["windows"] = str(count(start, end, interval))
    return audit


def _too_old(case: Case, name: str) -> Violation:
    detail = f"is more than {LOOKBACK_DAYS} days ago; write {case.earliest} or later"
    return invalid(f"spec.backfill.{name}", detail, case.backfill[name])


def _short(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
