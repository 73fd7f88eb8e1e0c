"""What must be true of the data once a story has ended, and whether its rules have settled."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.invariants import Intent, InvariantChecker, Span, marker, ticks
from tests.worker.simulation.kusto import Append, World

Present = defaultdict[str, set[Intent]]
"""By rule, the windows that were appended, with rows or without."""

_ENDED = frozenset({"Completed", "Canceled", "Superseded"})


def judge(invariants: InvariantChecker, world: World) -> Iterator[str]:
    """Every sentence is a violation."""
    world.settle()
    present = _present(invariants, world)
    yield from _doubled(invariants, world)
    yield from _not_of_the_last_run(invariants, world)
    yield from _overlaps(invariants, present)
    for (uid, key), request in invariants.requests.items():
        yield from _missing_of_backfill(invariants, uid, key, present[uid])
        if request.phase == "Completed" and (request.mark < request.end or request.failed):
            yield f"{invariants.names[uid]}: {key} is Completed with windows left"
    for uid in invariants.runs:
        yield from _missing_of_schedule(invariants, uid, present)


def _present(invariants: InvariantChecker, world: World) -> Present:
    found: Present = defaultdict(set)
    for append in world.appended:
        mark = marker(append.command)
        intent = invariants.intents.get(mark[0]) if mark else None
        if intent is not None:
            found[intent.uid].add(intent)
    return found


def _doubled(invariants: InvariantChecker, world: World) -> Iterator[str]:
    """No window twice, unless a requestId asked for another run of it."""
    counted: Counter[tuple[str, str, Span, str]] = Counter()
    for append in world.appended:
        mark = marker(append.command) if append.rows else None
        intent = invariants.intents.get(mark[0]) if mark else None
        if mark is not None and intent is not None and not intent.replaces:
            counted[intent.uid, mark[1], mark[2], intent.asked] += 1
    for (uid, table, span, asked), count in counted.items():
        if count > 1:
            name = invariants.names[uid]
            yield f"{name}: {table} has {span} {count} times, asked for as {asked!r}"


def _not_of_the_last_run(invariants: InvariantChecker, world: World) -> Iterator[str]:
    """In mode Replace the rows of a window are those of the run that was submitted last, once.

    A window that was given up, or that is in flight at the end, may have the rows of two runs, but
    never lacks those of the last.
    """
    open_windows = invariants.given_up | invariants.in_flight()
    windows = {
        (append.table, append.run.window_prefix): append.run
        for append in world.appended
        if append.run
    }
    for (table, window), run in windows.items():
        last, found = world.last_run(run), world.rows_of(run)
        expected = [last][: last.rows]
        is_open = (run.name, run.start.ticks) in open_windows
        extra = [append for append in found if append not in expected]
        is_explained = is_open or all(_is_sent_twice(world, append) for append in extra)
        if not (set(expected) <= set(found) and len(found) == len(set(found)) and is_explained):
            runs = [append.run.run[:6] for append in found if append.run]
            yield f"{table}: {window} has {runs}, and its last run {last.rows} rows"


def _is_sent_twice(world: World, append: Append) -> bool:
    """Whether a run was sent again after a lost reply, and one of its sends had no rows.

    Without rows there is no tag that keeps the other send out, whenever it ends.
    """
    return any(other.rows == 0 and other.run == append.run for other in world.appended)


def _overlaps(invariants: InvariantChecker, present: Present) -> Iterator[str]:
    """No request of its own records windows that overlap."""
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
    """A window of the schedule, or of another request, counts if its token is the same."""
    request = invariants.requests[uid, key]
    there = [
        each.span
        for each in present
        if each.key == key
        or (each.asked == request.asked and each.span[1] - each.span[0] in request.grids)
    ]
    covered = [*there, *request.skipped, *invariants.skipped(uid)]
    for promised in ((request.first, request.mark), *request.ahead):
        for gap in _gaps(promised, covered):
            yield f"{invariants.names[uid]}: {key} counts {gap} as done, and it is not there"


def _missing_of_schedule(invariants: InvariantChecker, uid: str, present: Present) -> Iterator[str]:
    runs = invariants.runs[uid]
    if runs.first is None:
        return
    ours = [each.span for each in present[uid] if not each.asked]
    for gap in _gaps((runs.first, runs.cursor), [*ours, *invariants.excused(uid)]):
        yield f"{invariants.names[uid]}: the schedule has passed {gap}, and it is not there"


def _gaps(promised: Span, covered: Iterable[Span]) -> Iterator[Span]:
    at = promised[0]
    for start, end in sorted(covered):
        if start > at and at < promised[1]:
            yield at, min(start, promised[1])
        at = max(at, end)
    if at < promised[1]:
        yield at, promised[1]


def unsettled(
    invariants: InvariantChecker, settings: PlannerSettings, now: int, patience: float
) -> Iterator[str]:
    """What has still to happen to a rule; nothing, once the world has settled."""
    for item in invariants.latest.values():
        name, status = item["metadata"]["name"], item.get("status") or {}
        if "deletionTimestamp" in item["metadata"]:
            yield f"{name} is being deleted"
            continue
        since = now - round(patience * TICKS_PER_SECOND)
        yield from (f"{name}: {what}" for what in _of_backfill(item, status.get("backfill"), since))
        runs = status.get("schedule") or {}
        if not item["spec"].get("suspend") and _is_late(item, runs, settings, since):
            yield f"{name}: the schedule is late"


def _of_backfill(item: dict[str, Any], past: dict[str, Any] | None, since: int) -> Iterator[str]:
    asked = item["spec"].get("backfill")
    if asked is None:
        if past and (past["phase"] not in _ENDED or past.get("inFlight")):
            yield "the backfill was removed and has not ended"
        if past and item["metadata"].get("finalizers"):
            yield "the finalizer is still there"
        return
    if past is None or past["phase"] in _ENDED:
        yield "the backfill has not begun, or was not removed"
        return
    flying = [each for each in past.get("inFlight", ()) if "operationId" in each]
    replace = (item.get("status") or {}).get("replace")
    waits_for_word = "untagged" not in asked and ticks(past["doneUntil"]) < (
        ticks(replace["since"]) if replace else 0
    )
    stands = (past["phase"] in ("Failed", "Paused") or waits_for_word) and not flying
    waits = ticks(asked["end"]) > since
    if not stands and not waits:
        yield "the backfill goes on"


def _is_late(
    item: dict[str, Any], runs: dict[str, Any], settings: PlannerSettings, since: int
) -> bool:
    if len(runs.get("failed", ())) >= settings.failed_limit:
        return False
    owed = since - Duration.parse(item["spec"]["interval"]).ticks
    if any(ticks(each["end"]) < owed for each in runs.get("inFlight", ())):
        return True
    if "cursor" not in runs:
        return not runs.get("failed")
    return ticks(runs["cursor"]) < owed
