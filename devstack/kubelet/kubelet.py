"""Connects the informers, the controllers and the Pods of one namespace in one reconcile loop."""

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from devstack import chart
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError, EndedEarlyError
from devstack.kubelet.api import API_ERRORS, ApiClient
from devstack.kubelet.deployments import DeploymentController, collect_garbage
from devstack.kubelet.informer import Informer
from devstack.kubelet.jobs import JobController
from devstack.kubelet.pod_runner import NodeContext
from devstack.kubelet.pods import PodController, log_failure
from devstack.kubelet.services import ServiceController
from devstack.process_spec import ProcessStatus, log_tail
from devstack.supervisor import Supervisor

READY_TIMEOUT = 120.0
"""Seconds until the chart's Deployments must be available; an idle machine needs five."""

MAX_START_FAILURES = 5
"""Restarts of one process after which the first start counts as failed."""

POLL_INTERVAL = 0.02
RETRY_DELAY = 0.5
API_PATHS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}
OWNERS = ("deployments", "replicasets", "jobs", "services")
DEPENDENTS = ("replicasets", "pods", "endpointslices")

_log = logging.getLogger(__name__)


class Kubelet:
    """Runs what the chart installs in its namespace."""

    def __init__(
        self, supervisor: Supervisor, plane: ControlPlane, config: chart.ChartConfig
    ) -> None:
        self._supervisor = supervisor
        self._plane = plane
        self._config = config
        self._api = api = ApiClient(plane)
        self._changed = asyncio.Event()
        self._informers = informers = {
            plural: Informer(
                api, f"{group}/namespaces/{chart.NAMESPACE}/{plural}", self._changed.set
            )
            for plural, group in API_PATHS.items()
        }
        root = plane.kubeconfig.parent
        node = NodeContext(api, plane, supervisor, root, self._store_pod, config.python)
        self._pods = PodController(node, informers["pods"])
        self._deployments = DeploymentController(api, informers, config.without)
        self._jobs = JobController(api, informers)
        self._services = ServiceController(api, informers, self._pods, plane.egress.routes)
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Install the chart and return when the webhook and the worker are ready.

        Raises:
            DevstackError: helm refused, or a Pod was not ready in time.
        """
        await self._api.open()
        await self._api.create("/api/v1/namespaces", chart.namespace())
        self._start_task(self._run())
        for informer in self._informers.values():
            self._start_task(informer.run())
        await chart.install(self._supervisor, self._plane, self._config)
        await self._wait_until_ready()

    async def stop(self) -> None:
        """Stop watching; processes that run are left to the supervisor."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pods.stop()
        await self._api.close()

    async def _wait_until_ready(self) -> None:
        """Wait until the Deployments are available and the supervisor's children are healthy."""
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                while not (self._ready.is_set() and self._all_healthy()):
                    self._raise_if_failing()
                    await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError:
            raise EndedEarlyError(self._not_ready(f"after {READY_TIMEOUT:.0f} s")) from None

    def _all_healthy(self) -> bool:
        return all(process.healthy for process in self._supervisor.processes())

    def _raise_if_failing(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        if any(each.restarts >= MAX_START_FAILURES for each in self._supervisor.processes()):
            raise EndedEarlyError(
                self._not_ready(f"and one of them ended {MAX_START_FAILURES} times")
            )

    def _not_ready(self, when: str) -> str:
        """Return one sentence that says why the chart's Pods are not ready."""
        unhealthy = [each for each in self._supervisor.processes() if not each.healthy]
        reasons = ", ".join(map(_describe, unhealthy))
        cause = self._pods.start_error() or reasons or "no Pod was created"
        return f"the chart's Pods were not ready {when}: {cause}"

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not all(informer.has_synced for informer in self._informers.values()):
                continue
            try:
                await self._reconcile()
            except (DevstackError, *API_ERRORS) as error:
                _log.warning("%s; trying again", error)
                await asyncio.sleep(RETRY_DELAY)
                self._changed.set()

    async def _reconcile(self) -> None:
        """Reconcile Services first, so that a Pod loses its route before it gets SIGTERM."""
        await self._services.reconcile()
        await self._deployments.reconcile()
        await self._jobs.reconcile()
        await self._pods.reconcile()
        await collect_garbage(
            self._api,
            [self._informers[plural] for plural in OWNERS],
            [self._informers[plural] for plural in DEPENDENTS],
        )
        if self._deployments.are_available():
            self._ready.set()

    def _store_pod(self, pod: dict[str, Any]) -> None:
        self._informers["pods"].put(pod)
        self._changed.set()

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(log_failure)
        self._tasks.append(task)


def _describe(process: ProcessStatus) -> str:
    return f"{process.name} ({process.log} ends: {log_tail(Path(process.log))})"
