"""Reconciles one rule: observe, decide, write the status and act, until nothing is left to do.

The reconciler is level-triggered. It decides from the stored rule and the observations, and never
from the watch event that caused the reconcile.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from runtime.errors import Ambiguous, Conflict, NotFound, Temporary
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.schema_validation import MalformedError
from summaryrule.api.unstructured import as_str, nested_dict
from summaryrule.planner.adoption import plan_ownership
from summaryrule.planner.effects import effects
from summaryrule.planner.plan import decide, plan_unreadable
from summaryrule.planner.preconditions import Evaluate
from summaryrule.planner.types import (
    Effect,
    KustoRequest,
    Observations,
    Plan,
    PlannerSettings,
    Submit,
)
from worker.endpoint_limiter import EndpointLimiter
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store, key_of, version_of
from worker.metrics import StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.ports import Clock, RawRule, RuleClient
from worker.query_checker import QueryChecker

log = logging.getLogger(__name__)

_NOT_HERE: Final = frozenset({BlockReason.CRITERIA_NOT_MET, BlockReason.OTHER_CLUSTER})
_MAX_PASSES: Final = 64
"""Maximum number of passes in one reconcile. Then the rule is requeued behind other rules."""


@dataclass(frozen=True, slots=True)
class Result:
    """When to requeue the rule.

    ``requeue_after`` is in seconds; None requeues the rule only when it changes.
    """

    requeue_after: float | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Reconciles rules with these clients, caches and settings."""

    rule_client: RuleClient
    store: Store
    observations: ObservationStore
    poller: OperationPoller
    query_checker: QueryChecker
    executor: Executor
    clock: Clock
    settings: PlannerSettings
    evaluate: Evaluate
    status_metrics: StatusMetrics
    models: ModelCache
    limiter: EndpointLimiter
    login_error: Callable[[str], str] = lambda _database: ""
    """Why a database's endpoint has no access token; empty if it has one, or if it is not known."""

    async def reconcile(self, key: Key) -> Result:
        """Run passes until nothing more can be done for the rule now.

        Raises:
            OperatorError: a side effect failed; the caller reconciles again after a delay.
        """
        for _ in range(_MAX_PASSES):
            rule = self.store.get(key)
            if rule is None:
                self._forget(key)
                return Result()
            result = await self._run_pass(key, rule)
            if result is not None:
                return result
        return Result(0.0)

    async def _run_pass(self, key: Key, rule: RawRule) -> Result | None:
        """Decide, store the decision and execute its effects; None if another pass is needed."""
        seen, now = self._observe(key, rule), Instant(self.clock.now())
        plan = self._decide(rule, seen, now)
        self.poller.track(key, plan.running_operations)
        self.query_checker.track(key, plan.query_check)
        self.status_metrics.observe_rule(rule, now, runs_here=_runs_schedule(plan))
        current = rule
        if plan.writes:
            with self.limiter.slot(self._endpoint(plan.writes), key) as has_slot:
                if not has_slot:
                    return Result()
                stored = await self._execute(key, rule, plan.writes, plan, seen)
            if stored is None:
                return None
            current, plan = stored, self._with_stored(key, stored, plan)
        following = effects(plan.context) if plan.context is not None else ()
        if not following:
            return None if plan.writes else Result(_seconds_until(plan.requeue_at, now))
        submits = any(isinstance(each, Submit) for each in following)
        if submits and not await self._is_stored(key, current, seen):
            return None
        with self.limiter.slot(self._endpoint(following), key) as has_slot:
            if not has_slot:
                return Result()
            await self._execute(key, current, following, plan, seen)
        return None

    def _observe(self, key: Key, rule: RawRule) -> Observations:
        seen = self.observations.observations(key)
        login_error = self.login_error(as_str(nested_dict(rule, "spec").get("database")))
        return replace(seen, endpoint_error=login_error) if login_error else seen

    def _decide(self, rule: RawRule, seen: Observations, now: Instant) -> Plan:
        not_ours = plan_ownership(rule, now, self.settings)
        if not_ours is not None:
            self._log_not_ours(key_of(rule), not_ours)
            return not_ours
        try:
            return decide(self.models.parse(rule), seen, now, self.settings, self.evaluate)
        except MalformedError as error:
            is_new = self.observations.is_new_message(key_of(rule), str(error))
            return plan_unreadable(rule, str(error), now, is_new=is_new)

    def _log_not_ours(self, key: Key, plan: Plan) -> None:
        """Log once why the rule does not run here: the worker may not write an Event for it."""
        for each in plan.blocked:
            if self.observations.is_new_message(key, each.message):
                log.info("%s: %s", each.reason, each.message)

    def _with_stored(self, key: Key, stored: RawRule, plan: Plan) -> Plan:
        """The plan with the stored rule; the effects are computed from it."""
        if plan.context is None:
            return plan
        context = replace(
            plan.context,
            rule=self.models.parse(stored),
            observed=self.observations.observations(key),
            now=Instant(self.clock.now()),
        )
        return replace(plan, context=context)

    def _endpoint(self, listed: tuple[Effect, ...]) -> str | None:
        """The Kusto endpoint that the effects call; None if they call none."""
        to_kusto = (each for each in listed if isinstance(each, KustoRequest))
        return next((self.settings.endpoints.get(each.database) for each in to_kusto), None)

    async def _execute(
        self, key: Key, rule: RawRule, listed: tuple[Effect, ...], plan: Plan, seen: Observations
    ) -> RawRule | None:
        """The stored rule after the effects; None if another client changed it.

        Raises:
            OperatorError: an effect failed. `Temporary` has the requeue time of the plan.
        """
        try:
            return await self._execute_or_reread(key, rule, listed, seen)
        except Temporary as error:
            error.requeue_after = _seconds_until(plan.requeue_at, Instant(self.clock.now()))
            raise

    async def _execute_or_reread(
        self, key: Key, rule: RawRule, listed: tuple[Effect, ...], seen: Observations
    ) -> RawRule | None:
        try:
            stored = await self.executor.execute(rule, listed, seen)
        except (Conflict, Ambiguous) as error:
            log.debug("the rule changed, reading it again: %s", error)
            self._take(key, rule, await self.rule_client.get(*key), seen)
            return None
        except NotFound:
            self.store.remove(rule)
            return None
        return self._take(key, rule, stored, seen)

    async def _is_stored(self, key: Key, rule: RawRule, seen: Observations) -> bool:
        """Whether the API server has this version of the rule; if not, update the cache.

        This worker asks once per rule, before its first submit, unless it has written the rule
        before. The watch of a new leader may lag behind the last writes of the previous leader.
        Without this check, the new leader would submit windows again that already have an
        operation.
        """
        if self.observations.is_read(key):
            return True
        fresh = await self.rule_client.get(*key)
        self._take(key, rule, fresh, seen)
        return version_of(fresh) == version_of(rule)

    def _take(
        self, key: Key, before: RawRule, stored: RawRule, seen: Observations
    ) -> RawRule | None:
        """Put the object into the cache; None if the cache already holds a newer one."""
        self.status_metrics.observe_write(before, stored, seen.operations)
        if stored is not before:
            self.observations.add_read(key)
        self.store.put(stored)
        current = self.store.get(key)
        is_current = current is not None and version_of(current) == version_of(stored)
        return current if is_current else None

    def _forget(self, key: Key) -> None:
        self.observations.forget(key)
        self.poller.track(key, ())
        self.query_checker.track(key, None)
        self.status_metrics.forget(key)


def _runs_schedule(plan: Plan) -> bool:
    """Whether the rule's schedule belongs to this cluster, even if a reason blocks it now."""
    held = {each.reason for each in plan.blocked}
    return plan.context is not None and not held & _NOT_HERE


def _seconds_until(at: Instant | None, now: Instant) -> float | None:
    return None if at is None else max(0.0, (at.ticks - now.ticks) / TICKS_PER_SECOND)
