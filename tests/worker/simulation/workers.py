"""The workers of a story: wired as `worker.app` wires them, on wires that can be cut.

A worker that was killed or ended is followed by another with a new identity and no memory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from runtime.backoff import Backoff
from runtime.cel import evaluate
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.invariants import InvariantChecker, WorkerView
from tests.worker.simulation.kube import MemoryLeases, MemoryWatch
from tests.worker.simulation.network import (
    Wire,
    WiredEvents,
    WiredKusto,
    WiredLeases,
    WiredQueries,
    WiredRules,
)
from tests.worker.simulation.processes import Process
from tests.worker.simulation.virtual import VirtualClock
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
from worker.errors import LeaseLost
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store, key_of
from worker.leader_election import LeaderElector, Leadership, Timing
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.ports import (
    Clock,
    EventRecorder,
    Fence,
    KustoClient,
    QueryClient,
    RawRule,
    RuleClient,
)
from worker.query_checker import QueryChecker
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

LEASE = "summaryrule-operator-worker"
TIMING = Timing(duration=120.0, renew_deadline=80.0, retry=20.0)
"""Eight times the real one, since every renewal costs a real moment; the proportions are its."""

_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Environment:
    """All that outlives a worker."""

    cluster: Cluster
    leases: MemoryLeases
    rules: RuleClient
    kusto: KustoClient
    queries: QueryClient
    settings: PlannerSettings
    invariants: InvariantChecker
    metrics: Metrics
    lag: Callable[[], float]
    events: EventRecorder


@dataclass(frozen=True, slots=True)
class Parts:
    """What a mutation may put in the place of the real parts."""

    executor: Callable[
        [RuleClient, Store, KustoClient, EventRecorder, ObservationStore, Fence], Executor
    ] = Executor
    rules: Callable[[RuleClient], RuleClient] = lambda rules: rules
    kusto: Callable[[KustoClient], KustoClient] = lambda kusto: kusto
    shown: Callable[[RawRule], RawRule] = lambda rule: rule
    fence: Callable[[Fence], Fence] = lambda fence: fence


class CountingStatusMetrics(StatusMetrics):
    """Counts looks as well."""

    def __init__(self, metrics: Metrics, reader: ModelCache, invariants: InvariantChecker) -> None:
        super().__init__(metrics, reader)
        self._invariants = invariants

    def observe_rule(self, rule: RawRule, now: Any, *, runs_here: bool = True) -> None:
        self._invariants.counts["looks"] += 1
        super().observe_rule(rule, now, runs_here=runs_here)


class Worker:
    """One process; `crash` is the chance that a call is its last."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        parts: Parts,
        dice: Random,
        *,
        crash: float,
        skew: float,
    ) -> None:
        self.name = name
        self.process = Process(dice)
        self.wire = Wire(self.process, dice, crash)
        self._environment, self._parts, self._dice = environment, parts, dice
        self._clock: Clock = VirtualClock(skew=skew)
        self._queue: WorkQueue[Key] | None = None
        self._store = _Shown(self._enqueue, parts.shown)
        self._watch = MemoryWatch(environment.cluster, self._store, environment.lag)
        self._is_told = True
        self._reader = ModelCache()
        self._status_metrics = CountingStatusMetrics(
            environment.metrics, self._reader, environment.invariants
        )
        self._view = WorkerView(name, self._store, self._clock, self._holds_lease)
        self._elector = LeaderElector(
            WiredLeases(environment.leases, self.wire),
            LEASE,
            name,
            self._clock,
            timing=TIMING,
            backoff=Backoff(TIMING.retry, TIMING.retry, dice.random),
        )

    def start(self) -> None:
        self._environment.invariants.tell(f"{self.name} starts")
        self.task = self.process.start(self._campaign())

    async def end(self) -> None:
        """SIGTERM: the work is cancelled and the Lease given up."""
        self.task.cancel()
        # NB: it may crash meanwhile, and then its task never ends.
        while not (self.task.done() or self.process.is_dead):
            await asyncio.wait({self.task}, timeout=1.0)
        await self.close()

    async def close(self) -> None:
        """It is dead, and nobody tells it anything any more."""
        self.process.kill()
        if self._is_told:
            self._is_told = False
            self._watch.stop()
        await self.process.bury()
        await self.wire.close()

    def _holds_lease(self) -> bool:
        return self._environment.leases.holder(LEASE) == self.name

    async def _campaign(self) -> None:
        while True:
            try:
                await self._elector.run(self._work)
            except LeaseLost as error:
                self._environment.invariants.tell(f"{self.name}: {error}")

    def _enqueue(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add(key)

    async def _work(self, leadership: Leadership) -> None:
        environment, parts, observations, view = (
            self._environment,
            self._parts,
            ObservationStore(),
            self._view,
        )
        environment.invariants.tell(f"{self.name} leads")
        environment.invariants.counts["leads"] += 1
        queue: WorkQueue[Key] = WorkQueue(
            self._clock, lambda: Backoff(1.0, 300.0, self._dice.random)
        )
        rules = parts.rules(WiredRules(environment.rules, self.wire, environment.invariants, view))
        kusto: KustoClient = WiredKusto(
            parts.kusto(environment.kusto), self.wire, environment.invariants, view
        )
        events = WiredEvents(environment.events, self.wire)
        poller = OperationPoller(kusto, observations, self._clock, queue.add)
        checker = QueryChecker(
            WiredQueries(environment.queries, self.wire),
            observations,
            self._clock,
            queue.add,
            limit=_AT_ONCE,
            draw=self._dice.random,
        )
        fence = parts.fence(leadership)
        executor = parts.executor(rules, self._store, kusto, events, observations, fence)
        reconciler = Reconciler(
            rules,
            self._store,
            observations,
            poller,
            checker,
            executor,
            self._clock,
            environment.settings,
            evaluate,
            self._status_metrics,
            self._reader,
            EndpointLimiter(
                slots_per_endpoint(_AT_ONCE, environment.settings.endpoints), queue.add
            ),
        )
        self._queue = queue
        for rule in self._store:
            queue.add(key_of(rule))
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(poller.run())
            checking = tasks.create_task(checker.run())
            try:
                await run_workers(queue, reconciler, environment.metrics, _AT_ONCE)
            finally:
                self._queue = None
                polling.cancel()
                checking.cancel()


class _Shown(Store):
    """A store that shows its objects through a mutation's eyes."""

    def __init__(self, changed: Callable[[Key], None], shown: Callable[[RawRule], RawRule]) -> None:
        super().__init__(changed)
        self._shown = shown

    def put(self, item: RawRule) -> None:
        super().put(self._shown(item))
