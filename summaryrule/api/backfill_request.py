"""The identity of a backfill request, and whether a request is new, running or done.

The identity is the start on the grid and the requestId. Admission and the worker both use these
functions, so that they agree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from summaryrule.api.constants import ACTIVE_PHASES, LAST_EXECUTION_CONDITION
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import read_part
from summaryrule.api.unstructured import as_instant, interval_of, nested_dict, nested_list
from summaryrule.api.upstream_backfill import (
    UpstreamProgress,
    UpstreamRequest,
    is_upstream_progress,
    read_progress,
    read_request,
)
from summaryrule.api.v1 import (
    BackfillRecord,
    BackfillSpec,
    BackfillStatus,
    Range,
    ReplaceStatus,
    ScheduleStatus,
    WindowStatus,
)
from summaryrule.api.windows import Window, ceil, count_windows, floor


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """A request: its start as written, its start on the grid of the interval, and its requestId.

    The written start counts too: a request keeps its identity when the interval, and so the grid,
    is edited while it runs or after it has run.
    """

    written_start: Instant
    start: Instant
    request_id: str | None

    def matches_start(self, start: Instant, grid: Duration | None = None) -> bool:
        """Whether a request with this start is the same; ``grid`` is the interval that it had."""
        return start in self.candidate_starts(grid)

    def candidate_starts(self, grid: Duration | None) -> tuple[Instant, ...]:
        """The start as written, on the current grid, and on the grid of an earlier interval."""
        starts = (self.start, self.written_start)
        return starts if grid is None else (*starts, floor(self.written_start, grid))


def request_identity(start: Instant, interval: Duration, request_id: str | None) -> RequestIdentity:
    """The identity of a request with this start, aligned or not, and this requestId."""
    return RequestIdentity(start, floor(start, interval), request_id or None)


def identity_of(backfill: BackfillSpec, interval: Duration) -> RequestIdentity:
    """The identity of ``spec.backfill``."""
    return request_identity(backfill.start, interval, backfill.request_id)


def request_of(backfill: Mapping[str, Any], grid: Duration | None) -> RequestIdentity | None:
    """The identity of a raw ``spec.backfill``; None if start or interval cannot be read."""
    start, request_id = as_instant(backfill.get("start")), backfill.get("requestId")
    if start is None or grid is None:
        return None
    return request_identity(start, grid, request_id if isinstance(request_id, str) else None)


@dataclass(frozen=True, slots=True)
class StoredRequests:
    """The requests in a stored status, its schedule, and what mode Replace can replace.

    ``current`` is the request in ``status.backfill``; ``history`` has those that ended.
    """

    current: BackfillStatus | None = None
    history: tuple[BackfillRecord, ...] = ()
    schedule: ScheduleStatus = field(default_factory=ScheduleStatus)
    replace: ReplaceStatus | None = None


_IDENTIFYING: Final = (
    "requestKey",
    "requestId",
    "requestedStart",
    "requestedEnd",
    "interval",
    "phase",
    "doneUntil",
    "clearing",
    "sharesTokens",
)


_NONE: Final = StoredRequests()


def read_stored_requests(stored: Mapping[str, Any]) -> StoredRequests:
    """The requests in the status of a raw object, without those that cannot be read."""
    status = stored.get("status")
    if not isinstance(status, Mapping):
        return _NONE
    history = status.get("backfillHistory")
    records = history if isinstance(history, list) else []
    read = (*(read_part(BackfillRecord, each) for each in records), _read_upstream(stored))
    current = status.get("backfill")
    if isinstance(current, Mapping):
        current = {name: current[name] for name in _IDENTIFYING if name in current}
    return StoredRequests(
        read_part(BackfillStatus, current),
        tuple(each for each in read if each is not None),
        _read_schedule(status),
        read_part(ReplaceStatus, status.get("replace")),
    )


def _read_schedule(status: Mapping[str, Any]) -> ScheduleStatus:
    """The schedule; that of a rule which only adx-mon has run so far, from its condition."""
    if "schedule" in status:
        return read_part(ScheduleStatus, status["schedule"]) or ScheduleStatus()
    conditions = nested_list(status, "conditions")
    found = (each for each in conditions if each.get("type") == LAST_EXECUTION_CONDITION)
    cursor = as_instant(next(found, {}).get("message"))
    return ScheduleStatus(cursor=cursor, upstream_until=cursor)


def _read_upstream(stored: Mapping[str, Any]) -> BackfillRecord | None:
    """The backfill that adx-mon ran for this rule, before the worker has it in history."""
    progress = nested_dict(nested_dict(stored, "status"), "backfill")
    spec = nested_dict(stored, "spec")
    interval = interval_of(spec)
    if interval is None or not progress or not is_upstream_progress(progress):
        return None
    request = read_request(nested_dict(spec, "backfill"))
    return upstream_record(read_progress(progress), request, interval)


def is_active(status: BackfillStatus | None) -> bool:
    """Whether a backfill has not ended: it is pending, running, paused or failed."""
    return status is not None and status.phase in ACTIVE_PHASES


def is_same_request(status: BackfillStatus | None, request: RequestIdentity) -> bool:
    """Whether the request is the backfill in status, which is active or still in spec.

    The worker advances ``spec.backfill.start``; a re-apply or a stale copy moves it back. So each
    start from the requested one to the high-water mark is the same request, and no window runs
    again because the start moved back.
    """
    if status is None or not (status.phase in ACTIVE_PHASES or status.clearing):
        return False
    first, mark = status.requested_start, max(status.done_until, status.requested_start)
    return (status.request_id or None) == request.request_id and any(
        first <= start <= mark for start in request.candidate_starts(status.interval)
    )


def find_in_history(
    history: Iterable[BackfillRecord], request: RequestIdentity
) -> BackfillRecord | None:
    """The newest record of this request: the same start and requestId."""
    for record in history:
        is_start = request.matches_start(record.start, record.interval)
        if is_start and (record.id or None) == request.request_id:
            return record
    return None


def is_completed(record: BackfillRecord | None, end: Instant | None) -> bool:
    """Whether the record has each window up to ``end`` as done (None: up to its own end).

    ``end`` is the end as written: its ceiling on another grid could be later.
    """
    if record is None or record.done_until is None:
        return False
    return record.done_until >= (record.end if end is None else end)


# adx-mon's backfills


def upstream_record(
    progress: UpstreamProgress, request: UpstreamRequest | None, interval: Duration
) -> BackfillRecord | None:
    """The record of a backfill that adx-mon ran; None if its range is not known.

    The record has no key, and its unfinished windows have no token. Each of them has the operation
    that adx-mon submitted, if any: whoever continues the backfill polls it first. A backfill that
    failed has lost its operations, so only its first completed windows count as done.

    Args:
        progress: adx-mon's ``status.backfill``.
        request: ``spec.backfill``; its range counts if it has the same requestId.
        interval: the interval of the rule.
    """
    span, reached = _upstream_range(progress, request, interval), progress.next_start
    if span is None or reached is None:
        return None
    if progress.phase == "Failed":
        reached = min(reached, span.start.plus(progress.completed * interval.ticks))
    left = tuple(
        WindowStatus(start=each.start, end=each.end, operation_id=each.operation_id)
        for each in sorted(progress.operations, key=lambda each: each.start)
    )
    bounds = [span.start, *(window.end for window in left)]
    follow = [*(window.start for window in left), max(bounds[-1], reached)]
    done = [Range(start=a, end=b) for a, b in zip(bounds, follow, strict=True) if a < b]
    first = done.pop(0).end if done and done[0].start == span.start else span.start
    return BackfillRecord(
        id=progress.request_id,
        start=floor(span.start, interval),
        end=ceil(span.end, interval),
        phase="Canceled" if progress.phase in ACTIVE_PHASES else "Completed",
        interval=interval,
        windows=progress.completed,
        progress=f"{progress.completed}/{count_windows(span.start, span.end, interval)}",
        done_until=first,
        done_ahead=tuple(done),
        unfinished=left,
    )


def _upstream_range(
    progress: UpstreamProgress, request: UpstreamRequest | None, interval: Duration
) -> Window | None:
    if request is not None and request.request_id == progress.request_id:
        if request.start is not None and request.end is not None and request.start < request.end:
            return Window(request.start, request.end)
        return None
    if progress.phase != "Completed" or progress.next_start is None or not progress.completed:
        return None
    length = progress.completed * interval.ticks
    return Window(progress.next_start.plus(-length), progress.next_start)
