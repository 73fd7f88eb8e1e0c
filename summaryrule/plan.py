"""The plan: everything the worker decides about one rule, as plain data.

``plan(rule, observed, now, settings)`` is pure. ``worker run`` executes its actions; ``worker
plan`` prints its windows: the same Plan (design, section 12). Each call decides the next steps
from what is stored, so that after a crash, a conflict or a lost answer the same call goes on.

The order in which it decides:

1. A rule that is not ours, or that cannot be read, is left alone and said so.
2. What was observed is written to status, together with the next intents: one write.
3. Recorded intents are submitted; nothing is submitted that is not recorded.
4. The cursor is shown in spec, and its ownership given up at once.
5. What has ended is cleared away: spec.backfill, act annotations, the finalizer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from summaryrule import acts, conditions, criteria, flight, kql, request, schedule, turn
from summaryrule.actions import (
    Action,
    AdvanceSpec,
    Announce,
    Cancel,
    DropActs,
    LookUpTag,
    RecordStatus,
    RemoveBackfill,
    SetFinalizer,
    Submit,
    YieldOwnership,
)
from summaryrule.instant import Instant
from summaryrule.observed import Observed, Outcome
from summaryrule.ownership import must_yield
from summaryrule.schema import schema
from summaryrule.settings import Settings
from summaryrule.v1 import (
    FINALIZER,
    OWNER,
    BackfillStatus,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
    dump,
)
from summaryrule.windows import Tiles, Window, due_at


@dataclass(frozen=True, slots=True)
class Held:
    """Why something of the rule does not run now."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Flying:
    """An operation to poll."""

    database: str
    operation_id: str
    submitted_at: Instant | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one rule now, and when to look again.

    Attributes:
        held: why something does not run; the rest goes on.
        actions: side effects in order; the worker plans again after them.
        in_flight: operations whose end the rule waits for.
        wake: the earliest time at which this plan would read differently by itself.
        due: interval windows that are due and not yet taken up, before this plan's intents.
        backfill: the backfill before this plan's intents, if it may run.
    """

    held: tuple[Held, ...] = ()
    actions: tuple[Action, ...] = ()
    in_flight: tuple[Flying, ...] = ()
    wake: Instant | None = None
    due: Tiles | None = None
    backfill: BackfillStatus | None = None


class MalformedError(ValueError):
    """The object cannot be read as a SummaryRule; the message says which field and why."""


def read(raw: Mapping[str, Any]) -> SummaryRule:
    """The rule in an object as the API server gives it.

    Raises:
        MalformedError: for an object that bypassed the CRD or stems from another version.
    """
    try:
        return SummaryRule.model_validate(raw)
    except ValidationError as error:
        found = [str(violation) for violation in schema(raw)]
        told = found or [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise MalformedError("; ".join(told)) from error


def plan(
    rule: SummaryRule,
    observed: Observed,
    now: Instant,
    settings: Settings,
    evaluate: criteria.Evaluate,
) -> Plan:
    """Decide what to do about ``rule``, given what was observed, at ``now``."""
    stranger = _not_ours(rule, settings)
    if stranger is not None:
        return Plan(held=(stranger,))
    if rule.metadata.deletion_timestamp is not None:
        return _leave(rule, observed, now, settings)
    try:
        before = _schedule_before(rule, settings)
    except conditions.ForeignStateError as error:
        return _say(rule, Held("Malformed", str(error)), now)
    return _decide(_Desk(rule, observed, now, settings, _hold(rule, settings, evaluate)), before)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every step of a plan looks at; ``hold`` is why nothing new may be submitted."""

    rule: SummaryRule
    observed: Observed
    now: Instant
    settings: Settings
    hold: Held | None

    @property
    def stored(self) -> SummaryRuleStatus:
        return self.rule.status or SummaryRuleStatus()


def _decide(desk: _Desk, before: ScheduleStatus | None) -> Plan:
    planned, due = _run_schedule(desk, before)
    moved = _run_backfill(desk)
    status = _status(desk, planned, moved)
    listing = Plan(
        held=_held(desk, planned, moved),
        in_flight=_flying(desk.rule, status),
        wake=_wake(desk, status, due),
        due=due if desk.hold is None else None,
        backfill=moved.settled,
    )
    return replace(listing, actions=tuple(_actions(desk, status, moved)))


def _actions(desk: _Desk, status: SummaryRuleStatus, moved: turn.Turn) -> Iterator[Action]:
    """The first of these that has anything to do; the worker plans again after it."""
    if _must_record(desk, status):
        if _flies(status) and FINALIZER not in desk.rule.metadata.finalizers:
            yield SetFinalizer(present=True)
        yield from moved.cancels
        yield RecordStatus(status)
        yield from moved.announcements
        return
    outward: list[Action] = [*moved.lookups, *_lookups(desk, status), *_submits(desk, status)]
    if outward:
        yield from outward
        return
    yield from _show(desk, status)
    yield from _clear(desk, status)


