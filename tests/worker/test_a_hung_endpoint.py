"""An endpoint that hangs keeps its own rules waiting, and nobody else's, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

from runtime.cel import evaluate
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryEvents, MemoryRules, MemoryWatch
from tests.worker.simulation.kusto import MemoryKusto, World
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
from worker.errors import Ambiguous
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

ENDPOINTS = {"Down": "https://down", "Up": "https://up"}
AT_ONCE = 4


class HalfHung(MemoryKusto):
    """Submits to `Down` get no answer for half a minute, as the client's limit has it."""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        if database == "Down":
            await asyncio.sleep(30)
            raise Ambiguous("no answer in time")
        return await super().submit(database, command, before_send=before_send)


class Yes:
    """A Lease that holds."""

    def check(self) -> None:
        """It does."""


def rule(number: int, database: str) -> dict[str, Any]:
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {"namespace": "n", "name": f"{database.lower()}-{number:02}"},
        "spec": {"database": database, "table": f"T{number}", "body": "T", "interval": "1h"},
    }


async def windows_after(seconds: float, endpoints: dict[str, str]) -> int:
    """How many windows are in `Up` so long after twenty rules on `Down` came before its ten."""
    clock, cluster, metrics = VirtualClock(), Cluster(), Metrics()
    world = World(clock, databases=frozenset(endpoints))
    queue: WorkQueue[Key] = WorkQueue(clock)
    store, observations, reader = Store(queue.add), ObservationStore(), ModelCache()
    kusto, rules = HalfHung(world), MemoryRules(cluster)
    poller = OperationPoller(kusto, observations, clock, queue.add)
    settings = PlannerSettings(endpoints=endpoints)
    reconciler = Reconciler(
        rules,
        store,
        observations,
        poller,
        Executor(rules, store, kusto, MemoryEvents(), observations, Yes()),
        clock,
        settings,
        evaluate,
        StatusMetrics(metrics, reader),
        reader,
        EndpointLimiter(slots_per_endpoint(AT_ONCE, endpoints), queue.add),
    )
    for number in range(20):
        cluster.create(rule(number, "Down"))
    for number in range(10):
        cluster.create(rule(number, "Up"))
    MemoryWatch(cluster, store, lambda: 0.0)
    tasks = [
        asyncio.create_task(poller.run()),
        asyncio.create_task(run_workers(queue, reconciler, metrics, AT_ONCE)),
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    world.settle()
    return sum(append.database == "Up" for append in world.appended)


def test_rules_of_other_endpoints_go_on_while_one_hangs() -> None:
    assert run_virtually(windows_after(10, ENDPOINTS)) == 10
