"""``worker run``: builds all parts of the worker and runs them together.

Every replica caches the rules and answers probes. The one that holds the Lease also reconciles.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Final

from runtime.cel import evaluate
from runtime.clock import SystemClock
from runtime.errors import LeaseLost
from runtime.kube.client import SUMMARY_RULES, KubeClient
from runtime.kube.config import connected
from runtime.options import read_ownership
from summaryrule.api.unstructured import nested_dict
from summaryrule.planner.types import PlannerSettings
from worker.cli import labels
from worker.controller import run_workers
from worker.endpoint_limiter import EndpointLimiter, slots_per_endpoint
from worker.endpoint_monitor import EndpointMonitor
from worker.executor import Executor
from worker.health_server import HealthServer
from worker.installation import Installation, parse_deployments
from worker.kube.events import KubeEventRecorder
from worker.kube.leases import LeaseClient
from worker.kube.reflector import Reflector
from worker.kube.store import Key, ModelCache, Store, key_of
from worker.kube.summaryrules import SummaryRuleClient
from worker.kusto.config import parse_endpoints
from worker.kusto.connect import connect_kusto
from worker.kusto.requests import KustoRequests
from worker.leader_election import LeaderElector, Leadership
from worker.metrics import Metrics, StatusMetrics
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller
from worker.ports import Clock
from worker.query_checker import QueryChecker
from worker.reconciler import Reconciler
from worker.status_page.pages import StatusPage, WorkerView, handlers, streams
from worker.status_page.rule_list import RuleList
from worker.workqueue import WorkQueue

log = logging.getLogger(__name__)

_USER_AGENT: Final = "summaryrule-operator-worker"


async def run(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT, then release the Lease and return.

    Raises:
        ValueError: options that cannot be used; the message says what to write.
        Refused: no API server, or no credential, is configured.
    """
    settings = PlannerSettings(
        endpoints=parse_endpoints(
            options.kusto_endpoint, allow_plain_http=options.allow_plain_http
        ),
        labels=labels(options.cluster_label, "--cluster-label"),
        ownership=read_ownership(options),
        checks_queries=options.query_checks > 0,
    )
    clock, metrics = SystemClock(), Metrics()
    async with (
        connected(environ, user_agent=_USER_AGENT) as client,
        connect_kusto(
            settings.endpoints, options.kusto_credential, environ, clock, metrics.kusto_request
        ) as kusto,
    ):
        api = KubeClient(client, observe=metrics.api_request)
        await WorkerApp(options, settings, api, kusto, clock=clock, metrics=metrics).run()


