"""What a backfill will run, before it is requested: windows, time, and what is there already.

Admission's own defaulting and the planner's own estimate compute it on this machine.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from plugin.formatting import plural
from plugin.kubectl import Rule
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.timeline import Lane, State, lanes
from summaryrule.api.unstructured import nested_dict
from summaryrule.api.v1 import SummaryRule
from summaryrule.api.windows import WindowSequence, windows_between
from summaryrule.planner.plan_json import estimates
from summaryrule.planner.types import Plan, PlannerSettings

TAKEN: Final[frozenset[State]] = frozenset({"done", "running", "sending"})
"""States in which the rows of a window are in the table, or will be."""


def preview(rule: Rule, patch: Mapping[str, Any], now: Instant) -> Iterator[str]:
    """The lines about a merge patch of ``spec.backfill``.

    There are none for a request that admission refuses, and for one that has run.
    """
    stored = apply_defaults(rule, _patched(rule, patch), user="kubectl", worker="", now=now).object
    try:
        wanted = parse_rule(stored)
    except MalformedError:
        return
    backfill, interval = wanted.spec.backfill, wanted.spec.interval
    if backfill is None or backfill.start >= backfill.end:
        return
    windows = windows_between(backfill.start, backfill.end, interval)
    at_once = f"up to {backfill.max_in_flight} at once"
    yield f"{wanted.metadata.name}: {plural(len(windows), 'window')} of {interval}, {at_once}"
    yield f"  first    {windows[0]}"
    yield f"  last     {windows[-1]}"
    yield f"  time     {_time(wanted, len(windows))}"
    found = lanes(rule, now)
    again = _REPLACED if wanted.spec.replaces else _AGAIN
    for text, sharing in ((_THERE, True), (again, False)):
        chosen = (each for each in found if _shares_tokens(each, wanted) is sharing)
        count = _count_taken(windows, chosen)
        if count:
            yield f"  overlap  {plural(count, 'window')} {text}"


_THERE: Final = "done or running already: Kusto appends nothing again"
_AGAIN: Final = (
    "done or running by a request with another requestId or interval: their rows are appended a"
    " second time, unless you remove the first ones"
)

_REPLACED: Final = "done or running by another request: their rows are replaced"


def _patched(rule: Rule, patch: Mapping[str, Any]) -> Rule:
    spec = nested_dict(rule, "spec")
    merged = {**nested_dict(spec, "backfill"), **patch}
    backfill = {name: value for name, value in merged.items() if value is not None}
    return {**rule, "spec": {**spec, "backfill": backfill}}


def _time(wanted: SummaryRule, count: int) -> str:
    counts = {"backfill": count}
    estimate = estimates(wanted, Plan(), counts, PlannerSettings(endpoints={}))["backfill"]
    return f"{estimate['duration']} ({estimate['from']})"


def _shares_tokens(lane: Lane, wanted: SummaryRule) -> bool:
    """Whether a window of the lane has the token that it has in this backfill.

    In mode Replace each request has tokens of its own.
    """
    request_id = (wanted.spec.backfill.request_id or "") if wanted.spec.backfill else ""
    is_same = lane.request_id == request_id and lane.interval == wanted.spec.interval
    return is_same and not wanted.spec.replaces


def _count_taken(windows: WindowSequence, chosen: Iterable[Lane]) -> int:
    """The windows that overlap what the lanes have taken; each counts once."""
    taken = sorted(
        (each.start, each.end)
        for lane in chosen
        for each in lane.segments
        if each.state in TAKEN and each.start < windows.end and windows.start < each.end
    )
    count, counted_until = 0, windows.start
    for start, end in taken:
        covered = windows_between(
            max(start, counted_until), max(min(end, windows.end), counted_until), windows.interval
        )
        count += len(covered)
        counted_until = max(counted_until, covered.end)
    return count
