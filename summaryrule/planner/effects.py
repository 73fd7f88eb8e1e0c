"""The side effects that follow from a stored status: submits, tag checks, the cursor in spec.

All of them follow from the rule as stored, so after a crash the same call returns them again.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from summaryrule import window_command
from summaryrule.api import backfill_request
from summaryrule.api.constants import FINALIZER, RUNNABLE_PHASES
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillSpec, BackfillStatus, WindowStatus
from summaryrule.api.windows import due_at
from summaryrule.planner import backfill_state_machine, replacement, window_execution
from summaryrule.planner.field_ownership import should_release
from summaryrule.planner.types import (
    CheckIngestTag,
    Effect,
    FindIngestTags,
    PlanContext,
    ReleaseFieldOwnership,
    RemoveBackfill,
    SetFinalizer,
    Submit,
    UpdateSpecCursor,
    has_backfill_in_flight,
)


def effects(context: PlanContext) -> tuple[Effect, ...]:
    """The side effects for ``context.rule`` as it is stored, in order.

    Requests to Kusto come first. The cursor in spec and the cleanup wait until there are none.
    """
    to_kusto: tuple[Effect, ...] = (
        *_tag_checks(context),
        *_present_windows_lookup(context),
        *replacement.drop_older_runs(context),
        *_submits(context),
    )
    return to_kusto or (
        *_sync_spec_cursor(context),
        *_cleanup(context),
        *replacement.drop_old_tags(context),
    )


def _submits(context: PlanContext) -> Iterator[Submit]:
    """The intents to submit now; the schedule's come first, before a backfill's.

    No two operations run for one time: a window waits while another window over it is in flight.
    If both have the same token, the operation counts for both.
    """
    if context.blocked is not None:
        return
    schedule = context.stored.schedule
    intents = schedule.in_flight if schedule is not None else ()
    running = [w for w in context.in_flight_windows(context.stored) if w.operation_id is not None]
    yield from _without_overlap(_schedule_submits(context, intents), running)
    # An intent of the schedule in mode Replace may have been sent, and its reply lost. If a
    # backfill ran the window now, the rows of that append could come later and stay.
    running += [window for window in intents if window.replaces]
    yield from _without_overlap(_backfill_submits(context), running)


def _without_overlap(submits: Iterable[Submit], running: list[WindowStatus]) -> Iterator[Submit]:
    """The submits of windows over which no other runs; each is added to ``running``."""
    for submit in submits:
        if not any(submit.window.window.overlaps(other.window) for other in running):
            running.append(submit.window)
            yield submit


def _schedule_submits(context: PlanContext, windows: tuple[WindowStatus, ...]) -> Iterator[Submit]:
    sendable = _sendable(windows, may_submit=not context.rule.spec.suspend)
    yield from _ready_intents(context, sendable, context.settings.interval_in_flight)


def _backfill_submits(context: PlanContext) -> Iterator[Submit]:
    status, requested = context.stored.backfill, context.requested
    if status is None:
        return
    may_submit = requested is not None and backfill_state_machine.may_submit(context.rule, status)
    windows = _sendable(status.in_flight, may_submit=may_submit)
    limit = requested.max_in_flight if requested is not None else len(windows)
    yield from _ready_intents(context, windows, limit)


def _sendable(windows: tuple[WindowStatus, ...], *, may_submit: bool) -> tuple[WindowStatus, ...]:
    """The windows, or only those that must run to their end.

    An intent may have been sent before. In mode Replace it is not given up: it is sent again with
    its token until it is known how it ended, so that no rows appear after those of a later run.
    """
    return windows if may_submit else tuple(each for each in windows if each.replaces)


def _ready_intents(
    context: PlanContext, windows: tuple[WindowStatus, ...], limit: int
) -> Iterator[Submit]:
    """The oldest intents that are ready, so that at most ``limit`` operations are in flight."""
    spec = context.rule.spec
    capacity = limit - sum(1 for window in windows if window.operation_id is not None)
    ready = (
        each
        for each in windows
        if each.operation_id is None
        and context.now >= submit_at(context, each)
        and each.token not in context.observed.rejected
    )
    for window in islice(ready, max(capacity, 0)):
        command = window_command.append_command(
            context.rule,
            window.window,
            context.settings.labels,
            token=window.token,
            replaces=window.replaces,
            table=window.table,
        )
        yield Submit(window, window.database or spec.database, command)


def submit_at(context: PlanContext, window: WindowStatus) -> Instant:
    """The earliest time to submit a recorded intent: after its back-off, and when it is due.

    A recorded intent may not be due: its worker's clock was ahead, or ``ingestionDelay`` was
    shorter.
    """
    backed_off = window_execution.backoff_ends_at(context, window)
    return max(backed_off, due_at(window.window, context.rule.spec.ingestion_delay))


def _tag_checks(context: PlanContext) -> Iterator[CheckIngestTag]:
    """The checks for windows whose outcome only the tags of the table say."""
    windows = context.in_flight_windows(context.stored)
    unknown = (each for each in windows if window_execution.needs_tag_check(context, each))
    for window in (*_orphaned_intents(context), *unknown):
        table = window.table or context.rule.spec.table
        yield CheckIngestTag(context.polling_database(window), table, window.token)


def _present_windows_lookup(context: PlanContext) -> Iterator[FindIngestTags]:
    """The lookup of the windows of a backfill in the tags of its table, before any is sent."""
    status, spec = context.stored.backfill, context.rule.spec
    if status is None or context.blocked is not None or context.requested is None:
        return
    may_run = status.phase in RUNNABLE_PHASES and backfill_state_machine.may_submit(
        context.rule, status
    )
    is_known = status.request_key in context.observed.ingest_tags
    if may_run and not is_known and backfill_state_machine.needs_tags(context.rule, status):
        yield FindIngestTags(status.request_key, spec.database, spec.table, status.requested_start)


def _orphaned_intents(context: PlanContext) -> Iterator[WindowStatus]:
    """Intents that may have been submitted, and that are not submitted again."""
    status, requested = context.stored.backfill, context.requested
    if status is None or requested is None or requested.start >= requested.end:
        return
    is_active = backfill_request.is_active(status)
    if is_active and backfill_state_machine.has_orphaned_intents(context.rule, status):
        for window in status.in_flight:
            is_unknown = window.token not in context.observed.tag_found
            if window.operation_id is None and is_unknown and not window.replaces:
                yield window


def _sync_spec_cursor(context: PlanContext) -> Iterator[Effect]:
    """Write the cursor and the oldest operation to ``spec.backfill``, for people to read."""
    requested, status = context.requested, context.stored.backfill
    if requested is None or status is None or not backfill_request.is_active(status):
        return
    identity = backfill_request.identity_of(requested, context.rule.spec.interval)
    is_same = backfill_request.is_same_request(status, identity)
    if status.done_until >= requested.end or not is_same:
        return
    oldest = next((w.operation_id for w in status.in_flight if w.operation_id), None)
    if (requested.start, requested.operation_id) == (status.done_until, oldest):
        return
    is_due = cursor_sync_due_at(context, status) <= context.now
    is_behind = _is_cursor_behind(context, requested, status)
    if is_due or (is_behind and _next_cursor_sync(context) <= context.now):
        yield UpdateSpecCursor(status.done_until, oldest, context.now)
        yield ReleaseFieldOwnership()


def cursor_sync_due_at(context: PlanContext, status: BackfillStatus) -> Instant:
    """When to write the oldest operation to spec: it has run for ``cursor_sync_after``.

    It is at least ``cursor_sync_interval`` after the last update. Without an operation it is due at
    once.
    """
    since = next((w.submitted_at for w in status.in_flight if w.operation_id), None)
    ready = Instant(0) if since is None else since.plus(context.settings.cursor_sync_after.ticks)
    return max(ready, _next_cursor_sync(context))


def _next_cursor_sync(context: PlanContext) -> Instant:
    """The earliest next update; at once after a restart, or if the clock was set back."""
    last = context.observed.cursor_synced_at
    if last is None or last > context.now:
        return Instant(0)
    return last.plus(context.settings.cursor_sync_interval.ticks)


def _is_cursor_behind(
    context: PlanContext, requested: BackfillSpec, status: BackfillStatus
) -> bool:
    behind = status.done_until.ticks - requested.start.ticks
    return behind >= context.settings.cursor_sync_lag * context.rule.spec.interval.ticks


def _cleanup(context: PlanContext) -> Iterator[Effect]:
    """Remove ``spec.backfill`` after its end, else a finalizer and ownership that are left."""
    metadata, status = context.rule.metadata, context.stored
    ended = status.backfill
    if ended is not None and ended.clearing and context.requested is not None:
        yield RemoveBackfill()
        return
    if FINALIZER in metadata.finalizers and not has_backfill_in_flight(status):
        yield SetFinalizer(present=False)
    if context.requested is not None and should_release(metadata.managed_fields):
        yield ReleaseFieldOwnership()