class WorkerApp:
    """The parts that live as long as the process."""

    def __init__(
        self,
        options: argparse.Namespace,
        settings: PlannerSettings,
        api: KubeClient,
        kusto: KustoRequests,
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._options, self._settings = options, settings
        self._api, self._kusto = api, kusto
        self._clock, self._metrics = clock, metrics
        self._models = ModelCache()
        self._status_metrics = StatusMetrics(metrics, self._models)
        self._queue: WorkQueue[Key] | None = None
        self._limiter: EndpointLimiter | None = None
        self._store = Store(self._enqueue)
        self._reflector = Reflector(api, SUMMARY_RULES.collection(), self._store)
        self._identity = options.identity or f"{socket.gethostname()}_{uuid.uuid4()}"
        leases = LeaseClient(api, options.namespace)
        self._elector = LeaderElector(leases, options.lease, self._identity, clock)
        deployments = parse_deployments(options.deployment)
        self._installation = Installation(api, options.namespace, deployments)

    async def run(self) -> None:
        """Cache the rules, answer probes, and reconcile while this replica holds the Lease."""
        metrics = self._metrics
        metrics.watch("queue_depth", lambda: 0 if self._queue is None else self._queue.depth)
        metrics.watch("rules", lambda: len(self._store))
        is_for_us = self._settings.ownership.is_for_us
        metrics.watch(
            "rules_of_other_owners", lambda: sum(not is_for_us(rule) for rule in self._store)
        )
        metrics.watch("leader", lambda: self._elector.is_leader)
        metrics.watch_endpoints(self._endpoints_up)
        page = self._status_page()
        health = HealthServer(
            self._options.host,
            self._options.port,
            live=lambda: None,
            ready=self._not_ready,
            metrics=metrics.exposition,
            pages=handlers(page),
            streams=streams(page),
            details=self._endpoint_lines,
        )
        monitor = EndpointMonitor(
            self._kusto.clients, self._requeue_rules_of, lambda: self._elector.is_leader
        )
        async with (
            health,
            _background(self._reflector.run()),
            _background(monitor.run()),
            _background(self._installation.run()),
        ):
            log.info("serving probes and metrics on %s:%s", self._options.host, health.port)
            with _stopping() as stop:
                await _until(stop, self._run_leader_election())

    def _status_page(self) -> StatusPage:
        worker = WorkerView(
            self._identity,
            lambda: self._elector.is_leader,
            self._kusto.health,
            self._rules_ahead,
            lambda: self._elector.lease,
            lambda: {} if self._limiter is None else self._limiter.usage(),
            self._installation.as_json,
        )
        rules = RuleList(self._store, self._settings.ownership)
        return StatusPage(rules, self._clock, self._settings, worker)

    def _rules_ahead(self) -> dict[Key, int]:
        """The rules that wait for a reconcile or a slot, each with the number of rules before it.

        A replica that does not lead has none.
        """
        if self._queue is None or self._limiter is None:
            return {}
        return {**self._limiter.places(), **self._queue.places()}

    def _endpoint_lines(self) -> list[str]:
        return [f"{url} {health}" for url, health in sorted(self._kusto.health().items())]

    def _endpoints_up(self) -> dict[str, bool]:
        """Whether each endpoint answers, by URL; a replica that does not lead asks none."""
        found = self._kusto.health().items() if self._elector.is_leader else ()
        return {url: each.state == "answering" for url, each in found if each.state != "unknown"}

    def _requeue_rules_of(self, url: str) -> None:
        """Reconcile the rules of an endpoint: their conditions say whether its login works."""
        databases = {name for name, each in self._settings.endpoints.items() if each == url}
        for rule in self._store:
            if nested_dict(rule, "spec").get("database") in databases:
                self._enqueue(key_of(rule))

    def _not_ready(self) -> str | None:
        return None if self._reflector.synced.is_set() else "the rules are not listed yet"

    async def _run_leader_election(self) -> None:
        # A leader without the list of rules would do nothing, and keep other replicas from leading.
        await self._reflector.synced.wait()
        while True:
            try:
                await self._elector.run(self._run_as_leader)
            except LeaseLost as error:
                log.warning("%s", error)

    async def _run_as_leader(self, leadership: Leadership) -> None:
        with self._queued() as queue:
            reconciler = self._reconciler(leadership, queue)
            checker = reconciler.query_checker
            async with _background(reconciler.poller.run()), _background(checker.run()):
                await run_workers(queue, reconciler, self._metrics, self._options.workers)

    @contextlib.contextmanager
    def _queued(self) -> Iterator[WorkQueue[Key]]:
        """A work queue with every rule, which also gets each change.

        At the end the metrics of the rules are removed: the next leader exports them, and
        Prometheus must not see those of two processes.
        """
        queue = self._queue = WorkQueue(self._clock)
        for rule in self._store:
            queue.add(key_of(rule), reason="leading")
        try:
            yield queue
        finally:
            self._queue = None
            for rule in self._store:
                self._status_metrics.forget(key_of(rule))

    def _enqueue(self, key: Key) -> None:
        if self._queue is not None:
            self._queue.add(key)

    def _reconciler(self, leadership: Leadership, queue: WorkQueue[Key]) -> Reconciler:
        rules, events = SummaryRuleClient(self._api), KubeEventRecorder(self._api, self._clock)
        observations = ObservationStore()
        limiter = self._limiter = EndpointLimiter(
            slots_per_endpoint(self._options.workers, self._settings.endpoints),
            partial(queue.add, reason="slot"),
        )
        return Reconciler(
            rules,
            self._store,
            observations,
            OperationPoller(
                self._kusto, observations, self._clock, partial(queue.add, reason="operation")
            ),
            QueryChecker(
                self._kusto,
                observations,
                self._clock,
                partial(queue.add, reason="query"),
                limit=self._options.query_checks,
            ),
            Executor(rules, self._store, self._kusto, events, observations, leadership),
            self._clock,
            self._settings,
            evaluate,
            self._status_metrics,
            self._models,
            limiter,
            self._kusto.login_error,
        )


@contextlib.asynccontextmanager
async def _background(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a task beside the block: its failure ends the block, the block's end cancels it."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(coroutine)
        try:
            yield
        finally:
            task.cancel()


@contextlib.contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _until(stop: asyncio.Event, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it until ``stop``; then cancel it and wait, so that the Lease is released."""
    working, stopping = asyncio.ensure_future(coroutine), asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    outcomes = await asyncio.gather(working, stopping, return_exceptions=True)
    failure = outcomes[0]
    if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
        raise failure
    log.info("stopped")
