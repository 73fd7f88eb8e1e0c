"""What admission refuses and what it warns of, on top of the schema (design, section 5).

A check is a function named after the violation it finds; all are run, and all that they find is
reported. A check looks only at what this request changed, so that an unrelated edit of an old
rule always passes. Called by the webhook for every review, and by ``webhook review`` offline.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from summaryrule import kql, rules
from summaryrule import schema as schema_stage
from summaryrule.defaulting import already_ran, read_status
from summaryrule.duration import Duration
from summaryrule.instant import TICKS_PER_DAY, Instant
from summaryrule.request import continues, find_ended, has_run
from summaryrule.v1 import REQUESTED_BY, BackfillRecord, SummaryRuleStatus
from summaryrule.violation import Violation, forbidden, invalid
from summaryrule.windows import ceil, floor, tile

ParseCel = Callable[[str], str | None]
"""Why a CEL expression does not parse, with its position; None where it does."""

LOOKBACK_DAYS: Final = 30
_MONTH: Final = LOOKBACK_DAYS * TICKS_PER_DAY
_NONE: Final = Duration(0)

schema = schema_stage.schema


@dataclass(frozen=True, slots=True)
class Review:
    """The verdict: allowed where there is no violation. ``audit`` is for audit annotations."""

    violations: tuple[Violation, ...]
    warnings: tuple[str, ...]
    audit: dict[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One request as the checks see it: raw values, read where they can be read."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    user: str
    worker: str
    now: Instant
    parse_cel: ParseCel
    status: SummaryRuleStatus

    def text(self, name: str) -> str | None:
        """A string of spec that this request changed."""
        value = _spec(self.new).get(name)
        changed = value != _spec(self.old).get(name)
        return value if changed and isinstance(value, str) else None

    @property
    def backfill(self) -> Mapping[str, Any]:
        """``spec.backfill`` as sent."""
        return _backfill(self.new)

    @property
    def interval(self) -> Duration | None:
        """The interval, where the API takes it."""
        value = _spec(self.new).get("interval")
        return (
            rules.read_duration(value)
            if isinstance(value, str) and rules.IS_INTERVAL.holds(value)
            else None
        )

    @property
    def delay(self) -> Duration:
        """The ingestion delay; zero where none can be read."""
        value = _spec(self.new).get("ingestionDelay")
        return (rules.read_duration(value) if isinstance(value, str) else None) or _NONE

    def instant(self, name: str) -> Instant | None:
        """A time of the backfill, where the API takes it."""
        value = self.backfill.get(name)
        return rules.read_instant(value) if isinstance(value, str) else None

    def changed(self, *names: str) -> bool:
        """Whether this request changed any of these fields of the backfill."""
        return any(self.backfill.get(name) != _backfill(self.old).get(name) for name in names)

    @property
    def earliest(self) -> Instant | None:
        """The earliest start allowed: the grid boundary at or before 30 days ago."""
        return floor(self.now.plus(-_MONTH), self.interval) if self.interval else None

    @property
    def is_known(self) -> bool:
        """Whether the backfill asks for nothing new: it runs already, or history has it done."""
        start, interval = self.instant("start"), self.interval
        if start is None or interval is None:
            return False
        running = continues(self.status.backfill, floor(start, interval), self.request_id)
        return running or self.ended is not None

    @property
    def request_id(self) -> str | None:
        """The request's id."""
        value = self.backfill.get("requestId")
        return value if isinstance(value, str) else None

    @property
    def ended(self) -> BackfillRecord | None:
        """The record of this very request, done as far as it asks."""
        start, interval = self.instant("start"), self.interval
        if start is None or interval is None:
            return None
        record = find_ended(self.status.backfill_history, floor(start, interval), self.request_id)
        return record if has_run(record, self.instant("end")) else None


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
    if user == worker or _is_deleting(new) or (old is not None and _same(old, new)):
        return Review((), (), {"decision": "passed"})
    case = Case(old or {}, new, user, worker, now, parse_cel, read_status(old or {}))
    violations = dict.fromkeys(schema(new, old))
    for check in CHECKS:
        violations.update(dict.fromkeys(check(case)))
    warnings = () if violations else tuple(text for warn in WARNINGS for text in warn(case))
    return Review(tuple(violations), warnings, _audit(case, denied=bool(violations)))


