"""Runs the Pods of a namespace: one `Run` for each that is scheduled here.

Called by `node.py` on every change.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from devstack.kubelet.api import Api, Object
from devstack.kubelet.mirror import Mirror
from devstack.kubelet.rollout import is_going
from devstack.kubelet.run import Run, Surroundings

NODE = "devstack"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    run: Run
    task: asyncio.Task[None]
    ending: asyncio.Task[None] | None = field(default=None)


class Pods:
    """The Pods of one namespace, by uid."""

    def __init__(self, around: Surroundings, mirror: Mirror) -> None:
        self._around = around
        self._api: Api = around.api
        self._mirror = mirror
        self._kept: dict[str, _Kept] = {}
        self._count = 0

    def local_port(self, pod: Object, port: int) -> int | None:
        """Give the local port of a container port, None when the Pod does not run."""
        kept = self._kept.get(pod["metadata"]["uid"])
        return kept.run.ports.get(port) if kept else None

    async def step(self) -> None:
        """Schedule, start and end Pods as their objects ask for."""
        here = {pod["metadata"]["uid"] for pod in self._mirror}
        for pod in self._mirror:
            await self._mind(pod)
        for uid in self._kept.keys() - here:
            self._end(uid, None)

    async def stop(self) -> None:
        """Stop asking and writing; processes are the supervisor's to end."""
        tasks = [task for each in self._kept.values() for task in (each.task, each.ending) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def fault(self) -> str | None:
        """Say what keeps a Pod from running, if anything is known to."""
        return next((each.run.fault for each in self._kept.values() if each.run.fault), None)

    async def _mind(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if is_going(pod):
            await self._part(pod)
        elif not pod["spec"].get("nodeName"):
            await self._bind(pod)
        elif uid not in self._kept and not is_over(pod):
            self._count += 1
            run = Run(self._around, pod, self._count)
            task = asyncio.create_task(run.main())
            task.add_done_callback(tell)
            self._kept[uid] = _Kept(run, task)

    async def _bind(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
        await self._api.create(f"{self._mirror.path}/{name}/binding", {**binding, "target": target})

    async def _part(self, pod: Object) -> None:
        if pod["metadata"]["uid"] in self._kept:
            self._end(pod["metadata"]["uid"], pod)
        else:
            await self._forget(pod)

    def _end(self, uid: str, pod: Object | None) -> None:
        kept = self._kept[uid]
        if kept.ending is None:
            kept.ending = asyncio.create_task(self._finish(uid, pod))
            kept.ending.add_done_callback(tell)

    async def _finish(self, uid: str, pod: Object | None) -> None:
        """NB: a route is gone before SIGTERM is sent, because `step` runs Services first."""
        kept = self._kept[uid]
        kept.task.cancel()
        await asyncio.gather(kept.task, return_exceptions=True)
        await kept.run.end()
        if pod is not None:
            await self._forget(pod)
        self._kept.pop(uid, None)
        for other in self._kept.values():
            if other.ending is None:
                other.run.take_name()

    async def _forget(self, pod: Object) -> None:
        path = f"{self._mirror.path}/{pod['metadata']['name']}"
        await self._api.delete(path, uid=pod["metadata"]["uid"], grace=0)


def is_over(pod: Object) -> bool:
    """Whether the Pod has run to its end."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def tell(task: asyncio.Task[None]) -> None:
    """Write to the log why a task ended that should not have."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a task of the kubelet has ended", exc_info=error)
