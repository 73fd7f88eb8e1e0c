"""What must be true of the data once a story has ended, and whether its rules have settled."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.invariants import SCHEDULE, InvariantChecker, Span, marker, ticks
from tests.worker.simulation.kusto import World

_ENDED = frozenset({"Completed", "Canceled", "Superseded"})


def judge(invariants: InvariantChecker, world: World) -> Iterator[str]:
    """Every sentence is a violation."""
    world.settle()
    present = _present(invariants, world)
    yield from _doubled(invariants, world)
    for (uid, key), spans in present.items():
        for one, other in pairwise(spans):
            if other[0] < one[1]:
                yield f"{invariants.names[uid]}: windows of {key} overlap"
    for (uid, key), request in invariants.requests.items():
        yield from _missing_of_backfill(invariants, uid, key, present[uid, key])
        if request.phase == "Completed" and (request.mark < request.end or request.failed):
            yield f"{invariants.names[uid]}: {key} is Completed with windows left"
    for uid in invariants.runs:
        yield from _missing_of_schedule(invariants, uid, present)


def _present(
    invariants: InvariantChecker, world: World
) -> defaultdict[tuple[str, str], list[Span]]:
    found: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for append in world.appended:
        mark = marker(append.command)
        intent = invariants.intents.get(mark[0]) if mark else None
        if intent is not None:
            found[intent.uid, intent.key].append(intent.span)
    return defaultdict(list, {key: sorted(set(spans)) for key, spans in found.items()})


def _doubled(invariants: InvariantChecker, world: World) -> Iterator[str]:
    counted = Counter(marker(append.command) for append in world.appended if append.rows)
    for mark, count in counted.items():
        if count > 1 and mark is not None:
            yield f"{mark[1]}: the window {mark[2]} is there {count} times"


def _missing_of_backfill(
    invariants: InvariantChecker, uid: str, key: str, present: list[Span]
) -> Iterator[str]:
    request = invariants.requests[uid, key]
    covered = [*present, *request.skipped, *invariants.skipped(uid)]
    for promised in ((request.first, request.mark), *request.ahead):
        for gap in _gaps(promised, covered):
            yield f"{invariants.names[uid]}: {key} counts {gap} as done, and it is not there"


def _missing_of_schedule(
    invariants: InvariantChecker, uid: str, present: dict[tuple[str, str], list[Span]]
) -> Iterator[str]:
    runs = invariants.runs[uid]
    if runs.first is None:
        return
    ours = [
        span
        for (owner, key), spans in present.items()
        if owner == uid and key.startswith(SCHEDULE)
        for span in spans
    ]
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
    stands = past["phase"] in ("Failed", "Paused") and not flying
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
