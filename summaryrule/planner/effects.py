"""The side effects that follow from a recorded status: submits, lookups, the shown cursor.

Each yields actions for ``plan``; none decides anything that status does not already say.
"""

from collections.abc import Iterator
from itertools import islice

from summaryrule import kql
from summaryrule.api import backfill_request
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import (
    FINALIZER,
    SKIP_ANNOTATION,
    BackfillSpec,
    BackfillStatus,
    ScheduleStatus,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.api.windows import due_at
from summaryrule.planner import annotations, backfill, events, progress, window_execution
from summaryrule.planner.field_ownership import should_release
from summaryrule.planner.types import (
    CheckIngestTag,
    Effect,
    EmitEvent,
    PlanContext,
    ReleaseFieldOwnership,
    RemoveAnnotations,
    RemoveBackfill,
    SetFinalizer,
    Submit,
    UpdateSpecCursor,
    has_backfill_in_flight,
)


def submits(context: PlanContext, status: SummaryRuleStatus) -> Iterator[Submit]:
    """Recorded intents that may go now; the schedule's first, so that a backfill yields to it."""
    if context.blocked is not None:
        return
    runs, past, wanted = status.schedule, status.backfill, context.rule.spec.backfill
    if runs is not None and not context.rule.spec.suspend and context.runs_schedule:
        yield from _ready_intents(context, runs.in_flight, context.settings.interval_in_flight)
    if past is not None and wanted is not None and backfill.may_submit(context.rule, past):
        yield from _ready_intents(context, past.in_flight, wanted.max_in_flight)


def _ready_intents(
    context: PlanContext, windows: tuple[WindowStatus, ...], bound: int
) -> Iterator[Submit]:
    """The oldest that are ready, as far as ``bound`` operations at once allow."""
    spec = context.rule.spec
    room = bound - sum(1 for window in windows if window.operation_id is not None)
    ready = (
        each
        for each in windows
        if each.operation_id is None and context.now >= submit_at(context, each)
    )
    for window in islice(ready, max(room, 0)):
        text = kql.append_command(spec, window.window, context.settings.labels, token=window.token)
        yield Submit(window, spec.database, text)


def submit_at(context: PlanContext, window: WindowStatus) -> Instant:
    """From when a recorded intent may be submitted.

    Its back-off has ended and it is due, asked again here: it may have been recorded by a worker
    whose clock runs ahead, or before a longer ``ingestionDelay``.
    """
    backed_off = window_execution.backoff_ends_at(window, context.settings)
    return max(backed_off, due_at(window.window, context.rule.spec.ingestion_delay))


def tag_checks(context: PlanContext, status: SummaryRuleStatus) -> Iterator[CheckIngestTag]:
    """Operations that Kusto has no record of any more: the table's tags tell the rest."""
    for window in context.in_flight_windows(status):
        if window_execution.needs_tag_check(
            window, context.observed, context.now, context.settings
        ):
            yield window_execution.ingest_tag_check(window, context.rule, context.settings)


def remove_annotations(
    context: PlanContext, status: SummaryRuleStatus
) -> Iterator[RemoveAnnotations | EmitEvent]:
    """Act annotations that status has recorded; one that named no window is told of.

    At once, or a window that fails again would be retried for ever. But a retry that goes on with
    a changed spec stays until what is in flight has ended.
    """
    names = annotations.present(context.rule)
    if not names or backfill.is_retry_deferred(context.rule, status.backfill):
        return
    yield RemoveAnnotations(names)
    for annotation, words in annotations.unmatched(context.rule, _addressable_windows(context)):
        if annotation == SKIP_ANNOTATION or not _resumes_with_new_spec(context, status):
            yield events.annotation_ignored(annotation, words)


def _resumes_with_new_spec(context: PlanContext, status: SummaryRuleStatus) -> bool:
    """Whether the retry, whatever it names, makes the backfill go on with a changed spec."""
    before, after = context.stored.backfill, status.backfill
    if before is None or not backfill_request.is_active(before):
        return False
    still_changed = after is not None and backfill.has_spec_changed(context.rule, after)
    return backfill.has_spec_changed(context.rule, before) and not still_changed


def _addressable_windows(context: PlanContext) -> annotations.AddressableWindows:
    runs, past = context.stored.schedule or ScheduleStatus(), context.stored.backfill
    failed, skipped = runs.failed, past.skipped if past is not None else ()
    if past is not None:
        begun = tuple(
            each
            for each in past.in_flight
            if not window_execution.is_prerecorded(each, context.now)
        )
        past = past.model_copy(update={"in_flight": begun})
    left = iter(()) if past is None else progress.pending_windows(past, context.rule.spec.interval)
    waiting = (
        {window.start for window in left}
        if SKIP_ANNOTATION in annotations.present(context.rule)
        else set()
    )
    if past is not None:
        failed = (*failed, *past.failed)
    flying = (
        each
        for each in context.in_flight_windows(context.stored)
        if not window_execution.is_prerecorded(each, context.now)
    )
    return annotations.AddressableWindows(failed, tuple(flying), skipped, waiting.__contains__)


def sync_spec_cursor(context: PlanContext, status: SummaryRuleStatus) -> Iterator[Effect]:
    """The cursor and the oldest operation, as ``spec.backfill`` shows them."""
    wanted, running = context.rule.spec.backfill, status.backfill
    if wanted is None or running is None or not backfill_request.is_active(running):
        return
    asked = backfill_request.identity_of(wanted, context.rule.spec.interval)
    if running.done_until >= wanted.end or not backfill_request.is_same_request(running, asked):
        return
    oldest = next((w.operation_id for w in running.in_flight if w.operation_id), None)
    if (wanted.start, wanted.operation_id) == (running.done_until, oldest):
        return
    is_due = cursor_sync_due_at(context, running) <= context.now
    if is_due or (
        _is_cursor_behind(context, wanted, running) and _next_cursor_sync(context) <= context.now
    ):
        yield UpdateSpecCursor(running.done_until, oldest, context.now)
        yield ReleaseFieldOwnership()


def cursor_sync_due_at(context: PlanContext, running: BackfillStatus) -> Instant:
    """When the oldest operation has run long enough to be shown in spec; at once where none is.

    But no sooner after the last showing than ``show_pace``.
    """
    since = next((w.submitted_at for w in running.in_flight if w.operation_id), None)
    ready = Instant(0) if since is None else since.plus(context.settings.cursor_sync_after.ticks)
    return max(ready, _next_cursor_sync(context))


def _next_cursor_sync(context: PlanContext) -> Instant:
    """At once where this worker has shown nothing yet, or before its clock was set back."""
    last = context.observed.cursor_synced_at
    if last is None or last > context.now:
        return Instant(0)
    return last.plus(context.settings.cursor_sync_interval.ticks)


def _is_cursor_behind(context: PlanContext, wanted: BackfillSpec, running: BackfillStatus) -> bool:
    behind = running.done_until.ticks - wanted.start.ticks
    return behind >= context.settings.cursor_sync_lag * context.rule.spec.interval.ticks


def cleanup(context: PlanContext, status: SummaryRuleStatus) -> Iterator[Effect]:
    """What has ended is cleared away: ``spec.backfill``, the finalizer, ownership of fields."""
    metadata, past = context.rule.metadata, status.backfill
    if past is not None and past.clearing and context.rule.spec.backfill is not None:
        yield RemoveBackfill()
        return
    if FINALIZER in metadata.finalizers and not has_backfill_in_flight(status):
        yield SetFinalizer(present=False)
    if context.rule.spec.backfill is not None and should_release(metadata.managed_fields):
        yield ReleaseFieldOwnership()
