"""The side effects that follow from a recorded status: submits, lookups, the shown cursor.

Each yields actions for ``plan``; none decides anything that status does not already say.
"""

from collections.abc import Iterator
from itertools import islice

from summaryrule import acts, flight, kql, notes, phase, remaining, request, turn
from summaryrule.actions import (
    Action,
    AdvanceSpec,
    Announce,
    DropActs,
    LookUpTag,
    RemoveBackfill,
    SetFinalizer,
    Submit,
    YieldOwnership,
)
from summaryrule.desk import Desk, flies
from summaryrule.instant import Instant
from summaryrule.ownership import must_yield
from summaryrule.v1 import (
    FINALIZER,
    SKIP,
    BackfillSpec,
    BackfillStatus,
    ScheduleStatus,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.windows import due_at


def submits(desk: Desk, status: SummaryRuleStatus) -> Iterator[Submit]:
    """Recorded intents that may go now; the schedule's first, so that a backfill yields to it."""
    if desk.hold is not None:
        return
    runs, past, wanted = status.schedule, status.backfill, desk.rule.spec.backfill
    if runs is not None and not desk.rule.spec.suspend and desk.runs_schedule:
        yield from _ready(desk, runs.in_flight, desk.settings.interval_in_flight)
    if past is not None and wanted is not None and turn.may_submit(desk.rule, past):
        yield from _ready(desk, past.in_flight, wanted.max_in_flight)


def _ready(desk: Desk, windows: tuple[WindowStatus, ...], bound: int) -> Iterator[Submit]:
    """The oldest that are ready, as far as ``bound`` operations at once allow."""
    spec = desk.rule.spec
    room = bound - sum(1 for window in windows if window.operation_id is not None)
    ready = (
        each for each in windows if each.operation_id is None and desk.now >= ready_at(desk, each)
    )
    for window in islice(ready, max(room, 0)):
        text = kql.command(spec, window.window, desk.settings.labels, token=window.token)
        yield Submit(window, spec.database, text)


def ready_at(desk: Desk, window: WindowStatus) -> Instant:
    """From when a recorded intent may be submitted.

    Its back-off has ended and it is due, asked again here: it may have been recorded by a worker
    whose clock runs ahead, or before a longer ``ingestionDelay``.
    """
    backed_off = flight.ready_at(window, desk.settings)
    return max(backed_off, due_at(window.window, desk.rule.spec.ingestion_delay))


def lookups(desk: Desk, status: SummaryRuleStatus) -> Iterator[LookUpTag]:
    """Operations that Kusto has no record of any more: the table's tags tell the rest."""
    for window in desk.windows(status):
        if flight.awaits_tag(window, desk.observed, desk.now, desk.settings):
            yield flight.lookup(window, desk.rule, desk.settings)


def drop_acts(desk: Desk, status: SummaryRuleStatus) -> Iterator[DropActs | Announce]:
    """Act annotations that status has recorded; one that named no window is told of.

    At once, or a window that fails again would be retried for ever. But a retry that goes on with
    a changed spec stays until what is in flight has ended.
    """
    names = acts.pending(desk.rule)
    if not names or phase.keeps_retry(desk.rule, status.backfill):
        return
    yield DropActs(names)
    for annotation, words in acts.idle(desk.rule, _nameable(desk)):
        if annotation == SKIP or not _goes_on(desk, status):
            yield notes.named_in_vain(annotation, words)


def _goes_on(desk: Desk, status: SummaryRuleStatus) -> bool:
    """Whether the retry, whatever it names, makes the backfill go on with a changed spec."""
    before, after = desk.stored.backfill, status.backfill
    if before is None or not request.is_active(before):
        return False
    still_changed = after is not None and phase.spec_changed(desk.rule, after)
    return phase.spec_changed(desk.rule, before) and not still_changed


def _nameable(desk: Desk) -> acts.Windows:
    runs, past = desk.stored.schedule or ScheduleStatus(), desk.stored.backfill
    failed, skipped = runs.failed, past.skipped if past is not None else ()
    if past is not None:
        begun = tuple(each for each in past.in_flight if not flight.is_ahead(each, desk.now))
        past = past.model_copy(update={"in_flight": begun})
    left = iter(()) if past is None else remaining.outstanding(past, desk.rule.spec.interval)
    waiting = {window.start for window in left} if SKIP in acts.pending(desk.rule) else set()
    if past is not None:
        failed = (*failed, *past.failed)
    flying = (each for each in desk.windows(desk.stored) if not flight.is_ahead(each, desk.now))
    return acts.Windows(failed, tuple(flying), skipped, waiting.__contains__)


def show(desk: Desk, status: SummaryRuleStatus) -> Iterator[Action]:
    """The cursor and the oldest operation, as ``spec.backfill`` shows them."""
    wanted, running = desk.rule.spec.backfill, status.backfill
    if wanted is None or running is None or not request.is_active(running):
        return
    asked = request.ask_of(wanted, desk.rule.spec.interval)
    if running.done_until >= wanted.end or not request.continues(running, asked):
        return
    oldest = next((w.operation_id for w in running.in_flight if w.operation_id), None)
    if (wanted.start, wanted.operation_id) == (running.done_until, oldest):
        return
    is_due = shown_at(desk, running) <= desk.now
    if is_due or (_lags(desk, wanted, running) and _next_showing(desk) <= desk.now):
        yield AdvanceSpec(running.done_until, oldest, desk.now)
        yield YieldOwnership()


def shown_at(desk: Desk, running: BackfillStatus) -> Instant:
    """When the oldest operation has run long enough to be shown in spec; at once where none is.

    But no sooner after the last showing than ``show_pace``.
    """
    since = next((w.submitted_at for w in running.in_flight if w.operation_id), None)
    ready = Instant(0) if since is None else since.plus(desk.settings.show_after.ticks)
    return max(ready, _next_showing(desk))


def _next_showing(desk: Desk) -> Instant:
    """At once where this worker has shown nothing yet, or before its clock was set back."""
    last = desk.observed.shown
    if last is None or last > desk.now:
        return Instant(0)
    return last.plus(desk.settings.show_pace.ticks)


def _lags(desk: Desk, wanted: BackfillSpec, running: BackfillStatus) -> bool:
    behind = running.done_until.ticks - wanted.start.ticks
    return behind >= desk.settings.show_lag * desk.rule.spec.interval.ticks


def clear(desk: Desk, status: SummaryRuleStatus) -> Iterator[Action]:
    """What has ended is cleared away: ``spec.backfill``, the finalizer, ownership of fields."""
    metadata, past = desk.rule.metadata, status.backfill
    if past is not None and past.clearing and desk.rule.spec.backfill is not None:
        yield RemoveBackfill()
        return
    if FINALIZER in metadata.finalizers and not flies(status):
        yield SetFinalizer(present=False)
    if desk.rule.spec.backfill is not None and must_yield(metadata.managed_fields):
        yield YieldOwnership()
