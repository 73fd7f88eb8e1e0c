"""Runs the Pods of a namespace: one `PodRunner` per scheduled Pod."""

import asyncio
import logging
from dataclasses import dataclass, field

from devstack.kubelet.api import ApiClient, Object
from devstack.kubelet.informer import Informer
from devstack.kubelet.pod_runner import NodeContext, PodRunner
from devstack.kubelet.rollout import is_terminating

NODE = "devstack"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _PodEntry:
    runner: PodRunner
    task: asyncio.Task[None]
    termination: asyncio.Task[None] | None = field(default=None)


class PodController:
    """The Pods of one namespace, by uid."""

    def __init__(self, node: NodeContext, informer: Informer) -> None:
        self._node = node
        self._api: ApiClient = node.api
        self._informer = informer
        self._pods: dict[str, _PodEntry] = {}
        self._count = 0

    def local_port(self, pod: Object, port: int) -> int | None:
        """Return the local port of a container port, None when the Pod does not run."""
        entry = self._pods.get(pod["metadata"]["uid"])
        return entry.runner.ports.get(port) if entry else None

    async def reconcile(self) -> None:
        """Schedule, start and terminate Pods as their objects require."""
        stored = {pod["metadata"]["uid"] for pod in self._informer}
        for pod in self._informer:
            await self._reconcile_pod(pod)
        for uid in self._pods.keys() - stored:
            self._start_termination(uid, None)

    async def stop(self) -> None:
        """Stop probing and writing status; the supervisor stops the processes."""
        entries = self._pods.values()
        tasks = [task for each in entries for task in (each.task, each.termination) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start_error(self) -> str | None:
        """Return why a Pod cannot be started, None when no Pod has an error."""
        errors = (each.runner.start_error for each in self._pods.values())
        return next((error for error in errors if error), None)

    async def _reconcile_pod(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if is_terminating(pod):
            await self._terminate(pod)
        elif not pod["spec"].get("nodeName"):
            await self._bind(pod)
        elif uid not in self._pods and not is_finished(pod):
            self._count += 1
            runner = PodRunner(self._node, pod, self._count)
            task = asyncio.create_task(runner.run())
            task.add_done_callback(log_failure)
            self._pods[uid] = _PodEntry(runner, task)

    async def _bind(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
        await self._api.create(
            f"{self._informer.path}/{name}/binding", {**binding, "target": target}
        )

    async def _terminate(self, pod: Object) -> None:
        if pod["metadata"]["uid"] in self._pods:
            self._start_termination(pod["metadata"]["uid"], pod)
        else:
            await self._delete_object(pod)

    def _start_termination(self, uid: str, pod: Object | None) -> None:
        entry = self._pods[uid]
        if entry.termination is None:
            entry.termination = asyncio.create_task(self._finish_termination(uid, pod))
            entry.termination.add_done_callback(log_failure)

    async def _finish_termination(self, uid: str, pod: Object | None) -> None:
        entry = self._pods[uid]
        entry.task.cancel()
        await asyncio.gather(entry.task, return_exceptions=True)
        await entry.runner.terminate()
        if pod is not None:
            await self._delete_object(pod)
        self._pods.pop(uid, None)
        for other in self._pods.values():
            if other.termination is None:
                other.runner.claim_container_name()

    async def _delete_object(self, pod: Object) -> None:
        path = f"{self._informer.path}/{pod['metadata']['name']}"
        await self._api.delete(path, uid=pod["metadata"]["uid"], grace=0)


def is_finished(pod: Object) -> bool:
    """Whether the Pod has run to its end."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def log_failure(task: asyncio.Task[None]) -> None:
    """Log the error of a task that should not have ended."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a task of the kubelet has failed", exc_info=error)
