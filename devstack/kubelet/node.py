"""The loop that ties the package together: mirrors on one side, moves on the other.

`host.py` makes a `Kubelet` once control plane and Kusto endpoint are healthy, starts it, and
stops it before the supervisor stops the processes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from devstack import chart
from devstack.child import last_words
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError, EndedEarlyError
from devstack.kubelet.api import UNREACHABLE, Api
from devstack.kubelet.deployments import Deployments, collect
from devstack.kubelet.jobs import Jobs
from devstack.kubelet.mirror import Mirror
from devstack.kubelet.pods import Pods, tell
from devstack.kubelet.run import Surroundings
from devstack.kubelet.services import Services
from devstack.supervisor import Supervisor
from devstack.workloads import Wanted

PATIENCE = 120.0
"""Seconds until the chart's Deployments must be available; a quiet machine needs five."""

HOPELESS = 5
"""Ends of one process before the first start counts as failed."""

BEAT = 0.02
RETRY = 0.5
PATHS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}

_log = logging.getLogger(__name__)


class Kubelet:
    """Runs what the chart installs in its namespace of one control plane."""

    def __init__(self, supervisor: Supervisor, plane: ControlPlane, wanted: Wanted) -> None:
        self._supervisor = supervisor
        self._plane = plane
        self._wanted = wanted
        self._api = api = Api(plane)
        self._news = asyncio.Event()
        self._mirrors = mirrors = {
            plural: Mirror(api, f"{group}/namespaces/{chart.NAMESPACE}/{plural}", self._news.set)
            for plural, group in PATHS.items()
        }
        root = plane.kubeconfig.parent
        around = Surroundings(api, plane, supervisor, root, self._take_pod, wanted.python)
        self._pods = Pods(around, mirrors["pods"])
        self._deployments = Deployments(api, mirrors, wanted.without)
        self._jobs = Jobs(api, mirrors)
        self._services = Services(api, mirrors, self._pods, plane.egress.routes)
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Install the chart and return once all that is to run is ready.

        Raises:
            DevstackError: helm refused, or a Pod was not ready in time.
        """
        await self._api.open()
        await self._api.create("/api/v1/namespaces", chart.namespace())
        self._go(self._loop())
        for mirror in self._mirrors.values():
            self._go(mirror.run())
        await chart.install(self._supervisor, self._plane, self._wanted)
        await self._until_ready()

    async def stop(self) -> None:
        """Stop watching; the supervisor stops the children."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pods.stop()
        await self._api.close()

    async def _until_ready(self) -> None:
        """Wait for the Deployments, and until the supervisor has seen the same."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (self._ready.is_set() and self._all_healthy()):
                    self._give_up_if_hopeless()
                    await asyncio.sleep(BEAT)
        except TimeoutError:
            raise EndedEarlyError(self._why(f"after {PATIENCE:.0f} s")) from None

    def _all_healthy(self) -> bool:
        return all(process.healthy for process in self._supervisor.processes())

    def _give_up_if_hopeless(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()
        if any(each.restarts >= HOPELESS for each in self._supervisor.processes()):
            raise EndedEarlyError(self._why(f"and one of them ended {HOPELESS} times"))

    def _why(self, when: str) -> str:
        """Say in one sentence what the chart's Deployments wait for."""
        sick = [each for each in self._supervisor.processes() if not each.healthy]
        told = [f"{each.name} ({each.log} ends: {_words(each.log)})" for each in sick]
        cause = self._pods.fault() or ", ".join(told) or "no Pod came to be"
        return f"the chart's Pods were not ready {when}: {cause}"

    async def _loop(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not all(mirror.is_complete for mirror in self._mirrors.values()):
                continue
            try:
                await self._step()
            except (DevstackError, *UNREACHABLE) as error:
                _log.warning("%s; trying again", error)
                await asyncio.sleep(RETRY)
                self._news.set()

    async def _step(self) -> None:
        """Services first: a Pod that goes has lost its route before it is told."""
        mirrors = self._mirrors
        await self._services.step()
        await self._deployments.step()
        await self._jobs.step()
        await self._pods.step()
        owners = [mirrors[plural] for plural in ("deployments", "replicasets", "jobs", "services")]
        await collect(
            self._api,
            owners,
            [mirrors[plural] for plural in ("replicasets", "pods", "endpointslices")],
        )
        if self._deployments.are_available():
            self._ready.set()

    def _take_pod(self, pod: dict[str, Any]) -> None:
        self._mirrors["pods"].put(pod)
        self._news.set()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(tell)
        self._tasks.append(task)


def _words(log: str) -> str:
    with contextlib.suppress(OSError):
        return last_words(Path(log))
    return ""
