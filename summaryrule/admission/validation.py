"""The checks of admission, in addition to those of the schema.

Each check takes a request and returns a violation, or None. All checks run, and all violations are
reported together. A check judges only what this request changed, so that an unrelated edit of an
old rule always passes.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from summaryrule import kql
from summaryrule.admission.context import AdmissionContext, ParseCel
from summaryrule.admission.warnings import WARNINGS
from summaryrule.api import unstructured
from summaryrule.api.constants import LOOKBACK_DAYS, REQUESTED_BY_ANNOTATION
from summaryrule.api.field_errors import FieldError, forbidden, invalid
from summaryrule.api.instant import Instant
from summaryrule.api.replaceable import REPLACES_ALL, untagged_rows
from summaryrule.api.schema_validation import validate_schema
from summaryrule.api.windows import count_windows


class Review(NamedTuple):
    """The result: allowed if there is no violation. ``audit`` holds the audit annotations."""

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
    """Check ``new``, with its defaults, over ``old`` (None on CREATE), for ``user`` at ``now``.

    The worker's own writes and all writes to an object that is being deleted are allowed.
    """
    context = AdmissionContext(dict(old or {}), dict(new), user, now, parse_cel)
    if user == worker or unstructured.is_being_deleted(context.new) or context.is_unchanged:
        return Review((), (), {"decision": "allowed"})
    found = [*validate_schema(new, old), *[check(context) for check in CHECKS]]
    violations = tuple(filter(None, dict.fromkeys(found)))
    warnings = () if violations else tuple(filter(None, [warn(context) for warn in WARNINGS]))
    return Review(violations, warnings, _audit_annotations(context, denied=bool(violations)))


def interval_not_whole_ticks(context: AdmissionContext) -> FieldError | None:
    """Kusto cannot store a window bound between two ticks of 100 ns."""
    interval, text = context.interval, context.changed_text("interval")
    if interval is None or interval.is_whole_ticks or text is None:
        return None
    detail = "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds"
    return invalid("spec.interval", detail, text)


def body_blank(context: AdmissionContext) -> FieldError | None:
    """A body without a query would fail every window."""
    if context.code == "":
        detail = "has no query, only white space or comments; write the KQL of one window"
        return invalid("spec.body", detail, _shorten(context.spec["body"]))
    return None


def body_is_management_command(context: AdmissionContext) -> FieldError | None:
    """The body is a query: the worker appends its result, and runs no management command."""
    code = context.code
    if code and code[0] == ".":
        detail = "is a management command; write a query, the worker wraps it in .set-or-append"
        return invalid("spec.body", detail, _shorten(code))
    return None


def body_has_no_query(context: AdmissionContext) -> FieldError | None:
    """A body of declarations only gives no rows."""
    if context.code and context.code[0] != "." and not kql.has_query(context.code):
        detail = "has no query, only let statements; add the query that gives the rows"
        return invalid("spec.body", detail, _shorten(context.code))
    return None


def replaces_without_bounds(context: AdmissionContext) -> FieldError | None:
    """In mode Replace a body without bounds would write all rows again in each window."""
    body = context.spec.get("body")
    has_changed = any(
        context.spec.get(name) != context.old_spec.get(name) for name in ("body", "writeMode")
    )
    if not context.replaces or not has_changed or not isinstance(body, str) or not body:
        return None
    if not kql.missing_bounds(body):
        return None
    return invalid("spec.body", REPLACES_ALL, _shorten(body))


def starts_before_replaceable(context: AdmissionContext) -> FieldError | None:
    """A backfill in mode Replace that would add rows beside those of mode Append."""
    if not context.old or not context.replaces or context.backfill.get("untagged") is not None:
        return None
    start, since = context.start, context.replaceable_since
    if start is None or since is None or start >= since or context.is_already_requested:
        return None
    if not context.has_changed("start", "requestId", "untagged"):
        return None
    table = str(context.spec.get("table"))
    return invalid("spec.backfill.start", untagged_rows(table, start, since), str(start))


def criteria_expression_does_not_parse(context: AdmissionContext) -> FieldError | None:
    """A rule whose expression is not CEL would never run."""
    expression = context.changed_text("criteriaExpression")
    error = context.parse_cel(expression) if expression and not expression.isspace() else None
    if error is not None:
        detail = f"is not a CEL expression: {error}"
        return invalid("spec.criteriaExpression", detail, _shorten(expression or ""))
    return None


def start_before_lookback(context: AdmissionContext) -> FieldError | None:
    """A new request starts at most 30 days ago; a running one may get older than that."""
    return _before_lookback(context, "start", context.start)


def end_before_lookback(context: AdmissionContext) -> FieldError | None:
    """An end that is too old is reported too, so that one edit corrects both."""
    return _before_lookback(context, "end", context.end)


def start_in_future(context: AdmissionContext) -> FieldError | None:
    """A backfill starts in the past; later windows belong to the schedule."""
    start, now = context.start, context.now
    if start is not None and start.ticks > now.ticks and context.has_changed("start"):
        detail = f"is in the future; write a start before now ({now.to_seconds()})"
        return invalid("spec.backfill.start", detail, context.backfill["start"])
    return None


def end_beyond_horizon(context: AdmissionContext) -> FieldError | None:
    """An end is at most 30 days in the future."""
    if context.end is not None and context.is_too_far(context.end) and context.has_changed("end"):
        detail = (
            f"is more than {LOOKBACK_DAYS} days in the future; write {context.latest} or earlier"
        )
        return invalid("spec.backfill.end", detail, context.backfill["end"])
    return None


def operation_id_forged(context: AdmissionContext) -> FieldError | None:
    """Only the worker sets the operation."""
    written = context.backfill.get("operationId")
    if written is not None and context.has_changed("operationId"):
        return forbidden("spec.backfill.operationId", "is set by the worker only; leave it out")
    return None


def requester_forged(context: AdmissionContext) -> FieldError | None:
    """Admission sets the requester; a user may not name another one."""
    requester = context.requester
    if requester not in (None, context.user) and requester != context.requester_before:
        field = f"metadata.annotations[{REQUESTED_BY_ANNOTATION}]"
        return forbidden(
            field, f"is set by admission to the requester, {context.user}; leave it out"
        )
    return None


CHECKS: Final = (
    interval_not_whole_ticks,
    body_blank,
    body_is_management_command,
    body_has_no_query,
    replaces_without_bounds,
    criteria_expression_does_not_parse,
    start_before_lookback,
    end_before_lookback,
    starts_before_replaceable,
    start_in_future,
    end_beyond_horizon,
    operation_id_forged,
    requester_forged,
)


def _audit_annotations(context: AdmissionContext, *, denied: bool) -> dict[str, str]:
    audit = {"decision": "denied" if denied else "allowed"}
    start, end, interval = context.start, context.end, context.interval
    if start is not None and end is not None and interval is not None:
        audit["requested-range"] = f"[{start}, {end})"
        audit["windows"] = str(count_windows(start, end, interval))
    return audit


def _before_lookback(context: AdmissionContext, name: str, at: Instant | None) -> FieldError | None:
    if at is None or not context.is_too_old(at):
        return None
    if context.is_already_requested or not context.has_changed(name, "requestId"):
        return None
    detail = f"is more than {LOOKBACK_DAYS} days ago; write {context.earliest} or later"
    return invalid(f"spec.backfill.{name}", detail, context.backfill[name])


def _shorten(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