def _run_schedule(
    desk: _Desk, before: ScheduleStatus | None
) -> tuple[ScheduleStatus | None, Tiles | None]:
    if before is None:
        return desk.stored.schedule, None
    progress = schedule.settle(desk.rule, before, desk.observed, desk.now, desk.settings)
    due = schedule.due(desk.rule.spec, progress.status, desk.now, desk.settings)
    if desk.hold is not None:
        return progress.status, due
    return schedule.intend(desk.rule, progress.status, due, desk.settings), due


def _run_backfill(desk: _Desk) -> turn.Turn:
    wanted = desk.rule.spec.backfill
    if wanted is not None and wanted.start >= wanted.end:
        text = f"spec.backfill: start {wanted.start} must be before end {wanted.end}"
        held = (("Malformed", text),)
        return turn.Turn(desk.stored.backfill, desk.stored.backfill_history, held=held)
    seat = turn.Seat(
        desk.rule,
        desk.observed,
        desk.now,
        desk.settings,
        may_submit=desk.hold is None,
        history=desk.stored.backfill_history,
    )
    return turn.take(seat, desk.stored.backfill)


def _status(desk: _Desk, planned: ScheduleStatus | None, moved: turn.Turn) -> SummaryRuleStatus:
    status = desk.stored.model_copy(
        update={
            "observed_generation": desk.rule.metadata.generation,
            "schedule": planned,
            "backfill": moved.status,
            "backfill_history": moved.history,
        }
    )
    return _with_conditions(desk.rule, status, desk.hold, desk.now)


def _with_conditions(
    rule: SummaryRule, status: SummaryRuleStatus, hold: Held | None, now: Instant
) -> SummaryRuleStatus:
    held = None if hold is None else (hold.reason, hold.message)
    merged = conditions.merge(
        status.conditions,
        conditions.describe(status, held),
        generation=rule.metadata.generation,
        now=now,
    )
    return status.model_copy(update={"conditions": merged})


def _must_record(desk: _Desk, status: SummaryRuleStatus) -> bool:
    """Whether status changed; a new generation alone can wait for the next write of a window."""
    if _timeless(desk.stored) != _timeless(status):
        return True
    return desk.stored.observed_generation != status.observed_generation and not _flies(status)


def _timeless(status: SummaryRuleStatus) -> dict[str, Any]:
    """As it is stored, where empty and absent are the same, without the generations."""
    bare = tuple(c.model_copy(update={"observed_generation": None}) for c in status.conditions)
    return dump(status.model_copy(update={"observed_generation": None, "conditions": bare}))


def _flies(status: SummaryRuleStatus) -> bool:
    return status.backfill is not None and bool(status.backfill.in_flight)


def _submits(desk: _Desk, status: SummaryRuleStatus) -> Iterator[Submit]:
    """Recorded intents that may go now; the schedule's first, so that a backfill yields to it."""
    if desk.hold is not None:
        return
    runs, past = status.schedule, status.backfill
    if runs is not None and not desk.rule.spec.suspend and desk.settings.mode == "all":
        yield from _ready(desk, runs.in_flight)
    if past is None or past.phase == "Paused" or turn.spec_changed(desk.rule, past):
        return
    yield from _ready(desk, past.in_flight)


def _ready(desk: _Desk, windows: tuple[WindowStatus, ...]) -> Iterator[Submit]:
    spec = desk.rule.spec
    for window in windows:
        if flight.is_ready(window, desk.now, desk.settings):
            text = kql.command(spec, window.window, desk.settings.labels, token=window.token)
            yield Submit(window, spec.database, text)


def _lookups(desk: _Desk, status: SummaryRuleStatus) -> Iterator[LookUpTag]:
    """Operations that Kusto has no record of any more: the table's tags tell the rest."""
    spec = desk.rule.spec
    for window in _windows(status):
        if flight.awaits_tag(window, desk.observed, desk.now, desk.settings):
            yield LookUpTag(spec.database, spec.table, window.token)


def _show(desk: _Desk, status: SummaryRuleStatus) -> Iterator[Action]:
    wanted, running = desk.rule.spec.backfill, status.backfill
    if wanted is None or running is None or not request.is_active(running):
        return
    if running.done_until >= wanted.end or not request.continues(
        running, wanted.start, wanted.request_id
    ):
        return
    oldest = next((w.operation_id for w in running.in_flight if w.operation_id), None)
    if (wanted.start, wanted.operation_id) != (running.done_until, oldest):
        yield AdvanceSpec(running.done_until, oldest)
        yield YieldOwnership()


