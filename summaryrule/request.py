"""What a backfill request is, and whether one is new, running, or long done.

A request is its start on the grid and its requestId (design, section 7). Admission and the
worker ask the same questions here, so that they cannot disagree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from summaryrule.duration import Duration
from summaryrule.instant import Instant
from summaryrule.v1 import BackfillRecord, BackfillSpec, BackfillStatus, Phase
from summaryrule.windows import floor

ACTIVE: Final[frozenset[Phase]] = frozenset({"Pending", "Running", "Paused", "Failed"})


@dataclass(frozen=True, slots=True)
class Ask:
    """What a spec asks for: its start as written and on the grid of its interval, and its id.

    The written start counts as well, since a request keeps its identity when the interval, and
    the grid with it, is edited while it runs or after it has run.
    """

    written: Instant
    start: Instant
    request_id: str | None

    def is_start(self, start: Instant, grid: Duration | None = None) -> bool:
        """Whether a request from ``start`` is this one; ``grid`` is the interval that it had."""
        return start in self.starts(grid)

    def starts(self, grid: Duration | None) -> tuple[Instant, ...]:
        """Where it may have begun: as written, on the grid of now, and on the grid of then."""
        now = (self.start, self.written)
        return now if grid is None else (*now, floor(self.written, grid))


def ask(start: Instant, interval: Duration, request_id: str | None) -> Ask:
    """The request that a start, not yet aligned, and a requestId stand for."""
    return Ask(start, floor(start, interval), request_id or None)


def ask_of(wanted: BackfillSpec, interval: Duration) -> Ask:
    """The request that ``spec.backfill`` stands for."""
    return ask(wanted.start, interval, wanted.request_id)


@dataclass(frozen=True, slots=True)
class Past:
    """The part of a stored status that says which requests there were."""

    running: BackfillStatus | None = None
    history: tuple[BackfillRecord, ...] = ()


_IDENTIFYING: Final = (
    "requestKey",
    "requestId",
    "requestedStart",
    "requestedEnd",
    "interval",
    "phase",
    "doneUntil",
    "clearing",
)


def read_past(stored: Mapping[str, Any]) -> Past:
    """The requests that a raw object's status tells of; what cannot be read is passed over."""
    status = stored.get("status")
    if not isinstance(status, Mapping):
        return Past()
    history = status.get("backfillHistory")
    records = history if isinstance(history, list) else []
    read = (_record(each) for each in records)
    return Past(_running(status.get("backfill")), tuple(each for each in read if each is not None))


def _running(raw: object) -> BackfillStatus | None:
    if not isinstance(raw, Mapping):
        return None
    try:
        return BackfillStatus.model_validate({n: raw[n] for n in _IDENTIFYING if n in raw})
    except ValidationError:
        return None


def _record(raw: object) -> BackfillRecord | None:
    try:
        return BackfillRecord.model_validate(raw)
    except ValidationError:
        return None


def is_active(status: BackfillStatus | None) -> bool:
    """Whether a backfill is under way: running, paused, or failed and waiting for an act."""
    return status is not None and status.phase in ACTIVE


def continues(status: BackfillStatus | None, asked: Ask) -> bool:
    """Whether this spec speaks of the backfill that status has under way.

    The worker advances ``spec.backfill.start``, and a re-apply or a stale copy sets it back; so
    any start from the requested one to the high-water mark is the same request. Nothing that has
    run runs again because a start went backwards.
    """
    if status is None or not (status.phase in ACTIVE or status.clearing):
        return False
    first, mark = status.requested_start, max(status.done_until, status.requested_start)
    return (status.request_id or None) == asked.request_id and any(
        first <= start <= mark for start in asked.starts(status.interval)
    )


def find_ended(history: Iterable[BackfillRecord], asked: Ask) -> BackfillRecord | None:
    """The newest ended backfill of exactly this start and requestId."""
    for record in history:
        is_start = asked.is_start(record.start, record.interval)
        if is_start and (record.id or None) == asked.request_id:
            return record
    return None


def has_run(record: BackfillRecord | None, end: Instant | None) -> bool:
    """Whether history has every window up to ``end`` as done (None: as far as it was asked).

    ``end`` is the one that is written: on another grid, its ceiling would ask for more.
    """
    if record is None or record.done_until is None:
        return False
    return record.done_until >= (record.end if end is None else end)
