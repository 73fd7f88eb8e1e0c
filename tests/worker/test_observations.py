"""When a rule's condition says that its endpoint does not answer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.cel import evaluate
from runtime.errors import Ambiguous, Misconfigured, OperatorError, Refused, Unreachable
from summaryrule.planner.types import PlannerSettings
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryEvents, MemoryRules, MemoryWatch
from tests.worker.simulation.kusto import KustoState, MemoryKusto
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter
from worker.executor import Executor
from worker.kube.store import Key, ModelCache, Store
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.ports import RawRule
from worker.query_checker import QueryChecker
from worker.reconciler import Reconciler
from worker.workqueue import WorkQueue

KEY = ("n", "r")
SPEC = {"database": "D", "table": "T", "body": "T", "interval": "1h"}
RULE = {
    "apiVersion": "adx-mon.azure.com/v1",
    "kind": "SummaryRule",
    "metadata": {"namespace": "n", "name": "r"},
    "spec": SPEC,
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
    error: OperatorError, seconds: float, calls: int
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

    stopped, has_no_tags, submits = False, False, 0

    async def submit(self, *args: Any, **more: Any) -> str:
        self.submits += 1
        await self._wait(Ambiguous("no answer in time"))
        return await super().submit(*args, **more)

    async def operations(self, *args: Any) -> Any:
        await self._wait(Unreachable("no answer in time"))
        return await super().operations(*args)

    async def find_tags(self, *args: Any) -> Any:
        if self.has_no_tags:
            raise Unreachable("502")
        return await super().find_tags(*args)

    async def _wait(self, error: OperatorError) -> None:
        if self.stopped:
            await asyncio.sleep(20)
            raise error


class Worker:
    """One term as leader over the rules that `store` shows."""

    def __init__(self, cluster: Cluster, kusto: MemoryKusto, login_error: str = "") -> None:
        clock, models, metrics = VirtualClock(), ModelCache(), Metrics()
        self.queue: WorkQueue[Key] = WorkQueue(clock)
        add = self.queue.add
        self.store, observations = Store(add), ObservationStore()
        rules = MemoryRules(cluster)
        self.poller = OperationPoller(kusto, observations, clock, add)
        executor = Executor(rules, self.store, kusto, MemoryEvents(), observations, HeldLease())
        self.metrics = metrics
        self.reconciler = Reconciler(
            rules,
            self.store,
            observations,
            self.poller,
            QueryChecker(kusto, observations, clock, add, limit=1),
            executor,
            clock,
            PlannerSettings(endpoints={"D": "https://d"}, checks_queries=False),
            evaluate,
            StatusMetrics(metrics, models),
            models,
            EndpointLimiter(4, add),
            lambda _database: login_error,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self.poller.run()),
            asyncio.create_task(run_workers(self.queue, self.reconciler, self.metrics, 4)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Refusing(MemoryKusto):
    """Refuses each window for good."""

    async def submit(self, *_args: Any, **_more: Any) -> str:
        raise Refused("SEM0100: no such column", "SEM0100")


def test_a_window_that_fails_is_logged_at_warning_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        cluster = Cluster()
        worker = Worker(cluster, Refusing(KustoState(VirtualClock(), databases=frozenset({"D"}))))
        MemoryWatch(cluster, worker.store, lambda: 0.0)
        cluster.create(RULE)
        async with worker.running():
            await asyncio.sleep(60)

    run_virtually(scenario())
    (warning,) = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert warning.startswith("WindowFailed: interval window [")
    assert warning.endswith(" failed: SEM0100: no such column")


def kusto_of_d() -> Stopping:
    return Stopping(KustoState(VirtualClock(), databases=frozenset({"D"})))


async def condition_of(when: str) -> tuple[str, str]:
    """The rule's condition 30 seconds after the endpoint stopped, by what waited for it then."""
    cluster, kusto = Cluster(), kusto_of_d()
    worker = Worker(cluster, kusto, "no token for https://d" if when == "no login" else "")
    kusto.stopped, kusto.has_no_tags = when == "a submit", when == "tags"
    # Only a backfill asks for tags; the range is before the start of virtual time.
    backfill = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-01T06:00:00Z"}
    extra = {"suspend": True, "backfill": backfill} if when == "tags" else {}
    cluster.create({**RULE, "spec": {**SPEC, **extra}})
    MemoryWatch(cluster, worker.store, lambda: 0.0)
    async with worker.running():
        if when == "a poll":
            await asyncio.sleep(0.01)
            kusto.stopped = True
        await asyncio.sleep(30)
    (found,) = [
        each
        for each in cluster.get(*KEY)["status"]["conditions"]
        if each["type"] == "summaryrule.adx-mon.azure.com"
    ]
    return found["reason"], found["message"]


async def submits_of_next_term(*, has_late_watch: bool) -> tuple[int, int]:
    """The submits of a leader, and of the next one, whose watch may lag behind the first's."""
    cluster, kusto = Cluster(), kusto_of_d()
    versions = list[RawRule]()
    cluster.watch(lambda _kind, item: versions.append(item))
    first = Worker(cluster, kusto)
    MemoryWatch(cluster, first.store, lambda: 0.0)
    cluster.create(RULE)
    async with first.running():
        await asyncio.sleep(0.01)
    before = kusto.submits
    recorded = [each for each in versions if "inFlight" in str(each.get("status"))]
    second = Worker(cluster, kusto)
    second.store.put(recorded[0] if has_late_watch else recorded[-1])
    await second.reconciler.reconcile(KEY)
    return before, kusto.submits - before


@pytest.mark.parametrize("has_late_watch", [True, False])
def test_a_new_leader_reads_a_rule_before_it_submits(*, has_late_watch: bool) -> None:
    assert run_virtually(submits_of_next_term(has_late_watch=has_late_watch)) == (1, 0)


class HeldLease:
    """A Lease that holds."""

    def check(self) -> None:
        """It does."""


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("a submit", r"no answer in time; window \[.*\) waits for it"),
        ("a poll", r"no answer in time; window \[.*\) waits for it"),
        ("tags", r"502(; window \[.*\) waits for it)?"),
        ("no login", r"no token for https://d.*"),
    ],
)
def test_the_condition_says_so_within_half_a_minute(when: str, message: str) -> None:
    reason, found = run_virtually(condition_of(when))
    assert reason == "EndpointUnavailable"
    assert re.fullmatch(message, found)
