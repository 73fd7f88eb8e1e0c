"""Mode Replace: what a rule can replace, and the rows and tags to drop.

A window in mode Replace has one more stage. When its append has completed, the extents of its
earlier runs are dropped; only then is it done. So readers see the new rows before the old ones are
gone. The stage is not stored: after a crash the operation is polled again and the drop is repeated.
"""

from collections.abc import Iterable, Iterator

from summaryrule import window_command
from summaryrule.api import backfill_request
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.replaceable import earliest_request, replaceable_since
from summaryrule.api.v1 import BackfillStatus, ReplaceStatus, ScheduleStatus
from summaryrule.planner import window_execution
from summaryrule.planner.types import DropOlderRuns, DropOldTags, PlanContext


def next_status(context: PlanContext, schedule: ScheduleStatus | None) -> ReplaceStatus | None:
    """What the rule can replace from now on; None in mode Append.

    Args:
        context: the rule, with the windows that have intents, have run or have failed.
        schedule: its schedule before this step, also that of a rule that adx-mon ran.
    """
    spec, before = context.rule.spec, context.stored.replace
    if not spec.replaces:
        return None
    if before is None or before.interval != spec.interval:
        history, earliest = (
            context.stored.backfill_history,
            earliest_request(context.now, spec.interval),
        )
        since = replaceable_since(schedule, context.stored.backfill, history, earliest)
        return ReplaceStatus(since=since, interval=spec.interval, tags_since=earliest)
    since, dropped = before.since, context.observed.tags_dropped_before
    backfill = context.stored.backfill
    if backfill is not None and backfill.interval == spec.interval and _covers(backfill, since):
        since = backfill.requested_start
    tags_since = before.tags_since if dropped is None else max(before.tags_since, dropped)
    return before.model_copy(update={"since": since, "tags_since": tags_since})


def _covers(backfill: BackfillStatus, since: Instant) -> bool:
    """Whether the backfill has just written each window from its start to ``since``, with tags."""
    has_completed = backfill.phase == "Completed" and backfill.clearing
    is_tagged = backfill.write_mode == "Replace" and not backfill.windows_skipped
    is_before = backfill.requested_start < since <= backfill.done_until
    return has_completed and is_tagged and is_before


def drop_older_runs(context: PlanContext) -> Iterator[DropOlderRuns]:
    """The drops for windows whose append has completed."""
    for window in context.in_flight_windows(context.stored):
        known = {*context.observed.replaced, *context.observed.rejected}
        if not window.replaces or window.token in known:
            continue
        if window_execution.has_appended(context, window):
            database = context.polling_database(window)
            tag = window_command.run_tag(context.rule, window.start, window.token)
            yield DropOlderRuns(window, database, window.table or context.rule.spec.table, tag)


def drop_old_tags(context: PlanContext) -> Iterator[DropOldTags]:
    """Once a day, the removal of the drop-by tags of windows that no backfill can reach."""
    spec, status = context.rule.spec, context.stored.replace
    if status is None or not spec.replaces or context.blocked is not None:
        return
    before = earliest_request(context.now, spec.interval)
    backfill = context.stored.backfill
    if backfill is not None and backfill_request.is_active(backfill):
        before = min(before, backfill.done_until)
    done = max(status.tags_since, context.observed.tags_dropped_before or status.tags_since)
    if before.ticks - done.ticks >= TICKS_PER_DAY:
        prefix = window_command.rule_tag_prefix(context.rule)
        yield DropOldTags(spec.database, spec.table, prefix, before)


def older_runs(drop: DropOlderRuns, found: Iterable[str]) -> list[str]:
    """The drop-by tags to drop of those ``found`` for the window: all but that of the new run."""
    return sorted(set(found) - {str(drop.tag)})


def old_tags(drop: DropOldTags, found: Iterable[str]) -> list[str]:
    """The tags to remove of those ``found`` for the rule: those of windows before ``before``."""
    runs = {tag: window_command.parse_run_tag(tag) for tag in found}
    return sorted(tag for tag, run in runs.items() if run and run.start < drop.before)
