"""The plan: everything the worker decides about one rule, as plain data.

``plan(rule, observed, now, settings)`` is pure. ``worker run`` executes its actions; ``worker
plan`` prints its windows: the same Plan (design, section 12). Each call decides the next steps
from what is stored, so that after a crash, a conflict or a lost answer the same call goes on.

The order in which it decides:

1. A rule that is not ours, or that cannot be read, is left alone and said so.
2. What was observed is written to status, together with the next intents: one write.
3. Recorded intents are submitted; nothing is submitted that is not recorded.
4. The cursor is shown in spec, and its ownership given up at once.
5. What has ended is cleared away: act annotations, spec.backfill, the finalizer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from summaryrule import (
    conditions,
    criteria,
    departure,
    holds,
    notes,
    outward,
    phase,
    remaining,
    request,
    schedule,
    turn,
)
from summaryrule.actions import Action, Announce, RecordStatus, SetFinalizer
from summaryrule.agenda import Flying, Held, Plan
from summaryrule.desk import Desk, flies
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.reading import MalformedError, read
from summaryrule.settings import Settings
from summaryrule.v1 import FINALIZER, ScheduleStatus, SummaryRule, SummaryRuleStatus
from summaryrule.windows import Tiles, Window, due_at

__all__ = ["Flying", "Held", "MalformedError", "Plan", "plan", "read"]


def plan(
    rule: SummaryRule,
    observed: Observed,
    now: Instant,
    settings: Settings,
    evaluate: criteria.Evaluate,
) -> Plan:
    """Decide what to do about ``rule``, given what was observed, at ``now``."""
    if rule.metadata.deletion_timestamp is not None:
        return departure.leave(Desk(rule, observed, now, settings))
    stranger = holds.not_ours(rule, settings)
    if stranger is not None:
        return Plan(held=(stranger,))
    try:
        before = _schedule_before(rule, settings)
    except conditions.ForeignStateError as error:
        return _say(rule, Held("Malformed", str(error)), now)
    hold = holds.hold(rule, settings, evaluate)
    return _decide(Desk(rule, observed, now, settings, hold), before)


def _schedule_before(rule: SummaryRule, settings: Settings) -> ScheduleStatus | None:
    if settings.mode == "backfill":
        return None
    stored = rule.status.schedule if rule.status is not None else None
    return stored if stored is not None else conditions.adopt(rule)


@dataclass(frozen=True, slots=True)
class _Runs:
    """Interval runs after this plan: what is stored, what is due, what to tell."""

    status: ScheduleStatus | None
    due: Tiles | None = None
    announcements: tuple[Announce, ...] = ()


def _decide(desk: Desk, before: ScheduleStatus | None) -> Plan:
    moved = _run_backfill(desk)
    runs = _run_schedule(desk, before, keeps_retry=phase.keeps_retry(desk.rule, moved.status))
    status = _status(desk, runs.status, moved)
    may_take = desk.hold is None and not holds.too_many_failed(desk, runs.status)
    announcements = (*holds.told(desk, moved.status), *runs.announcements, *moved.announcements)
    return Plan(
        held=holds.held(desk, runs.status, moved.held),
        actions=tuple(_actions(desk, status, replace(moved, announcements=announcements))),
        in_flight=desk.flying(status),
        wake=_wake(desk, status, runs.due),
        due=runs.due if may_take else None,
        backfill=moved.settled,
    )


def _actions(desk: Desk, status: SummaryRuleStatus, moved: turn.Turn) -> Iterator[Action]:
    """The first of these that has anything to do; the worker plans again after it."""
    if _must_record(desk, status):
        if flies(status) and FINALIZER not in desk.rule.metadata.finalizers:
            yield SetFinalizer(present=True)
        yield from moved.cancels
        yield RecordStatus(status)
        yield from outward.drop_acts(desk, status)
        yield from moved.announcements
        return
    first: list[Action] = [
        *outward.drop_acts(desk, status),
        *moved.lookups,
        *outward.lookups(desk, status),
        *outward.submits(desk, status),
    ]
    if first:
        yield from first
        return
    yield from outward.show(desk, status)
    yield from outward.clear(desk, status)


def _run_schedule(desk: Desk, before: ScheduleStatus | None, *, keeps_retry: bool) -> _Runs:
    if before is None:
        return _Runs(desk.stored.schedule)
    progress = schedule.settle(
        desk.rule, before, desk.observed, desk.now, desk.settings, may_retry=not keeps_retry
    )
    due = schedule.due(desk.rule.spec, progress.status, desk.now, desk.settings)
    failed = progress.settled.failed
    told = (notes.window_failed(failed, "interval"),) if failed else ()
    if desk.hold is not None:
        return _Runs(progress.status, due, told)
    return _Runs(schedule.intend(desk.rule, progress.status, due, desk.settings), due, told)


def _run_backfill(desk: Desk) -> turn.Turn:
    seat = turn.Seat(
        desk.rule,
        desk.observed,
        desk.now,
        desk.settings,
        may_submit=desk.hold is None,
        history=desk.stored.backfill_history,
    )
    return turn.take(seat, desk.stored.backfill)


def _status(desk: Desk, planned: ScheduleStatus | None, moved: turn.Turn) -> SummaryRuleStatus:
    status = desk.stored.model_copy(
        update={
            "observed_generation": desk.rule.metadata.generation,
            "schedule": planned,
            "backfill": moved.status,
            "backfill_history": moved.history,
        }
    )
    hold = holds.condition(desk)
    held = None if hold is None else (hold.reason, hold.message)
    merged = conditions.merge(
        status.conditions,
        conditions.describe(status, held, runs_schedule=desk.runs_schedule),
        generation=desk.rule.metadata.generation,
        now=desk.now,
    )
    return status.model_copy(update={"conditions": merged})


def _must_record(desk: Desk, status: SummaryRuleStatus) -> bool:
    """Whether status changed.

    A new generation alone can wait for the next write of a window: soon while an operation runs,
    else if it is the one that this worker's own showing of the cursor made.
    """
    if desk.stored == status:
        return False
    if _timeless(desk.stored) != _timeless(status):
        return True
    if desk.stored.observed_generation == status.observed_generation:
        return False
    is_own = desk.observed.shown_generation == status.observed_generation
    return not (flies(status) and (desk.flying(status) or is_own))


def _timeless(status: SummaryRuleStatus) -> SummaryRuleStatus:
    """As it is stored, where empty and absent are the same, without the generations."""
    bare = tuple(c.model_copy(update={"observed_generation": None}) for c in status.conditions)
    schedule = None if status.schedule == ScheduleStatus() else status.schedule
    changes = {"observed_generation": None, "conditions": bare, "schedule": schedule}
    return status.model_copy(update=changes)


def _wake(desk: Desk, status: SummaryRuleStatus, due: Tiles | None) -> Instant | None:
    spec = desk.rule.spec
    intents = (window for window in desk.windows(status) if window.operation_id is None)
    times = [outward.ready_at(desk, window) for window in intents]
    if due is not None and not spec.suspend:
        following = Window(due.end, due.end.plus(spec.interval.ticks))
        times.append(due_at(following, spec.ingestion_delay))
    past = status.backfill
    if past is not None and request.is_active(past):
        following_one = next(remaining.outstanding(past, spec.interval), None)
        times += [due_at(following_one, spec.ingestion_delay)] if following_one else []
        times.append(outward.shown_at(desk, past))
    return min((time for time in times if time > desk.now), default=None)


def _say(rule: SummaryRule, held: Held, now: Instant) -> Plan:
    """Nothing runs; the rule's condition says why."""
    stored = rule.status or SummaryRuleStatus()
    wanted = conditions.Wanted(conditions.OWNER, False, held.reason, held.message)  # noqa: FBT003
    merged = conditions.merge(
        stored.conditions, [wanted], generation=rule.metadata.generation, now=now
    )
    said = stored.model_copy(update={"conditions": merged})
    note = Announce("Warning", held.reason, held.message)
    return Plan((held,), () if said == stored else (RecordStatus(said), note))
