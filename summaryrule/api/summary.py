"""The summary of a rule for people: what it runs, how far it is, and its problems.

It is read from the raw object: that is fast for thousands of rules, and works for objects that are
not valid rules. This module does not import the models, so that a command starts fast.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from summaryrule.api.block_reason import BlockKind, BlockReason
from summaryrule.api.constants import (
    ACTIVE_PHASES,
    BACKFILL_CONDITION,
    QUERY_CONDITION,
    READY_CONDITION,
    RUNNABLE_PHASES,
    SCHEDULE_CONDITION,
)
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.ownership import UNOWNED, Ownership, owner_of
from summaryrule.api.unstructured import (
    as_instant,
    as_int,
    as_str,
    ingestion_delay_of,
    interval_of,
    nested_dict,
    nested_list,
)
from summaryrule.api.windows import ceil

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DEFAULT: Final = Ownership()
OVERDUE_FROM: Final = 2
"""The number of overdue windows from which they are a problem: one may have become due just now."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a part of the rule does not run: a reason in one word, and a message.

    ``subject`` is ``backfill``, ``query``, or ``schedule`` for interval runs and for the rule as a
    whole.
    """

    subject: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class BackfillSummary:
    """The backfill that runs or ran last.

    Its range is half-open; ``done`` includes skipped windows, and the windows ``already_there``,
    whose rows were in the table before.
    """

    phase: str
    start: Instant | None
    end: Instant | None
    done_until: Instant | None
    done: int
    already_there: int
    total: int
    percent: int
    in_flight: int
    failed: int
    by: str
    request_id: str
    eta: Instant | None
    error: str

    @property
    def is_active(self) -> bool:
        """Whether it has not ended: it is pending, running, paused or failed."""
        return self.phase in ACTIVE_PHASES


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """One rule.

    Attributes:
        ready: the status of condition ``Ready``: True, False, or empty if it has none.
        reason, message: why, as in ``Ready``, or why there is no such condition.
        last: the end of the last window that is done.
        cursor: the end of the last window that was submitted.
        lag: the seconds from ``last`` to now.
        overdue_windows: windows that are due and were not taken yet.
        in_flight: windows that Kusto has accepted.
        ahead: the rules that the worker reconciles before this one; None if it does not wait.
    """

    namespace: str
    name: str
    ready: str
    reason: str
    message: str
    database: str
    table: str
    interval: str
    suspended: bool
    last: Instant | None
    cursor: Instant | None
    lag: int | None
    overdue_windows: int
    in_flight: int
    failed: int
    backfill: BackfillSummary | None
    problems: tuple[Problem, ...]
    ahead: int | None = None


def summarize(rule: Json, now: Instant, ownership: Ownership = _DEFAULT) -> RuleSummary:
    """Summarize a raw object. A part of a wrong type counts as missing.

    ``ownership`` says which rules the worker runs. The status of another rule is not ours to judge.
    """
    spec, status = nested_dict(rule, "spec"), nested_dict(rule, "status")
    schedule = nested_dict(status, "schedule")
    last = as_instant(schedule.get("lastDone"))
    ready, reason, message = readiness(rule, ownership)
    overdue = count_overdue(rule, now) if ownership.is_for_us(rule) else 0
    return RuleSummary(
        namespace=as_str(nested_dict(rule, "metadata").get("namespace")),
        name=as_str(nested_dict(rule, "metadata").get("name")),
        ready=ready,
        reason=reason,
        message=message,
        database=as_str(spec.get("database")),
        table=as_str(spec.get("table")),
        interval=as_str(spec.get("interval")),
        suspended=spec.get("suspend") is True,
        last=last,
        cursor=as_instant(schedule.get("cursor")),
        lag=None if last is None else max(0, now.ticks - last.ticks) // TICKS_PER_SECOND,
        overdue_windows=overdue,
        in_flight=_count_submitted(schedule),
        failed=len(nested_list(schedule, "failed")),
        backfill=_summarize_backfill(nested_dict(status, "backfill")),
        problems=(*reported_problems(rule, ownership), *_overdue_problems(overdue)),
    )


def readiness(rule: Json, ownership: Ownership = _DEFAULT) -> tuple[str, str, str]:
    """Status, reason and message of ``Ready``; an empty status if the rule has none."""
    metadata = nested_dict(rule, "metadata")
    if metadata.get("deletionTimestamp"):
        return "False", BlockReason.DELETING.value, BlockReason.DELETING.message()
    if not ownership.is_for_us(rule):
        cause = f"belongs to {owner_of(rule)!r}" if owner_of(rule) else UNOWNED
        return "", BlockReason.NOT_OURS.value, BlockReason.NOT_OURS.message(cause=cause)
    for condition in _conditions(rule, READY_CONDITION):
        return (
            as_str(condition.get("status")),
            as_str(condition.get("reason")),
            as_str(condition.get("message")),
        )
    if is_seen(rule):
        return "", "", ""
    return "", BlockReason.NOT_SEEN.value, BlockReason.NOT_SEEN.message()


def is_seen(rule: Json) -> bool:
    """Whether a worker has recorded that it reconciled the rule."""
    return as_int(nested_dict(rule, "status").get("observedGeneration")) > 0


def in_queue(rule: RuleSummary, ahead: int) -> RuleSummary:
    """The summary of a rule that waits for the worker, with ``ahead`` rules before it."""
    if rule.reason != BlockReason.NOT_SEEN:
        return replace(rule, ahead=ahead)
    message = BlockReason.QUEUED.message(ahead=ahead)
    return replace(rule, ahead=ahead, reason=BlockReason.QUEUED.value, message=message)


def without_leader(rule: RuleSummary, message: str) -> RuleSummary:
    """The summary while no worker leads: nothing runs, and no end can be estimated."""
    backfill = None if rule.backfill is None else replace(rule.backfill, eta=None)
    reason = BlockReason.named(rule.reason)
    is_intended = reason is not None and reason.kind is BlockKind.INTENDED
    if is_intended and (backfill is None or backfill.phase not in RUNNABLE_PHASES):
        return rule
    problems = (Problem("schedule", BlockReason.NO_LEADER.value, message), *rule.problems)
    if reason is BlockReason.DELETING:
        waits = f"the deletion waits for a worker: {message}"
        return replace(rule, message=waits, problems=problems, backfill=backfill)
    return replace(
        rule,
        ready="Unknown",
        reason=BlockReason.NO_LEADER.value,
        message=message,
        problems=problems,
        backfill=backfill,
    )


def backfill_phase(rule: Json) -> str:
    """The phase of the backfill; empty if there is none."""
    return as_str(nested_dict(nested_dict(rule, "status"), "backfill").get("phase"))


def reported_problems(rule: Json, ownership: Ownership = _DEFAULT) -> Iterator[Problem]:
    """The problems that the worker wrote into the conditions, each once.

    What somebody chose is not a problem: a suspended rule, a rule for other clusters or of another
    operator. Columns that differ stop no window, and are in the condition of the query alone.
    """
    reported = set[str]()
    if not ownership.is_for_us(rule) or not _is_for_this_worker(rule):
        return
    ready, ready_reason, ready_message = readiness(rule, ownership)
    for condition in sorted(
        _false_conditions(rule), key=lambda each: each.get("type") != SCHEDULE_CONDITION
    ):
        reason, message = as_str(condition.get("reason")), as_str(condition.get("message"))
        if condition.get("type") == SCHEDULE_CONDITION:
            reported.add(reason)
            if ready != "True":  # else nothing is to run that this would stop
                yield Problem("schedule", reason, message)
        elif backfill_phase(rule) == "Failed":
            reported.add(reason)
            yield Problem("backfill", reason, message)
    found = BlockReason.named(ready_reason)
    if not reported and ready == "False" and found is not None and found.is_problem:
        yield Problem("schedule", ready_reason, ready_message)
    for condition in _conditions(rule, QUERY_CONDITION):
        reason = as_str(condition.get("reason"))
        if reason == BlockReason.COLUMNS_DIFFER:
            yield Problem("query", reason, as_str(condition.get("message")))


def _is_for_this_worker(rule: Json) -> bool:
    """Whether nobody chose that another cluster runs the rule."""
    reasons = {as_str(each.get("reason")) for each in _conditions(rule, SCHEDULE_CONDITION)}
    return not reasons & {BlockReason.CRITERIA_NOT_MET, BlockReason.NOT_OURS}


def _false_conditions(rule: Json) -> Iterator[Json]:
    """The conditions of the schedule and of the backfill, if they are False."""
    for condition in _conditions(rule, SCHEDULE_CONDITION, BACKFILL_CONDITION):
        if condition.get("status") == "False":
            yield condition


def _conditions(rule: Json, *types: str) -> Iterator[Json]:
    for condition in nested_list(nested_dict(rule, "status"), "conditions"):
        if condition.get("type") in types:
            yield condition


def _overdue_problems(overdue: int) -> Iterator[Problem]:
    if overdue >= OVERDUE_FROM:
        message = BlockReason.BEHIND.message(count=overdue)
        yield Problem("schedule", BlockReason.BEHIND.value, message)


def overdue_from(rule: Json, count: int) -> Instant | None:
    """When this number of interval windows is due and was not taken; None if that never happens.

    A rule that is suspended, or that another cluster or operator runs, is never overdue.
    """
    spec = nested_dict(rule, "spec")
    schedule = nested_dict(nested_dict(rule, "status"), "schedule")
    cursor, interval = as_instant(schedule.get("cursor")), interval_of(spec)
    if cursor is None or interval is None or spec.get("suspend") is True:
        return None
    if not _is_for_this_worker(rule):
        return None
    taken = len(nested_list(schedule, "inFlight")) + len(nested_list(schedule, "failed"))
    end = ceil(cursor.plus((count + taken) * interval.ticks), interval)
    return end.plus(ingestion_delay_of(spec).ticks)


def count_overdue(rule: Json, now: Instant) -> int:
    """The windows of the schedule that are due at ``now`` and were not taken yet."""
    first, interval = overdue_from(rule, 1), interval_of(nested_dict(rule, "spec"))
    if first is None or interval is None or now < first:
        return 0
    return 1 + (now.ticks - first.ticks) // interval.ticks


def _summarize_backfill(backfill: Json) -> BackfillSummary | None:
    if "requestedStart" not in backfill:
        return None
    return BackfillSummary(
        phase=as_str(backfill.get("phase")),
        start=as_instant(backfill.get("requestedStart")),
        end=as_instant(backfill.get("requestedEnd")),
        done_until=as_instant(backfill.get("doneUntil")),
        done=as_int(backfill.get("windowsDone")) + as_int(backfill.get("windowsSkipped")),
        already_there=as_int(backfill.get("windowsAlreadyThere")),
        total=as_int(backfill.get("windowsTotal")),
        percent=min(100, as_int(backfill.get("percent"))),
        in_flight=_count_submitted(backfill),
        failed=len(nested_list(backfill, "failed")),
        by=as_str(backfill.get("requestedBy")),
        request_id=as_str(backfill.get("requestId")),
        eta=as_instant(backfill.get("estimatedCompletion")),
        error=as_str(backfill.get("lastError")),
    )


def count_in_flight(rule: Json) -> int:
    """The windows of the schedule and the backfill that have an operation."""
    status = nested_dict(rule, "status")
    return sum(_count_submitted(nested_dict(status, name)) for name in ("schedule", "backfill"))


def _count_submitted(holder: Json) -> int:
    """The windows in flight that have an operation; the others are intents."""
    return sum(1 for window in nested_list(holder, "inFlight") if window.get("operationId"))


def as_json(summary: RuleSummary) -> dict[str, Any]:
    """The summary as JSON: names in camelCase, times in RFC 3339."""
    bare = asdict(replace(summary, backfill=None, problems=()))
    rest = {name: value for name, value in bare.items() if name not in {"backfill", "problems"}}
    return {
        **_to_camel(rest),
        "backfill": None if summary.backfill is None else _to_camel(asdict(summary.backfill)),
        "problems": [asdict(problem) for problem in summary.problems],
    }


def _to_camel(fields: dict[str, Any]) -> dict[str, Any]:
    """NB: ``asdict`` has made each ``Instant`` a dict."""
    return {
        name.partition("_")[0] + name.partition("_")[2].title().replace("_", ""): (
            str(Instant(value["ticks"])) if isinstance(value, dict) else value
        )
        for name, value in fields.items()
    }


def format_duration(seconds: int) -> str:
    """A length of time in its two largest units, as kubectl prints an age.

    >>> format_duration(59), format_duration(3_720), format_duration(180_000)
    ('59s', '1h2m', '2d2h')
    """
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    for index, (unit, size) in enumerate(_UNITS):
        if seconds >= size or unit == "s":
            whole, rest = divmod(seconds, size)
            lower = _UNITS[index + 1] if index + 1 < len(_UNITS) else None
            more = f"{rest // lower[1]}{lower[0]}" if lower and rest // lower[1] else ""
            return f"{whole}{unit}{more}"
    raise AssertionError