def IntervalNotWholeTicks(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Kusto cannot hold a window bound between two ticks of 100 ns."""
    text, interval = case.text("interval"), case.interval
    if text is not None and interval is not None and not interval.is_whole_ticks:
        detail = "must be a whole number of 100 ns, Kusto's tick; drop the nanoseconds"
        yield invalid("spec.interval", detail, text)


def BodyBlank(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A body without a query would fail every window."""
    body = case.text("body")
    if body and not kql.first_code(body):
        detail = "has no query, only white space or comments; write the KQL of one window"
        yield invalid("spec.body", detail, _short(body))


def BodyIsManagementCommand(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A rule appends a query's result; it runs no management command."""
    body = case.text("body")
    if body and kql.first_code(body).startswith("."):
        detail = "is a management command; write a query, the worker wraps it in .set-or-append"
        yield invalid("spec.body", detail, _short(kql.first_code(body)))


def CriteriaExpressionDoesNotParse(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A rule whose expression is no CEL would never run."""
    expression = case.text("criteriaExpression")
    problem = case.parse_cel(expression) if expression else None
    if problem is not None:
        detail = f"is not a CEL expression: {problem}"
        yield invalid("spec.criteriaExpression", detail, _short(expression or ""))


def StartBeforeLookback(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Thirty days is how far back a request may reach; running ones may age beyond it."""
    start, earliest = case.instant("start"), case.earliest
    if start is None or earliest is None or start >= earliest:
        return
    if case.changed("start", "requestId") and not case.is_known:
        yield _too_old(case, "start", earliest)


def EndBeforeLookback(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """An end that is itself too old is named too, so that one edit mends both."""
    end, earliest = case.instant("end"), case.earliest
    if end is None or earliest is None or end >= earliest:
        return
    if case.changed("end", "requestId") and not case.is_known:
        yield _too_old(case, "end", earliest)


def StartInFuture(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """A backfill is about the past; what comes the schedule runs."""
    start = case.instant("start")
    if start is not None and start > case.now and case.changed("start"):
        detail = f"is in the future; write a start before now ({case.now.to_seconds()})"
        yield invalid("spec.backfill.start", detail, case.backfill["start"])


def EndBeyondHorizon(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """An end may lie ahead, for as far as a start may lie back."""
    end, interval = case.instant("end"), case.interval
    if end is None or interval is None or not case.changed("end"):
        return
    latest = ceil(case.now.plus(_MONTH), interval)
    if end > latest:
        detail = f"is more than {LOOKBACK_DAYS} days in the future; write {latest} or earlier"
        yield invalid("spec.backfill.end", detail, case.backfill["end"])


def OperationIdForged(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Only the worker knows its operations."""
    written = case.backfill.get("operationId")
    if written is not None and case.changed("operationId"):
        yield forbidden("spec.backfill.operationId", "is set by the worker only; leave it out")


def RequesterForged(case: Case) -> Iterator[Violation]:  # noqa: N802 - the violation's name
    """Admission writes who asked; a user may name no other."""
    written, before = _requester(case.new), _requester(case.old)
    if written not in (None, before, case.user):
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


def body_ignores_bounds(case: Case) -> Iterator[str]:
    """A body that does not read its window's bounds computes the same thing every time."""
    body = case.text("body")
    missing = [name for name in ("_startTime", "_endTime") if body and name not in body]
    if missing:
        yield (
            f"spec.body: does not use {' and '.join(missing)}, so every window reads the same"
            " data; add: where Timestamp between (_startTime .. _endTime)"
        )


def end_in_future(case: Case) -> Iterator[str]:
    """Windows that have not ended yet wait until they have."""
    end = case.instant("end")
    if end is not None and end > case.now and case.changed("end"):
        yield f"spec.backfill.end: {end} is in the future; its last windows wait until they are due"


def overlaps_schedule(case: Case) -> Iterator[str]:
    """A window that both the schedule and a backfill compute is in the table twice."""
    end, interval = case.instant("end"), case.interval
    if end is None or interval is None or _spec(case.new).get("suspend") is True:
        return
    first = floor(_created(case).plus(-case.delay.ticks), interval).plus(-interval.ticks)
    if end > first and case.changed("start", "end", "requestId"):
        yield (
            f"spec.backfill: the schedule runs windows from {first} on as well, so those up to"
            f" {end} are appended twice; write {first} as end to avoid it"
        )


def has_run_before(case: Case) -> Iterator[str]:
    """A request that history has is not run again."""
    record = case.ended
    if record is not None and case.changed("start", "end", "requestId"):
        yield already_ran(record)


WARNINGS: Final = (body_ignores_bounds, end_in_future, overlaps_schedule, has_run_before)


def _audit(case: Case, *, denied: bool) -> dict[str, str]:
    audit = {"decision": "denied" if denied else "allowed"}
    start, end, interval = case.instant("start"), case.instant("end"), case.interval
    if start is not None and end is not None and interval is not None:
        audit["requested-range"] = f"[{start}, {end})"
        audit["windows"] = str(len(tile(start, end, interval)))
    return audit


def _too_old(case: Case, name: str, earliest: Instant) -> Violation:
    detail = f"is more than {LOOKBACK_DAYS} days ago; write {earliest} or later"
    return invalid(f"spec.backfill.{name}", detail, case.backfill[name])


def _created(case: Case) -> Instant:
    metadata = case.old.get("metadata")
    stamp = metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None
    return (rules.read_instant(stamp) if isinstance(stamp, str) else None) or case.now


def _short(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _spec(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = rule.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _backfill(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    backfill = _spec(rule).get("backfill")
    return backfill if isinstance(backfill, Mapping) else {}


def _requester(rule: Mapping[str, Any]) -> str | None:
    metadata = rule.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    value = annotations.get(REQUESTED_BY) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None


def _is_deleting(rule: Mapping[str, Any]) -> bool:
    metadata = rule.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.get("spec") == new.get("spec") and _requester(old) == _requester(new)
