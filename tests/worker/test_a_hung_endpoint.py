"""An endpoint that hangs keeps its own rules waiting, and nobody else's, in virtual time."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from runtime.cel import evaluate
from runtime.errors import Ambiguous
from summaryrule.planner.types import Column, PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryEvents, MemoryRules, MemoryWatch
from tests.worker.simulation.kusto import KustoState, MemoryKusto
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.query_checker import QueryChecker
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


class SlowQuestions(MemoryKusto):
    """Questions about queries take ten seconds; counts how many are open at once."""

    most_at_once = 0
    _open = 0

    async def query_columns(self, database: str, query: str) -> tuple[Column, ...] | None:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        await asyncio.sleep(10)
        self._open -= 1
        return await super().query_columns(database, query)


async def run_rules(
    seconds: float,
    rules: Iterable[dict[str, Any]],
    world: KustoState,
    kusto: MemoryKusto,
    checks: int,
) -> None:
    """Run a worker so long on these rules, which come at once; `checks` is its limit of queries."""
    clock, cluster, metrics = VirtualClock(), Cluster(), Metrics()
    endpoints = {name: ENDPOINTS[name] for name in world.databases}
    queue: WorkQueue[Key] = WorkQueue(clock)
    store, observations, reader = Store(queue.add), ObservationStore(), ModelCache()
    client = MemoryRules(cluster)
    poller = OperationPoller(kusto, observations, clock, queue.add)
    checker = QueryChecker(kusto, observations, clock, queue.add, limit=checks)
    reconciler = Reconciler(
        client,
        store,
        observations,
        poller,
        checker,
        Executor(client, store, kusto, MemoryEvents(), observations, Yes()),
        clock,
        PlannerSettings(endpoints=endpoints, checks_queries=checks > 0),
        evaluate,
        StatusMetrics(metrics, reader),
        reader,
        EndpointLimiter(slots_per_endpoint(AT_ONCE, endpoints), queue.add),
    )
    for each in rules:
        cluster.create(each)
    MemoryWatch(cluster, store, lambda: 0.0)
    tasks = [
        asyncio.create_task(poller.run()),
        asyncio.create_task(checker.run()),
        asyncio.create_task(run_workers(queue, reconciler, metrics, AT_ONCE)),
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    world.settle()


async def windows_after(seconds: float) -> int:
    """How many windows are in `Up` so long after twenty rules on `Down` came before its ten."""
    world = KustoState(VirtualClock(), databases=frozenset(ENDPOINTS))
    rules = [rule(number, "Down") for number in range(20)]
    rules += [rule(number, "Up") for number in range(10)]
    await run_rules(seconds, rules, world, HalfHung(world), 2)
    return sum(append.database == "Up" for append in world.appended)


async def submits_of_many_rules(checks: int) -> tuple[list[tuple[int, str]], int]:
    """When 1,000 rules that come at once submit what, and how many questions were open at once."""
    world = KustoState(VirtualClock(), databases=frozenset({"Up"}))
    kusto = SlowQuestions(world)
    await run_rules(60, [rule(number, "Up") for number in range(1000)], world, kusto, checks)
    return world.submitted, kusto.most_at_once


def test_rules_of_other_endpoints_go_on_while_one_hangs() -> None:
    assert run_virtually(windows_after(10)) == 10


def test_questions_about_1000_queries_delay_no_window() -> None:
    asked, at_once = run_virtually(submits_of_many_rules(4))
    alone, none = run_virtually(submits_of_many_rules(0))
    assert len(alone) == 1000
    assert asked == alone
    assert (at_once, none) == (4, 0)
