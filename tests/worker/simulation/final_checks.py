"""Checks the data at the end of a scenario, and whether its rules have settled."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.invariants import Intent, InvariantChecker, Span, marker, ticks
from tests.worker.simulation.kusto import Append, KustoState

Present = defaultdict[str, set[Intent]]
"""The appended windows of each rule (by uid), with rows or without."""

_ENDED = frozenset({"Completed", "Canceled", "Superseded"})


def check_final_state(invariants: InvariantChecker, kusto: KustoState) -> Iterator[str]:
    """A sentence for each violation."""
    kusto.settle()
    present = _appended_windows(invariants, kusto)
    yield from _duplicates(invariants, kusto)
    yield from _wrong_runs(invariants, kusto)
    yield from _overlaps(invariants, present)
    for (uid, key), request in invariants.requests.items():
        yield from _missing_of_backfill(invariants, uid, key, present[uid])
        if request.phase == "Completed" and (request.done_until < request.end or request.failed):
            yield f"{invariants.names[uid]}: {key} is Completed with windows left"
    for uid in invariants.schedules:
        yield from _missing_of_schedule(invariants, uid, present)


def _appended_windows(invariants: InvariantChecker, kusto: KustoState) -> Present:
    found: Present = defaultdict(set)
    for append in kusto.appended:
        marked = marker(append.command)
        intent = invariants.intents.get(marked[0]) if marked else None
        if intent is not None:
            found[intent.uid].add(intent)
    return found


def _duplicates(invariants: InvariantChecker, kusto: KustoState) -> Iterator[str]:
    """No window is in a table twice, unless a requestId requested another run of it."""
    counted: Counter[tuple[str, str, Span, str]] = Counter()
    for append in kusto.appended:
        marked = marker(append.command) if append.rows else None
        intent = invariants.intents.get(marked[0]) if marked else None
        if marked is not None and intent is not None and not intent.replaces:
            counted[intent.uid, marked[1], marked[2], intent.request_id] += 1
    for (uid, table, span, request_id), count in counted.items():
        if count > 1:
            name = invariants.names[uid]
            yield f"{name}: {table} has {span} {count} times, with requestId {request_id!r}"


def _wrong_runs(invariants: InvariantChecker, kusto: KustoState) -> Iterator[str]:
    """In mode Replace the rows of a window are those of the run that was submitted last, once.

    A window that is incomplete, or in flight at the end, may have the rows of two runs. It must
    have those of the last run.
    """
    open_windows = invariants.incomplete | invariants.in_flight()
    windows = {
        (append.table, append.run.window_prefix): append.run
        for append in kusto.appended
        if append.run
    }
    for (table, window), run in windows.items():
        last, found = kusto.last_run(run), kusto.rows_of(run)
        expected = [last][: last.rows]
        is_open = (run.name, run.start.ticks) in open_windows
        extra = [append for append in found if append not in expected]
        is_explained = is_open or all(_was_sent_twice(kusto, append) for append in extra)
        if not (set(expected) <= set(found) and len(found) == len(set(found)) and is_explained):
            runs = [append.run.run[:6] for append in found if append.run]
            yield f"{table}: {window} has {runs}, and its last run {last.rows} rows"


def _was_sent_twice(kusto: KustoState, append: Append) -> bool:
    """Whether a run was sent again, after a lost reply or a lost record, and both sends appended.

    The tag of one send keeps the other out while its rows are there. It has none if it found no
    rows, or if a later run has replaced them.
    """
    return sum(other.run == append.run for other in kusto.appended) > 1


def _overlaps(invariants: InvariantChecker, present: Present) -> Iterator[str]:
    """The windows of one request do not overlap."""
    by_key: defaultdict[tuple[str, str], set[Span]] = defaultdict(set)
    for uid, intents in present.items():
        for intent in intents:
            by_key[uid, intent.key].add(intent.span)
    for (uid, key), spans in by_key.items():
        for one, other in pairwise(sorted(spans)):
            if other[0] < one[1]:
                yield f"{invariants.names[uid]}: windows of {key} overlap"


def _missing_of_backfill(
    invariants: InvariantChecker, uid: str, key: str, present: set[Intent]
) -> Iterator[str]:
    """Windows that are done but not in the table; a window with the same token counts."""
    request = invariants.requests[uid, key]
    appended = [
        each.span
        for each in present
        if each.key == key
        or (each.request_id == request.request_id and each.span[1] - each.span[0] in request.grids)
    ]
    covered = [*appended, *request.skipped, *invariants.skipped(uid)]
    for expected in ((request.first, request.done_until), *request.done_ahead):
        for gap in _gaps(expected, covered):
            yield f"{invariants.names[uid]}: {key} counts {gap} as done, but it is not there"


def _missing_of_schedule(invariants: InvariantChecker, uid: str, present: Present) -> Iterator[str]:
    schedule = invariants.schedules[uid]
    if schedule.first is None:
        return
    scheduled = [each.span for each in present[uid] if not each.request_id]
    for gap in _gaps(
        (schedule.first, schedule.cursor), [*scheduled, *invariants.may_be_missing(uid)]
    ):
        yield f"{invariants.names[uid]}: the schedule has passed {gap}, but it is not there"


def _gaps(expected: Span, covered: Iterable[Span]) -> Iterator[Span]:
    at = expected[0]
    for start, end in sorted(covered):
        if start > at and at < expected[1]:
            yield at, min(start, expected[1])
        at = max(at, end)
    if at < expected[1]:
        yield at, expected[1]


def unsettled(
    invariants: InvariantChecker, settings: PlannerSettings, now: int, grace: float
) -> Iterator[str]:
    """What is still to be done for each rule; nothing after all rules have settled."""
    for item in invariants.latest.values():
        name, status = item["metadata"]["name"], item.get("status") or {}
        if "deletionTimestamp" in item["metadata"]:
            yield f"{name} is being deleted"
            continue
        since = now - round(grace * TICKS_PER_SECOND)
        yield from (
            f"{name}: {what}" for what in _unsettled_backfill(item, status.get("backfill"), since)
        )
        schedule = status.get("schedule") or {}
        if not item["spec"].get("suspend") and _is_late(item, schedule, settings, since):
            yield f"{name}: the schedule is late"


def _unsettled_backfill(
    item: dict[str, Any], backfill: dict[str, Any] | None, since: int
) -> Iterator[str]:
    requested = item["spec"].get("backfill")
    if requested is None:
        if backfill and (backfill["phase"] not in _ENDED or backfill.get("inFlight")):
            yield "the backfill was removed and has not ended"
        if backfill and item["metadata"].get("finalizers"):
            yield "the finalizer is still there"
        return
    if backfill is None or backfill["phase"] in _ENDED:
        yield "the backfill has not started, or spec.backfill was not removed"
        return
    in_flight = [each for each in backfill.get("inFlight", ()) if "operationId" in each]
    replace = (item.get("status") or {}).get("replace")
    needs_untagged = "untagged" not in requested and ticks(backfill["doneUntil"]) < (
        ticks(replace["since"]) if replace else 0
    )
    is_idle = (backfill["phase"] in ("Failed", "Paused") or needs_untagged) and not in_flight
    is_waiting = ticks(requested["end"]) > since
    if not is_idle and not is_waiting:
        yield "the backfill is still running"


def _is_late(
    item: dict[str, Any], schedule: dict[str, Any], settings: PlannerSettings, since: int
) -> bool:
    if len(schedule.get("failed", ())) >= settings.failed_limit:
        return False
    due_before = since - Duration.parse(item["spec"]["interval"]).ticks
    if any(ticks(each["end"]) < due_before for each in schedule.get("inFlight", ())):
        return True
    if "cursor" not in schedule:
        return not schedule.get("failed")
    return ticks(schedule["cursor"]) < due_before
