"""What admission refuses, on top of the schema (design, section 5).

A check is a function named after the violation that it finds, or not; all are run, and all that
they find is reported. A check looks only at what this request changed, so that an unrelated edit
of an old rule always passes. Called by the webhook for every review, and by ``webhook review``
offline.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from summaryrule.admission.context import AdmissionContext, ParseCel
from summaryrule.admission.warnings import CAUTIONS
from summaryrule.api import schema_validation as schema_stage
from summaryrule.api import unstructured
from summaryrule.api.constants import LOOKBACK_DAYS, REQUESTED_BY_ANNOTATION
from summaryrule.api.field_errors import FieldError, forbidden, invalid
from summaryrule.api.instant import Instant
from summaryrule.api.schema_fast_path import is_plain
from summaryrule.api.windows import count_windows

schema = schema_stage.validate_schema


class Review(NamedTuple):
    """The verdict: allowed where there is no violation. ``audit`` is for audit annotations."""

    violations: tuple[FieldError, ...]
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
    case = AdmissionContext(dict(old or {}), dict(new), user, now, parse_cel)
    if user == worker or unstructured.is_being_deleted(case.new) or case.is_unchanged:
        return Review((), (), {"decision": "allowed"})
    structural = () if is_plain(case) else schema(new, old)
    violations = tuple(
        filter(None, dict.fromkeys([*structural, *[check(case) for check in CHECKS]]))
    )
    warnings = () if violations else tuple(filter(None, [warn(case) for warn in CAUTIONS]))
    return Review(violations, warnings, _audit_annotations(case, denied=bool(violations)))


def interval_not_whole_ticks(case: AdmissionContext) -> FieldError | None:
    """Kusto cannot hold a window bound between two ticks of 100 ns."""
    interval = case.interval
    if interval is None or interval.is_whole_ticks:
        return None
    text = case.changed_text("interval")
    if text is not None:
        detail = "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds"
        return invalid("spec.interval", detail, text)
    return None


def body_blank(case: AdmissionContext) -> FieldError | None:
    """A body without a query would fail every window."""
    if case.code == "":
        detail = "has no query, only white space or comments; write the KQL of one window"
        return invalid("spec.body", detail, _shorten(case.spec["body"]))
    return None


def body_is_management_command(case: AdmissionContext) -> FieldError | None:
    """A rule appends a query's result; it runs no management command."""
    code = case.code
    if code and code[0] == ".":
        detail = "is a management command; write a query, the worker wraps it in .set-or-append"
        return invalid("spec.body", detail, _shorten(code))
    return None


def criteria_expression_does_not_parse(case: AdmissionContext) -> FieldError | None:
    """A rule whose expression is no CEL would never run."""
    expression = case.changed_text("criteriaExpression")
    problem = case.parse_cel(expression) if expression else None
    if problem is not None:
        detail = f"is not a CEL expression: {problem}"
        return invalid("spec.criteriaExpression", detail, _shorten(expression or ""))
    return None


def start_before_lookback(case: AdmissionContext) -> FieldError | None:
    """Thirty days is how far back a request may reach; running ones may age beyond it."""
    if case.start is None or not case.is_too_old(case.start):
        return None
    if case.has_changed("start", "requestId") and not case.is_already_requested:
        return _too_old(case, "start")
    return None


def end_before_lookback(case: AdmissionContext) -> FieldError | None:
    """An end that is itself too old is named too, so that one edit mends both."""
    if case.end is None or not case.is_too_old(case.end):
        return None
    if case.has_changed("end", "requestId") and not case.is_already_requested:
        return _too_old(case, "end")
    return None


def start_in_future(case: AdmissionContext) -> FieldError | None:
    """A backfill is about the past; what comes the schedule runs."""
    start, now = case.start, case.now
    if start is not None and start.ticks > now.ticks and case.has_changed("start"):
        detail = f"is in the future; write a start before now ({now.to_seconds()})"
        return invalid("spec.backfill.start", detail, case.backfill["start"])
    return None


def end_beyond_horizon(case: AdmissionContext) -> FieldError | None:
    """An end may lie ahead, for as far as a start may lie back."""
    if case.end is not None and case.is_too_far(case.end) and case.has_changed("end"):
        detail = f"is more than {LOOKBACK_DAYS} days in the future; write {case.latest} or earlier"
        return invalid("spec.backfill.end", detail, case.backfill["end"])
    return None


def operation_id_forged(case: AdmissionContext) -> FieldError | None:
    """Only the worker knows its operations."""
    written = case.backfill.get("operationId")
    if written is not None and case.has_changed("operationId"):
        return forbidden("spec.backfill.operationId", "is set by the worker only; leave it out")
    return None


def requester_forged(case: AdmissionContext) -> FieldError | None:
    """Admission writes who asked; a user may name no other."""
    requester = case.requester
    if requester not in (None, case.user) and requester != case.requester_before:
        field = f"metadata.annotations[{REQUESTED_BY_ANNOTATION}]"
        return forbidden(field, f"is set by admission to the requester, {case.user}; leave it out")
    return None


CHECKS: Final = (
    interval_not_whole_ticks,
    body_blank,
    body_is_management_command,
    criteria_expression_does_not_parse,
    start_before_lookback,
    end_before_lookback,
    start_in_future,
    end_beyond_horizon,
    operation_id_forged,
    requester_forged,
)


def _audit_annotations(case: AdmissionContext, *, denied: bool) -> dict[str, str]:
    audit = {"decision": "denied" if denied else "allowed"}
    start, end, interval = case.start, case.end, case.interval
    if start is not None and end is not None and interval is not None:
        audit["requested-range"] = f"[{start}, {end})"
        audit["windows"] = str(count_windows(start, end, interval))
    return audit


def _too_old(case: AdmissionContext, name: str) -> FieldError:
    detail = f"is more than {LOOKBACK_DAYS} days ago; write {case.earliest} or later"
    return invalid(f"spec.backfill.{name}", detail, case.backfill[name])


def _shorten(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
