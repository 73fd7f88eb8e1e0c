"""A rule at a glance: where it stands, in the few facts that people ask for first.

Read from the raw object, so that one that cannot be read as a rule still shows, and that a
thousand cost milliseconds; light to import, for a command that answers at once. Used by the
kubectl plugin and by the worker's status page, so that both say the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from summaryrule.api.constants import ACTIVE_PHASES, BACKFILL_CONDITION, SCHEDULE_CONDITION
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.unstructured import (
    as_duration,
    as_instant,
    as_int,
    as_str,
    nested_dict,
    nested_list,
)
from summaryrule.api.windows import floor

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_ENDPOINT_REASONS: Final = frozenset({"NoEndpoint", "EndpointUnavailable"})
OVERDUE_FROM: Final = 2
"""One window that fell due a moment ago is no news."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something of the rule does not go on: a reason in one word, and a sentence.

    `about` is `schedule` (or the rule as a whole) or `backfill`.
    """

    subject: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class BackfillSummary:
    """The backfill that runs or ran last; the range is half-open."""

    phase: str
    start: Instant | None
    end: Instant | None
    done_until: Instant | None
    done: int
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
        """Whether it is under way, paused, or failed and waiting for an act."""
        return self.phase in ACTIVE_PHASES


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """One rule.

    `last` is the end of the last window done, `cursor` that of the last one submitted; `lag` is
    seconds from `last` to now, `behind` the due windows not yet taken up.
    """

    namespace: str
    name: str
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


def summarize(rule: Json, now: Instant) -> RuleSummary:
    """Read what there is; a part of another type than it should be counts as missing."""
    spec, status = nested_dict(rule, "spec"), nested_dict(rule, "status")
    schedule = nested_dict(status, "schedule")
    last = as_instant(schedule.get("lastDone"))
    behind = _count_overdue(spec, schedule, now)
    return RuleSummary(
        namespace=as_str(nested_dict(rule, "metadata").get("namespace")),
        name=as_str(nested_dict(rule, "metadata").get("name")),
        database=as_str(spec.get("database")),
        table=as_str(spec.get("table")),
        interval=as_str(spec.get("interval")),
        suspended=spec.get("suspend") is True,
        last=last,
        cursor=as_instant(schedule.get("cursor")),
        lag=None if last is None else (now.ticks - last.ticks) // TICKS_PER_SECOND,
        overdue_windows=behind,
        in_flight=_submitted(schedule),
        failed=len(nested_list(schedule, "failed")),
        backfill=_summarize_backfill(nested_dict(status, "backfill")),
        problems=(*_reported_problems(rule), *_overdue_problems(behind)),
    )


def backfill_phase(rule: Json) -> str:
    """The phase of its backfill, empty when there is none."""
    return as_str(nested_dict(nested_dict(rule, "status"), "backfill").get("phase"))


def has_problem(rule: Json) -> bool:
    """Whether the worker has said that something of it does not go on."""
    return next(_reported_problems(rule), None) is not None


def _reported_problems(rule: Json) -> Iterator[Problem]:
    """What the worker wrote into the conditions.

    An endpoint that is missing or silent is on both; on the backfill's alone where the interval
    runs are another operator's (``--mode=backfill``).
    """
    said = set[str]()
    for condition in sorted(
        _false_conditions(rule), key=lambda each: each.get("type") != SCHEDULE_CONDITION
    ):
        reason, message = as_str(condition.get("reason")), as_str(condition.get("message"))
        if condition.get("type") == SCHEDULE_CONDITION:
            said.add(reason)
            yield Problem("schedule", reason, message)
        elif backfill_phase(rule) == "Failed" or reason in _ENDPOINT_REASONS - said:
            yield Problem("backfill", reason, message)


def _false_conditions(rule: Json) -> Iterator[Json]:
    """The two conditions that tell of trouble, where they do."""
    for condition in nested_list(nested_dict(rule, "status"), "conditions"):
        is_ours = condition.get("type") in {SCHEDULE_CONDITION, BACKFILL_CONDITION}
        if is_ours and condition.get("status") == "False":
            yield condition


def _overdue_problems(behind: int) -> Iterator[Problem]:
    if behind >= OVERDUE_FROM:
        yield Problem("schedule", "Behind", f"{behind} windows are due and have not begun")


def _count_overdue(spec: Json, schedule: Json, now: Instant) -> int:
    cursor, interval = as_instant(schedule.get("cursor")), as_duration(spec.get("interval"))
    if cursor is None or interval is None or interval.ticks <= 0 or spec.get("suspend") is True:
        return 0
    delay = as_duration(spec.get("ingestionDelay")) or Duration(0)
    limit = floor(now.plus(-delay.ticks), interval)
    taken = len(nested_list(schedule, "inFlight")) + len(nested_list(schedule, "failed"))
    return max(0, (limit.ticks - cursor.ticks) // interval.ticks - taken)


def _summarize_backfill(backfill: Json) -> BackfillSummary | None:
    if "requestedStart" not in backfill:
        return None
    return BackfillSummary(
        phase=as_str(backfill.get("phase")),
        start=as_instant(backfill.get("requestedStart")),
        end=as_instant(backfill.get("requestedEnd")),
        done_until=as_instant(backfill.get("doneUntil")),
        done=as_int(backfill.get("windowsDone")) + as_int(backfill.get("windowsSkipped")),
        total=as_int(backfill.get("windowsTotal")),
        percent=min(100, as_int(backfill.get("percent"))),
        in_flight=_submitted(backfill),
        failed=len(nested_list(backfill, "failed")),
        by=as_str(backfill.get("requestedBy")),
        request_id=as_str(backfill.get("requestId")),
        eta=as_instant(backfill.get("estimatedCompletion")),
        error=as_str(backfill.get("lastError")),
    )


def _submitted(holder: Json) -> int:
    """Windows that Kusto has taken; an intent without an operation may be recorded ahead."""
    return sum(1 for window in nested_list(holder, "inFlight") if window.get("operationId"))


def as_json(seen: RuleSummary) -> dict[str, Any]:
    """A glance as JSON has it: camelCase, times in RFC 3339, `lag` in seconds."""
    bare = asdict(replace(seen, backfill=None, problems=()))
    rest = {name: value for name, value in bare.items() if name not in {"backfill", "problems"}}
    return {
        **_camel(rest),
        "backfill": None if seen.backfill is None else _camel(asdict(seen.backfill)),
        "problems": [asdict(trouble) for trouble in seen.problems],
    }


def _camel(fields: dict[str, Any]) -> dict[str, Any]:
    """NB: `asdict` has made a dict of each Instant."""
    return {
        name.partition("_")[0] + name.partition("_")[2].title().replace("_", ""): (
            str(Instant(value["ticks"])) if isinstance(value, dict) else value
        )
        for name, value in fields.items()
    }


def format_duration(seconds: int) -> str:
    """A length of time in its two largest units, as kubectl prints an age.

    >>> length(59), length(3_720), length(180_000)
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
