"""The workers of a scenario: connected as in `worker.app`, but by connections with faults.

A worker that was killed or ended is followed by another with a new identity and no memory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from runtime.backoff import Backoff
from runtime.cel import evaluate
from runtime.errors import LeaseLost
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.invariants import InvariantChecker, WorkerView
from tests.worker.simulation.kube import MemoryLeases, MemoryWatch
from tests.worker.simulation.network import (
    ConnectedEvents,
    ConnectedKusto,
    ConnectedLeases,
    ConnectedQueries,
    ConnectedRules,
    Connection,
)
from tests.worker.simulation.processes import Process
from tests.worker.simulation.virtual import VirtualClock
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
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
"""Eight times the production values, because each renewal takes real time; same proportions."""

_CONCURRENCY = 2


@dataclass(frozen=True, slots=True)
class Environment:
    """What survives a worker: the servers, the settings and the invariants."""

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
    """The parts of the worker that a mutation may replace."""

    executor: Callable[
        [RuleClient, Store, KustoClient, EventRecorder, ObservationStore, Fence], Executor
    ] = Executor
    rules: Callable[[RuleClient], RuleClient] = lambda rules: rules
    kusto: Callable[[KustoClient], KustoClient] = lambda kusto: kusto
    transform: Callable[[RawRule], RawRule] = lambda rule: rule
    fence: Callable[[Fence], Fence] = lambda fence: fence


class CountingStatusMetrics(StatusMetrics):
    """Status metrics that also count the reconciles."""

    def __init__(self, metrics: Metrics, reader: ModelCache, invariants: InvariantChecker) -> None:
        super().__init__(metrics, reader)
        self._invariants = invariants

    def observe_rule(self, rule: RawRule, now: Any, *, runs_here: bool = True) -> None:
        self._invariants.counts["reconciles"] += 1
        super().observe_rule(rule, now, runs_here=runs_here)


class Worker:
    """One worker process; `crash` is the probability that a call kills it."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        parts: Parts,
        random: Random,
        *,
        crash: float,
        skew: float,
    ) -> None:
        self.name = name
        self.process = Process(random)
        self.connection = Connection(self.process, random, crash)
        self._environment, self._parts, self._random = environment, parts, random
        self._clock: Clock = VirtualClock(skew=skew)
        self._queue: WorkQueue[Key] | None = None
        self._store = _TransformingStore(self._enqueue, parts.transform)
        self._watch = MemoryWatch(environment.cluster, self._store, environment.lag)
        self._is_watching = True
        self._reader = ModelCache()
        self._status_metrics = CountingStatusMetrics(
            environment.metrics, self._reader, environment.invariants
        )
        self._view = WorkerView(name, self._store, self._clock, self._holds_lease)
        self._elector = LeaderElector(
            ConnectedLeases(environment.leases, self.connection),
            LEASE,
            name,
            self._clock,
            timing=TIMING,
            backoff=Backoff(TIMING.retry, TIMING.retry, random.random),
        )

    def start(self) -> None:
        self._environment.invariants.record(f"{self.name} starts")
        self.task = self.process.start(self._run_elector())

    async def terminate(self) -> None:
        """Terminate as after SIGTERM: cancel the work and release the Lease."""
        self.task.cancel()
        # NB: it may crash in the meantime. Then its task never ends.
        while not (self.task.done() or self.process.is_dead):
            await asyncio.wait({self.task}, timeout=1.0)
        await self.close()

    async def close(self) -> None:
        """Kill the process, stop its watch, and close its tasks and calls."""
        self.process.kill()
        if self._is_watching:
            self._is_watching = False
            self._watch.stop()
        await self.process.close()
        await self.connection.close()

    def _holds_lease(self) -> bool:
        return self._environment.leases.holder(LEASE) == self.name

    async def _run_elector(self) -> None:
        while True:
            try:
                await self._elector.run(self._work)
            except LeaseLost as error:
                self._environment.invariants.record(f"{self.name}: {error}")

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
        environment.invariants.record(f"{self.name} leads")
        environment.invariants.counts["leads"] += 1
        queue: WorkQueue[Key] = WorkQueue(
            self._clock, lambda: Backoff(1.0, 300.0, self._random.random)
        )
        rules = parts.rules(
            ConnectedRules(environment.rules, self.connection, environment.invariants, view)
        )
        kusto: KustoClient = ConnectedKusto(
            parts.kusto(environment.kusto), self.connection, environment.invariants, view
        )
        events = ConnectedEvents(environment.events, self.connection)
        poller = OperationPoller(kusto, observations, self._clock, queue.add)
        checker = QueryChecker(
            ConnectedQueries(environment.queries, self.connection),
            observations,
            self._clock,
            queue.add,
            limit=_CONCURRENCY,
            draw=self._random.random,
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
                slots_per_endpoint(_CONCURRENCY, environment.settings.endpoints), queue.add
            ),
        )
        self._queue = queue
        for rule in self._store:
            queue.add(key_of(rule))
        async with asyncio.TaskGroup() as tasks:
            polling = tasks.create_task(poller.run())
            checking = tasks.create_task(checker.run())
            try:
                await run_workers(queue, reconciler, environment.metrics, _CONCURRENCY)
            finally:
                self._queue = None
                polling.cancel()
                checking.cancel()


class _TransformingStore(Store):
    """A store that transforms each object before it keeps it (for a mutation)."""

    def __init__(
        self, changed: Callable[[Key], None], transform: Callable[[RawRule], RawRule]
    ) -> None:
        super().__init__(changed)
        self._transform = transform

    def put(self, item: RawRule) -> None:
        super().put(self._transform(item))
