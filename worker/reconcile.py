"""Brings one rule where its spec wants it: gather, plan, execute, and again until nothing is left.

Level-triggered: what is stored and what was observed decide, never which event woke it.
"""

import logging
from dataclasses import dataclass
from typing import Final

from summaryrule.admission.defaulting import read_status
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.v1 import FINALIZER
from summaryrule.planner.conditions import SCHEDULE_CONDITION, DesiredCondition, merge_conditions
from summaryrule.planner.criteria import Evaluate
from summaryrule.planner.plan import MalformedError, Plan, plan
from summaryrule.planner.types import (
    Cancel,
    CheckIngestTag,
    Effect,
    EmitEvent,
    Observations,
    PlannerSettings,
    RecordStatus,
    SetFinalizer,
    Submit,
)
from worker.berths import Berths
from worker.errors import Ambiguous, Conflict, NotFound, Temporary
from worker.execute import Executor
from worker.kube.store import Key, key_of
from worker.ledger import Ledger
from worker.mirror import Mirror
from worker.poller import Poller
from worker.ports import Clock, Rule, Rules
from worker.reader import Reader
from worker.tally import Tally

log = logging.getLogger(__name__)

_MOST_ROUNDS: Final = 64
"""Plans in one go; a rule with more to do takes its turn again, so that others have theirs."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What one look at a rule needs."""

    rules: Rules
    store: Mirror
    ledger: Ledger
    poller: Poller
    executor: Executor
    clock: Clock
    settings: PlannerSettings
    evaluate: Evaluate
    tally: Tally
    reader: Reader
    berths: Berths

    async def reconcile(self, key: Key) -> float | None:
        """Do all that can be done for the rule now.

        Returns:
            Seconds until it should be looked at again by itself; None: when something changes.

        Raises:
            WorkerError: an action failed; look again after a delay.
        """
        for _ in range(_MOST_ROUNDS):
            rule = self.store.get(key)
            if rule is None:
                self._forget(key)
                return None
            seen, now = self.ledger.observed(key), Instant(self.clock.now())
            planned = self._plan(rule, seen, now)
            self.poller.track(key, planned.running_operations)
            self.tally.looked(rule, now)
            if not planned.actions:
                return _seconds(planned.requeue_at, now)
            with self.berths.at(self._endpoint(planned.actions), key) as has_berth:
                if not has_berth:
                    return None
                await self._attempt(key, rule, planned, seen)
        return 0.0

    async def _attempt(self, key: Key, rule: Rule, planned: Plan, seen: Observations) -> None:
        """Carry the plan out; what comes of it, its time for a next look stands."""
        try:
            await self._carry_out(key, rule, planned.actions, seen)
        except Temporary as error:
            error.deadline = _seconds(planned.requeue_at, Instant(self.clock.now()))
            raise

    def _endpoint(self, actions: tuple[Effect, ...]) -> str | None:
        """Where the actions lead, if to Kusto."""
        to_kusto = (each for each in actions if isinstance(each, Submit | CheckIngestTag | Cancel))
        return next((self.settings.endpoints.get(each.database) for each in to_kusto), None)

    def _plan(self, rule: Rule, seen: Observations, now: Instant) -> Plan:
        try:
            return plan(self.reader.read(rule), seen, now, self.settings, self.evaluate)
        except MalformedError as error:
            why = str(error)
            is_news = self.ledger.is_news(key_of(rule), why)
            return Plan(actions=_complaint(rule, why, now, is_news=is_news))

    async def _carry_out(
        self, key: Key, rule: Rule, actions: tuple[Effect, ...], seen: Observations
    ) -> None:
        """Perform them and keep what was stored; a lost race is answered by reading again."""
        try:
            stored = await self.executor.perform(rule, actions, seen)
        except (Conflict, Ambiguous) as error:
            log.debug("reading the rule again: %s", error)
            stored = await self._read_again(key)
        except NotFound:
            self.store.remove(rule)
            return
        self.tally.wrote(rule, stored)
        self.store.put(stored)

    async def _read_again(self, key: Key) -> Rule:
        return await self.rules.get(*key)

    def _forget(self, key: Key) -> None:
        self.ledger.forget(key)
        self.poller.track(key, ())
        self.tally.forget(key)


def _complaint(rule: Rule, why: str, now: Instant, *, is_news: bool) -> tuple[Effect, ...]:
    """Say on the object that it cannot be read, once; nothing else of it is touched.

    The Event comes first: a field of the wrong type makes the API server (1.37) refuse every
    write of the object, that of a condition too. A status that cannot be read is not written over.
    But one that is being deleted is let go: nothing that can be read says what to wait for.
    """
    metadata = rule["metadata"]
    if "deletionTimestamp" in metadata:
        held = FINALIZER in metadata.get("finalizers", ())
        return (SetFinalizer(present=False),) if held else ()
    status = read_status(rule)
    said = any(c.type == SCHEDULE_CONDITION and c.message == why for c in status.conditions)
    if said:
        return ()
    event = (EmitEvent("Warning", "Malformed", why),) if is_news else ()
    if rule.get("status") and status == type(status)():
        return event
    wanted = DesiredCondition(SCHEDULE_CONDITION, False, "Malformed", why)  # noqa: FBT003
    generation = int(metadata.get("generation", 0))
    merged = merge_conditions(status.conditions, [wanted], generation=generation, now=now)
    return (*event, RecordStatus(status.model_copy(update={"conditions": merged})))


def _seconds(wake: Instant | None, now: Instant) -> float | None:
    return None if wake is None else max(0.0, (wake.ticks - now.ticks) / TICKS_PER_SECOND)