def _clear(desk: _Desk, status: SummaryRuleStatus) -> Iterator[Action]:
    metadata, past = desk.rule.metadata, status.backfill
    if past is not None and past.clearing and desk.rule.spec.backfill is not None:
        yield RemoveBackfill()
        return
    if acts.pending(desk.rule):
        yield DropActs(acts.pending(desk.rule))
    if FINALIZER in metadata.finalizers and not _flies(status):
        yield SetFinalizer(present=False)
    if desk.rule.spec.backfill is not None and must_yield(metadata.managed_fields):
        yield YieldOwnership()


def _not_ours(rule: SummaryRule, settings: Settings) -> Held | None:
    owner = rule.metadata.annotations.get(OWNER, "")
    if owner == settings.owner or (not owner and settings.adopt_unowned):
        return None
    whose = f"belongs to {owner!r}" if owner else "has no owner and unowned rules are not adopted"
    return Held("NotOurs", f"the rule {whose} (annotation {OWNER})")


def _hold(rule: SummaryRule, settings: Settings, evaluate: criteria.Evaluate) -> Held | None:
    verdict = criteria.judge(rule.spec, settings.labels, evaluate)
    if not verdict.proceed:
        reason = verdict.reason.replace("CriteriaNotMatched", "CriteriaNotMet")
        return Held(reason, verdict.message)
    database = rule.spec.database
    if database not in settings.endpoints:
        known = ", ".join(sorted(settings.endpoints)) or "none"
        return Held("NoEndpoint", f"no endpoint is configured for database {database!r} ({known})")
    return None


def _schedule_before(rule: SummaryRule, settings: Settings) -> ScheduleStatus | None:
    if settings.mode == "backfill":
        return None
    stored = rule.status.schedule if rule.status is not None else None
    return stored if stored is not None else conditions.adopt(rule)


def _held(desk: _Desk, planned: ScheduleStatus | None, moved: turn.Turn) -> tuple[Held, ...]:
    held = [] if desk.hold is None else [desk.hold]
    if desk.rule.spec.suspend:
        held.append(Held("Suspended", "spec.suspend is true: interval runs stop"))
    if planned is not None and len(planned.failed) >= desk.settings.failed_limit:
        text = f"{len(planned.failed)} interval windows failed; retry or skip them by annotation"
        held.append(Held("TooManyFailed", text))
    return (*held, *(Held(reason, message) for reason, message in moved.held))


def _windows(status: SummaryRuleStatus) -> tuple[WindowStatus, ...]:
    runs = status.schedule.in_flight if status.schedule is not None else ()
    past = status.backfill.in_flight if status.backfill is not None else ()
    return (*runs, *past)


def _flying(rule: SummaryRule, status: SummaryRuleStatus) -> tuple[Flying, ...]:
    return tuple(
        Flying(rule.spec.database, window.operation_id, window.submitted_at)
        for window in _windows(status)
        if window.operation_id is not None
    )


def _wake(desk: _Desk, status: SummaryRuleStatus, due: Tiles | None) -> Instant | None:
    spec, settings = desk.rule.spec, desk.settings
    times = [
        flight.ready_at(window, settings)
        for window in _windows(status)
        if window.operation_id is None
    ]
    if due is not None and not spec.suspend:
        following = Window(due.end, due.end.plus(spec.interval.ticks))
        times.append(due_at(following, spec.ingestion_delay))
    past = status.backfill
    if past is not None and request.is_active(past) and past.requested_end > desk.now:
        following = Window(past.done_until, past.done_until.plus(spec.interval.ticks))
        times.append(due_at(following, spec.ingestion_delay))
    later = [time for time in times if time > desk.now]
    return min(later, default=None)


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


def _leave(rule: SummaryRule, observed: Observed, now: Instant, settings: Settings) -> Plan:
    """A rule that is being deleted: cancel what flies, wait a bounded time, let it go."""
    if FINALIZER not in rule.metadata.finalizers:
        return Plan()
    flying = _flying(rule, rule.status or SummaryRuleStatus())
    running = [each for each in flying if _runs(each, observed)]
    since = rule.metadata.deletion_timestamp or now
    deadline = since.plus(settings.cancel_wait.ticks)
    if not running or now >= deadline:
        return Plan(actions=(SetFinalizer(present=False),))
    cancels = tuple(
        Cancel(each.database, each.operation_id)
        for each in running
        if each.operation_id not in observed.canceled
    )
    held = Held("Deleting", "operations are being cancelled")
    return Plan((held,), cancels, tuple(running), deadline)


def _runs(each: Flying, observed: Observed) -> bool:
    operation = observed.operations.get(each.operation_id)
    return operation is None or operation.outcome is Outcome.RUNNING
