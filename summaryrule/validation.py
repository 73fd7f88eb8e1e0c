"""What admission refuses, on top of the schema (design, section 5).

A check is a function named after the violation it finds; all are run, and all that they find is
reported. A check looks only at what this request changed, so that an unrelated edit of an old
rule always passes. Called by the webhook for every review, and by ``webhook review`` offline.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from summaryrule import manifest
from summaryrule import schema as schema_stage
from summaryrule.case import LOOKBACK_DAYS, Case, ParseCel
from summaryrule.caution import CAUTIONS
from summaryrule.instant import Instant
from summaryrule.v1 import REQUESTED_BY
from summaryrule.violation import Violation, forbidden, invalid
from summaryrule.windows import count

schema = schema_stage.schema


@dataclass(frozen=True, slots=True)
class Review:
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
        return Review((), (), {"decision": "passed"})
    found = [*schema(new, old), *chain.from_iterable(check(case) for check in CHECKS)]
    violations = tuple(dict.fromkeys(found))
    warnings = () if violations else tuple(text for warn in CAUTIONS for text in warn(case))
    return Review(violations, warnings, _audit(case, denied=bool(violations)))


def IntervalNotWholeTicks(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Kusto cannot hold a window bound between two ticks of 100 ns."""
    interval = case.interval
    if interval is None or interval.is_whole_ticks:
        return
    text = case.text("interval")
    if text is not None:
        detail = "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds"
        yield invalid("spec.interval", detail, text)


def BodyBlank(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A body without a query would fail every window."""
    if case.code == "":
        detail = "has no query, only white space or comments; write the KQL of one window"
        yield invalid("spec.body", detail, _short(case.spec["body"]))


def BodyIsManagementCommand(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A rule appends a query's result; it runs no management command."""
    code = case.code
    if code and code[0] == ".":
        detail = "is a management command; write a query, the worker wraps it in .set-or-append"
        yield invalid("spec.body", detail, _short(code))


def CriteriaExpressionDoesNotParse(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A rule whose expression is no CEL would never run."""
    expression = case.text("criteriaExpression")
    problem = case.parse_cel(expression) if expression else None
    if problem is not None:
        detail = f"is not a CEL expression: {problem}"
        yield invalid("spec.criteriaExpression", detail, _short(expression or ""))


def StartBeforeLookback(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Thirty days is how far back a request may reach; running ones may age beyond it."""
    if case.start is None or not case.is_too_old(case.start):
        return
    if case.changed("start", "requestId") and not case.is_known:
        yield _too_old(case, "start")


def EndBeforeLookback(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """An end that is itself too old is named too, so that one edit mends both."""
    if case.end is None or not case.is_too_old(case.end):
        return
    if case.changed("end", "requestId") and not case.is_known:
        yield _too_old(case, "end")


def StartInFuture(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A backfill is about the past; what comes the schedule runs."""
    if case.start is not None and case.start > case.now and case.changed("start"):
        detail = f"is in the future; write a start before now ({case.now.to_seconds()})"
        yield invalid("spec.backfill.start", detail, case.backfill["start"])


def EndBeyondHorizon(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """An end may lie ahead, for as far as a start may lie back."""
    if case.end is not None and case.is_too_far(case.end) and case.changed("end"):
        detail = f"is more than {LOOKBACK_DAYS} days in the future; write {case.latest} or earlier"
        yield invalid("spec.backfill.end", detail, case.backfill["end"])


def OperationIdForged(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Only the worker knows its operations."""
    written = case.backfill.get("operationId")
    if written is not None and case.changed("operationId"):
        yield forbidden("spec.backfill.operationId", "is set by the worker only; leave it out")


def RequesterForged(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Admission writes who asked; a user may name no other."""
    requester = case.requester
    if requester not in (None, case.user) and requester != case.requester_before:
        field = f"metadata.annotations[{REQUESTED_BY}]"
        yield forbidden(field, f"is set by admission to the requester, {case.user}; leave it out")


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
