"""``worker run``: the whole worker, wired. Called by ``__main__`` with parsed options.

Every process mirrors the rules and answers probes; it works on those whose shard it holds, which
is all of them for the one that holds the Lease of an only shard.
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

from kubernetes.aio.client.api_client import ApiClient

from summaryrule.planner.types import PlannerSettings
from worker.berths import Berths, share
from worker.board import Board
from worker.clock import SystemClock
from worker.execute import Executor
from worker.expression import evaluate
from worker.health import Health
from worker.kube.api import Api
from worker.kube.connection import connect
from worker.kube.events import KubeEvents
from worker.kube.leases import KubeLeases
from worker.kube.reflector import Reflector
from worker.kube.resource import SUMMARY_RULES
from worker.kube.rules import KubeRules
from worker.kube.store import Key
from worker.kusto.commands import KustoCommands
from worker.kusto.credentials import credential, require_trusted
from worker.kusto.endpoints import is_loopback, parse_endpoints
from worker.kusto.service import Service
from worker.ledger import Ledger
from worker.loop import work_until
from worker.metrics import Metrics
from worker.options import labels
from worker.page import pages
from worker.poller import Poller
from worker.ports import Clock
from worker.queue import Queue
from worker.reader import Reader
from worker.reconcile import Reconciler
from worker.shards import Hold, Shards
from worker.slices import Slice, Slices
from worker.tally import Tally

log = logging.getLogger(__name__)

_USER_AGENT: Final = "summaryrule-operator-worker"


async def run(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Work until SIGTERM or SIGINT, then give the Lease up and return.

    Raises:
        ValueError: options that cannot be used; the message says what to write.
        Refused: no API server, or no credential, is configured.
    """
    settings = PlannerSettings(
        endpoints=parse_endpoints(
            options.kusto_endpoint, allow_plain_http=options.allow_plain_http
        ),
        labels=labels(options.cluster_label, "--cluster-label"),
        adopt_unowned=options.adopt_unowned,
        mode=options.mode,
    )
    clock, metrics = SystemClock(), Metrics()
    async with (
        _connected(environ) as client,
        _kusto(options, environ, settings, clock, metrics) as kusto,
    ):
        api = Api(client, observe=metrics.api_request)
        await _Worker(options, settings, api, kusto, clock=clock, metrics=metrics).run()


class _Worker:
    """The parts that live as long as the process."""

    def __init__(
        self,
        options: argparse.Namespace,
        settings: PlannerSettings,
        api: Api,
        kusto: KustoCommands,
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._options, self._settings = options, settings
        self._api, self._kusto = api, kusto
        self._clock, self._metrics = clock, metrics
        self._reader = Reader()
        self._tally = Tally(metrics, self._reader)
        self._store = Slices(options.shards)
        self._reflector = Reflector(api, SUMMARY_RULES.collection(), self._store)
        self._identity = options.identity or f"{socket.gethostname()}_{uuid.uuid4()}"
        leases = KubeLeases(api, options.namespace)
        self._shards = Shards(leases, options.lease, options.shards, self._identity, clock)

    async def run(self) -> None:
        """Mirror, answer probes, and work whenever a Lease can be had."""
        metrics = self._metrics
        metrics.queue_depth(lambda: self._store.depth)
        metrics.rules(lambda: len(self._store))
        metrics.leader(lambda: self._shards.is_leader)
        for shard in range(len(self._shards)):
            metrics.shard(
                shard, partial(self._shards.leads, shard), partial(self._store.count, shard)
            )
        health = Health(
            self._options.host,
            self._options.port,
            live=lambda: None,
            ready=self._not_ready,
            metrics=metrics.exposition,
            pages=pages(self._board()),
        )
        async with health, _background(self._reflector.run()):
            log.info("serving probes and metrics on %s:%s", self._options.host, health.port)
            with _stopping() as stop:
                await _until(stop, self._campaign())

    def _board(self) -> Board:
        return Board(
            self._store,
            self._clock,
            self._identity,
            lambda: self._shards.is_leader,
            self._kusto.troubles,
        )

    def _not_ready(self) -> str | None:
        return None if self._reflector.synced.is_set() else "the rules are not listed yet"

    async def _campaign(self) -> None:
        # A worker that has seen no rules yet would hold shards and do nothing for them.
        await self._reflector.synced.wait()
        await self._shards.run(self._work)

    async def _work(self, hold: Hold) -> None:
        queue: Queue[Key] = Queue(self._clock)
        # What this process knew before it held the shard may be old news: every rule is looked at.
        with self._store.followed(hold.shard, queue) as mirror, self._counted(hold.shard):
            reconciler = self._reconciler(hold, mirror, queue)
            async with _background(reconciler.poller.run()):
                await work_until(
                    hold.leaving, queue, reconciler, self._metrics, self._options.workers
                )

    def _reconciler(self, hold: Hold, mirror: Slice, queue: Queue[Key]) -> Reconciler:
        rules, events = KubeRules(self._api), KubeEvents(self._api, self._clock)
        ledger = Ledger()
        return Reconciler(
            rules,
            mirror,
            ledger,
            Poller(self._kusto, ledger, self._clock, queue.add),
            Executor(rules, mirror, self._kusto, events, ledger, hold),
            self._clock,
            self._settings,
            evaluate,
            self._tally,
            self._reader,
            Berths(share(self._options.workers, self._settings.endpoints), queue.add),
        )

    @contextlib.contextmanager
    def _counted(self, shard: int) -> Iterator[None]:
        """Whoever holds the shard next counts its rules; two would both be believed."""
        try:
            yield
        finally:
            for key in self._store.keys(shard):
                self._tally.forget(key)


@contextlib.asynccontextmanager
async def _connected(environ: Mapping[str, str]) -> AsyncIterator[ApiClient]:
    client = await connect(environ, user_agent=_USER_AGENT)
    try:
        yield client
    finally:
        await client.close()  # type: ignore[no-untyped-call]


@contextlib.asynccontextmanager
async def _kusto(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    settings: PlannerSettings,
    clock: Clock,
    metrics: Metrics,
) -> AsyncIterator[KustoCommands]:
    """One service an endpoint, with a login unless it is this machine's."""
    urls = set(settings.endpoints.values())
    remote = [url for url in urls if not is_loopback(url)]
    login = credential(options.kusto_credential, environ) if remote else None
    for url in remote:
        require_trusted(url, environ)
    services = {
        url: Service(
            url,
            clock,
            credential=login if url in remote else None,
            observe=metrics.kusto_request,
        )
        for url in urls
    }
    commands = KustoCommands({name: services[url] for name, url in settings.endpoints.items()})
    try:
        yield commands
    finally:
        await commands.close()
        if login is not None:
            await login.close()


@contextlib.asynccontextmanager
async def _background(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """A task beside the block; its failure ends the block, and the block's end cancels it."""
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
    """Run it until ``stop``; then cancel it and wait, so that the Lease is given up."""
    working, stopping = asyncio.ensure_future(coroutine), asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    outcomes = await asyncio.gather(working, stopping, return_exceptions=True)
    failure = outcomes[0]
    if isinstance(failure, BaseException) and not isinstance(failure, asyncio.CancelledError):
        raise failure
    log.info("stopped")
