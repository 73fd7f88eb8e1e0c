"""When a rule's condition says that its endpoint does not answer."""

import asyncio
import re
from typing import Any

import pytest

from runtime.cel import evaluate
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryEvents, MemoryRules, MemoryWatch
from tests.worker.simulation.kusto import MemoryKusto, World
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter
from worker.errors import Ambiguous, Misconfigured, Unreachable, WorkerError
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.query_checker import QueryChecker
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

KEY = ("n", "r")
RULE = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"namespace": "n", "name": "r"},
    "spec": {"database": "D", "table": "T", "body": "T", "interval": "1h"},
}


@pytest.mark.parametrize(
    ("error", "seconds", "calls"),
    [
        (Unreachable("refused"), 0.01, 3),
        (Ambiguous("no answer in time"), 20.0, 1),
        (Misconfigured("no token"), 0.01, 1),
    ],
)
def test_what_takes_long_or_needs_somebody_is_reported_at_once(
    error: WorkerError, seconds: float, calls: int
) -> None:
    store = ObservationStore()
    news = [store.add_no_reply(KEY, "submit", error, seconds) for _ in range(4)]
    assert news.index(True) == calls - 1
    assert news.count(True) == 1
    assert store.observations(KEY).endpoint_error == str(error)


def test_an_answered_poll_says_nothing_of_submits() -> None:
    store = ObservationStore()
    store.add_no_reply(KEY, "submit", Misconfigured("no right"), 0.0)
    assert not store.add_reply(KEY, "poll")
    assert store.observations(KEY).endpoint_error == "no right"
    assert store.add_reply(KEY, "submit")
    assert store.observations(KEY).endpoint_error == ""


class Stopping(MemoryKusto):
    """Answers until `stopped`; then each call waits 20 s in vain, as the client's limit has it."""

    stopped = False

    async def submit(self, *args: Any, **more: Any) -> str:
        await self._wait(Ambiguous("no answer in time"))
        return await super().submit(*args, **more)

    async def operations(self, *args: Any) -> Any:
        await self._wait(Unreachable("no answer in time"))
        return await super().operations(*args)

    async def _wait(self, error: WorkerError) -> None:
        if self.stopped:
            await asyncio.sleep(20)
            raise error


async def condition_of(when: str) -> tuple[str, str]:
    """The rule's condition 30 seconds after the endpoint stopped, by what waited for it then."""
    clock, cluster, metrics = VirtualClock(), Cluster(), Metrics()
    world = World(clock, databases=frozenset({"D"}))
    queue: WorkQueue[Key] = WorkQueue(clock)
    store, observations, models = Store(queue.add), ObservationStore(), ModelCache()
    kusto, rules = Stopping(world), MemoryRules(cluster)
    poller = OperationPoller(kusto, observations, clock, queue.add)
    login = "no token for https://d" if when == "no login" else ""
    reconciler = Reconciler(
        rules,
        store,
        observations,
        poller,
        QueryChecker(kusto, observations, clock, queue.add, limit=1),
        Executor(rules, store, kusto, MemoryEvents(), observations, HeldLease()),
        clock,
        PlannerSettings(endpoints={"D": "https://d"}, checks_queries=False),
        evaluate,
        StatusMetrics(metrics, models),
        models,
        EndpointLimiter(4, queue.add),
        lambda _database: login,
    )
    kusto.stopped = when == "a submit"
    cluster.create(RULE)
    MemoryWatch(cluster, store, lambda: 0.0)
    tasks = [
        asyncio.create_task(poller.run()),
        asyncio.create_task(run_workers(queue, reconciler, metrics, 4)),
    ]
    if when == "a poll":
        await asyncio.sleep(0.01)
        kusto.stopped = True
    await asyncio.sleep(30)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    (found,) = [
        each
        for each in cluster.get(*KEY)["status"]["conditions"]
        if each["type"] == "summaryrule.adx-mon.azure.com"
    ]
    return found["reason"], found["message"]


class HeldLease:
    """A Lease that holds."""

    def check(self) -> None:
        """It does."""


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("a submit", r"no answer in time; window \[.*\) waits for it"),
        ("a poll", r"no answer in time; window \[.*\) waits for it"),
        ("no login", r"no token for https://d.*"),
    ],
)
def test_the_condition_says_so_within_half_a_minute(when: str, message: str) -> None:
    reason, found = run_virtually(condition_of(when))
    assert reason == "EndpointUnavailable"
    assert re.fullmatch(message, found)
