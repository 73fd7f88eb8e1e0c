"""Which windows have rows in the table that Kusto does not recognise as a repeat.

Kusto drops an append whose token the table has. The token comes from the rule, the window's bounds
and the requestId. So a window is appended again if its rows were written with another requestId,
with another interval, by adx-mon, or by a release with other tokens.
"""

from collections.abc import Iterator

from summaryrule.admission.context import AdmissionContext
from summaryrule.api import unstructured
from summaryrule.api.backfill_request import StoredRequests
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillRecord, BackfillStatus
from summaryrule.api.windows import Window, next_window

BEGINNING = Instant(0)


def find_windows_appended_again(context: AdmissionContext) -> Iterator[tuple[Window, str]]:
    """The ranges of a new request that are appended again, each with the reason."""
    start, end, interval = context.start, context.end, context.interval
    if start is None or end is None or interval is None or start >= end:
        return
    has_rows = context.old or context.backfill.get("requestId")
    if not has_rows or context.replaces or context.is_already_requested:
        return
    if not context.has_changed("start", "end", "requestId"):
        return
    requested = Window(start, end)
    found = (*_of_requests(context), *_of_schedule(context), *_of_upstream(context))
    for written, why in found:
        if written.overlaps(requested):
            yield Window(max(written.start, start), min(written.end, end)), why


def find_times_covered_again(context: AdmissionContext) -> Iterator[tuple[Window, str]]:
    """The ranges that the next interval runs cover again because of another interval.

    The first window of the new interval begins at or before the end of the last one that ran.
    """
    interval, schedule = context.interval, context.stored_requests.schedule
    before = unstructured.interval_of(context.old_spec)
    if not context.old or interval is None or context.spec.get("suspend") is True:
        return
    if before == interval and context.old_spec.get("suspend") is not True:
        return
    taken = schedule.taken_until
    first = next_window(context.now, interval, context.delay, taken).start
    ran_with = schedule.interval or before
    if taken is not None and ran_with != interval and first < taken:
        yield Window(first, taken), f"written with interval {ran_with}"
    for written, _, backfill in _done_by_requests(context.stored_requests):
        since = max(first, taken or first, written.start)
        if backfill.interval not in (None, interval) and since < written.end:
            yield Window(since, written.end), f"written with interval {backfill.interval}"


def _done_by_requests(
    stored: StoredRequests,
) -> Iterator[tuple[Window, str | None, BackfillStatus | BackfillRecord]]:
    """The ranges that backfills have written, each with its requestId and the backfill."""
    current = stored.current
    if current is not None:
        yield Window(current.requested_start, current.done_until), current.request_id, current
    for record in stored.history:
        yield Window(record.start, record.done_until or record.start), record.id, record


def _of_requests(context: AdmissionContext) -> Iterator[tuple[Window, str]]:
    wanted = context.request.request_id if context.request else None
    for window, request_id, backfill in _done_by_requests(context.stored_requests):
        if backfill.interval is not None and backfill.interval != context.interval:
            yield window, f"written with interval {backfill.interval}"
        elif not backfill.shares_tokens:
            yield window, "written with tokens of another backfill"
        elif (request_id or None) != wanted:
            yield window, f"written with {_name(request_id)}"


def _of_schedule(context: AdmissionContext) -> Iterator[tuple[Window, str]]:
    schedule, interval = context.stored_requests.schedule, context.interval
    for grid in schedule.earlier_grids:
        if grid.interval != interval:
            yield Window(BEGINNING, grid.until), f"written with interval {grid.interval}"
    cursor = schedule.cursor
    if cursor is not None and schedule.interval not in (None, interval):
        yield Window(BEGINNING, cursor), f"written with interval {schedule.interval}"
    elif context.request is not None and context.request.request_id is not None:
        yield from _of_interval_runs(context, cursor)


def _of_interval_runs(
    context: AdmissionContext, cursor: Instant | None
) -> Iterator[tuple[Window, str]]:
    """The windows that interval runs have run or will run, which have no requestId."""
    if context.interval is None or context.end is None:
        return
    first = next_window(_created(context), context.interval, context.delay, None).start
    last = cursor if context.spec.get("suspend") is True else context.end
    if last is not None and first < last:
        yield Window(first, last), "written by interval runs"


def _of_upstream(context: AdmissionContext) -> Iterator[tuple[Window, str]]:
    until = context.stored_requests.schedule.upstream_until
    if until is not None:
        yield Window(BEGINNING, until), "written by adx-mon"


def _name(request_id: str | None) -> str:
    return f"requestId {request_id}" if request_id else "no requestId"


def _created(context: AdmissionContext) -> Instant:
    """When the rule was created; now on CREATE."""
    stamp = unstructured.nested_dict(context.old, "metadata").get("creationTimestamp")
    return unstructured.as_instant(stamp) or context.now
