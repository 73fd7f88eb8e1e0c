"""The side effects that follow from a stored status: submits, tag checks, the cursor in spec.

``effects`` decides nothing: what it lists follows from the rule as stored.
"""

from collections.abc import Iterator
from itertools import islice

from summaryrule import kql
from summaryrule.api import backfill_request
from summaryrule.api.constants import FINALIZER
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillSpec, BackfillStatus, WindowStatus
from summaryrule.api.windows import due_at
from summaryrule.planner import backfill, window_execution
from summaryrule.planner.field_ownership import should_release
from summaryrule.planner.types import (
    CheckIngestTag,
    Effect,
    PlanContext,
    ReleaseFieldOwnership,
    RemoveBackfill,
    SetFinalizer,
    Submit,
    UpdateSpecCursor,
    has_backfill_in_flight,
)


def effects(context: PlanContext) -> tuple[Effect, ...]:
    """What to do for ``context.rule`` as it is stored, in order.

    Kusto comes first. The cursor in spec is updated, and what has ended is cleaned up, only when
    there is nothing to ask of Kusto.
    """
    to_kusto: tuple[Effect, ...] = (*_tag_checks(context), *_submits(context))
    return to_kusto or (*_sync_spec_cursor(context), *_cleanup(context))


def _submits(context: PlanContext) -> Iterator[Submit]:
    """Recorded intents that may go now; the schedule's first, so that a backfill yields to it."""
    if context.blocked is not None:
        return
    rule, settings = context.rule, context.settings
    schedule, running, wanted = context.stored.schedule, context.stored.backfill, context.wanted
    if schedule is not None and not rule.spec.suspend and context.runs_schedule:
        yield from _ready_intents(context, schedule.in_flight, settings.interval_in_flight)
    if running is not None and wanted is not None and backfill.may_submit(rule, running):
        yield from _ready_intents(context, running.in_flight, wanted.max_in_flight)


def _ready_intents(
    context: PlanContext, windows: tuple[WindowStatus, ...], limit: int
) -> Iterator[Submit]:
    """The oldest intents that are ready, as far as ``limit`` operations at once allow."""
    spec = context.rule.spec
    capacity = limit - sum(1 for window in windows if window.operation_id is not None)
    ready = (
        each
        for each in windows
        if each.operation_id is None and context.now >= submit_at(context, each)
    )
    for window in islice(ready, max(capacity, 0)):
        labels = context.settings.labels
        text = kql.append_command(spec, window.window, labels, token=window.token)
        yield Submit(window, spec.database, text)


def submit_at(context: PlanContext, window: WindowStatus) -> Instant:
    """The earliest time to submit a recorded intent: its back-off has ended, and it is due.

    Whether it is due is checked here again: a worker whose clock runs fast may have recorded it, or
    ``ingestionDelay`` may have been shorter then.
    """
    backed_off = window_execution.backoff_ends_at(window, context.settings)
    return max(backed_off, due_at(window.window, context.rule.spec.ingestion_delay))


def _tag_checks(context: PlanContext) -> Iterator[CheckIngestTag]:
    """Questions for windows whose fate only the table's extent tags tell."""
    rule, settings = context.rule, context.settings
    for window in (*_orphaned_intents(context), *_operations_without_record(context)):
        yield window_execution.ingest_tag_check(window, rule, settings)


def _orphaned_intents(context: PlanContext) -> Iterator[WindowStatus]:
    """Intents without an answer that can never be sent again."""
    running, wanted = context.stored.backfill, context.wanted
    if running is None or wanted is None or wanted.start >= wanted.end:
        return
    is_active = backfill_request.is_active(running)
    if is_active and backfill.has_orphaned_intents(context.rule, running):
        for window in running.in_flight:
            if window.operation_id is None and window.token not in context.observed.tag_found:
                yield window


def _operations_without_record(context: PlanContext) -> Iterator[WindowStatus]:
    """Windows whose operation Kusto no longer has a record of."""
    for window in context.in_flight_windows(context.stored):
        if window_execution.needs_tag_check(
            window, context.observed, context.now, context.settings
        ):
            yield window


def _sync_spec_cursor(context: PlanContext) -> Iterator[Effect]:
    """Write the cursor and the oldest operation to ``spec.backfill``, where people read them."""
    wanted, running = context.wanted, context.stored.backfill
    if wanted is None or running is None or not backfill_request.is_active(running):
        return
    identity = backfill_request.identity_of(wanted, context.rule.spec.interval)
    is_same = backfill_request.is_same_request(running, identity)
    if running.done_until >= wanted.end or not is_same:
        return
    oldest = next((w.operation_id for w in running.in_flight if w.operation_id), None)
    if (wanted.start, wanted.operation_id) == (running.done_until, oldest):
        return
    is_due = cursor_sync_due_at(context, running) <= context.now
    is_behind = _is_cursor_behind(context, wanted, running)
    if is_due or (is_behind and _next_cursor_sync(context) <= context.now):
        yield UpdateSpecCursor(running.done_until, oldest, context.now)
        yield ReleaseFieldOwnership()


def cursor_sync_due_at(context: PlanContext, running: BackfillStatus) -> Instant:
    """When to show the oldest operation in spec: it has run for ``cursor_sync_after``.

    Not sooner than ``cursor_sync_interval`` after the last update. Where no operation runs, it is
    due at once.
    """
    since = next((w.submitted_at for w in running.in_flight if w.operation_id), None)
    ready = Instant(0) if since is None else since.plus(context.settings.cursor_sync_after.ticks)
    return max(ready, _next_cursor_sync(context))


def _next_cursor_sync(context: PlanContext) -> Instant:
    """At once where this worker has not updated it yet, or its clock was set back since."""
    last = context.observed.cursor_synced_at
    if last is None or last > context.now:
        return Instant(0)
    return last.plus(context.settings.cursor_sync_interval.ticks)


def _is_cursor_behind(context: PlanContext, wanted: BackfillSpec, running: BackfillStatus) -> bool:
    behind = running.done_until.ticks - wanted.start.ticks
    return behind >= context.settings.cursor_sync_lag * context.rule.spec.interval.ticks


def _cleanup(context: PlanContext) -> Iterator[Effect]:
    """Remove ``spec.backfill`` after the end; else the finalizer and ownership that are left."""
    metadata, status = context.rule.metadata, context.stored
    ended = status.backfill
    if ended is not None and ended.clearing and context.wanted is not None:
        yield RemoveBackfill()
        return
    if FINALIZER in metadata.finalizers and not has_backfill_in_flight(status):
        yield SetFinalizer(present=False)
    if context.wanted is not None and should_release(metadata.managed_fields):
        yield ReleaseFieldOwnership()
