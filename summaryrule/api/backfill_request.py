"""What a backfill request is, and whether one is new, running, or long done.

A request is its start on the grid and its requestId (design, section 7). Admission and the
worker ask the same questions here, so that they cannot disagree.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from summaryrule.api.constants import ACTIVE_PHASES
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import as_instant
from summaryrule.api.v1 import (
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    SummaryRule,
    SummaryRuleSpec,
)
from summaryrule.api.windows import floor


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """What a spec asks for: its start as written and on the grid of its interval, and its id.

    The written start counts as well, since a request keeps its identity when the interval, and
    the grid with it, is edited while it runs or after it has run.
    """

    written_start: Instant
    start: Instant
    request_id: str | None

    def matches_start(self, start: Instant, grid: Duration | None = None) -> bool:
        """Whether a request from ``start`` is this one; ``grid`` is the interval that it had."""
        return start in self.candidate_starts(grid)

    def candidate_starts(self, grid: Duration | None) -> tuple[Instant, ...]:
        """Where it may have begun: as written, on the grid of now, and on the grid of then."""
        now = (self.start, self.written_start)
        return now if grid is None else (*now, floor(self.written_start, grid))


def request_identity(start: Instant, interval: Duration, request_id: str | None) -> RequestIdentity:
    """The request that a start, not yet aligned, and a requestId stand for."""
    return RequestIdentity(start, floor(start, interval), request_id or None)


def identity_of(wanted: BackfillSpec, interval: Duration) -> RequestIdentity:
    """The request that ``spec.backfill`` stands for."""
    return request_identity(wanted.start, interval, wanted.request_id)


def request_of(backfill: Mapping[str, Any], grid: Duration | None) -> RequestIdentity | None:
    """The request of a raw ``spec.backfill``; None where start or interval cannot be read."""
    start, identity = as_instant(backfill.get("start")), backfill.get("requestId")
    if start is None or grid is None:
        return None
    return request_identity(start, grid, identity if isinstance(identity, str) else None)


@dataclass(frozen=True, slots=True)
class StoredRequests:
    """The part of a stored status that says which requests there were."""

    current: BackfillStatus | None = None
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


def read_stored_requests(stored: Mapping[str, Any]) -> StoredRequests:
    """The requests that a raw object's status tells of; what cannot be read is passed over."""
    status = stored.get("status")
    if not isinstance(status, Mapping):
        return StoredRequests()
    history = status.get("backfillHistory")
    records = history if isinstance(history, list) else []
    read = (_record(each) for each in records)
    return StoredRequests(
        _running(status.get("backfill")), tuple(each for each in read if each is not None)
    )


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
    return status is not None and status.phase in ACTIVE_PHASES


def is_same_request(status: BackfillStatus | None, asked: RequestIdentity) -> bool:
    """Whether this spec speaks of the backfill that status has under way.

    The worker advances ``spec.backfill.start``, and a re-apply or a stale copy sets it back; so
    any start from the requested one to the high-water mark is the same request. Nothing that has
    run runs again because a start went backwards.
    """
    if status is None or not (status.phase in ACTIVE_PHASES or status.clearing):
        return False
    first, mark = status.requested_start, max(status.done_until, status.requested_start)
    return (status.request_id or None) == asked.request_id and any(
        first <= start <= mark for start in asked.candidate_starts(status.interval)
    )


def find_in_history(
    history: Iterable[BackfillRecord], asked: RequestIdentity
) -> BackfillRecord | None:
    """The newest ended backfill of exactly this start and requestId."""
    for record in history:
        is_start = asked.matches_start(record.start, record.interval)
        if is_start and (record.id or None) == asked.request_id:
            return record
    return None


def is_completed(record: BackfillRecord | None, end: Instant | None) -> bool:
    """Whether history has every window up to ``end`` as done (None: as far as it was asked).

    ``end`` is the one that is written: on another grid, its ceiling would ask for more.
    """
    if record is None or record.done_until is None:
        return False
    return record.done_until >= (record.end if end is None else end)


_SCHEDULE: Final = "schedule"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def rule_identity(rule: SummaryRule) -> str:
    """The rule's UID; its namespace and name where a file gives none."""
    return rule.metadata.uid or f"{rule.metadata.namespace}/{rule.metadata.name}"


def request_key(rule: SummaryRule, start: Instant, request_id: str | None) -> str:
    """A backfill request: its rule, its start on the grid, and its requestId. 16 hex digits."""
    return _digest(rule_identity(rule), str(start), request_id or "")[:16]


def schedule_key(rule: SummaryRule) -> str:
    """The key of interval runs, in the place of a request's.

    It names the interval: on a coarser grid a window begins where one of the old grid did, and is
    another window all the same, whose data must not be dropped as a repeat.
    """
    return f"{_SCHEDULE}/{rule.spec.interval}"


def window_token(rule: SummaryRule, key: str, start: Instant) -> str:
    """The ingest-by token of one window of a request (or of ``schedule_key``). 32 hex digits."""
    return _digest(rule_identity(rule), key, str(start))[:32]


def spec_hash(spec: SummaryRuleSpec) -> str:
    """What decides a window's result: database, table, body and interval. 16 hex digits."""
    return _digest(spec.database, spec.table, spec.body.strip(), str(spec.interval))[:16]
