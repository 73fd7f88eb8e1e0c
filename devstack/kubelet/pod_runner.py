"""Runs the container of one Pod as a local process, from its volumes to its status.

With `restartPolicy: Always` the process is a child of the supervisor, named after its container
where that name is free. A Pod of a hook or a test (`restartPolicy: Never`) is run to its end once.
"""

import asyncio
import itertools
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.kubelet import container as declared
from devstack.kubelet import pod_status
from devstack.kubelet.api import API_ERRORS, ApiClient, Object
from devstack.kubelet.mounts import Volumes, has_token, with_secret_values
from devstack.kubelet.probing import ContainerProbes
from devstack.kubelet.service_account import ServiceAccountKubeconfig
from devstack.ports import choose
from devstack.process_spec import ProcessSpec
from devstack.supervisor import Supervisor

TICK_INTERVAL = 0.1
REFRESH_TICKS = 20
RETRY_DELAY = 0.5
COMPLETION_TIMEOUT = 600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What every Pod needs of the node.

    `on_pod_written` gets the Pod that the server returned for a status write; `python` runs the
    containers.
    """

    api: ApiClient
    plane: ControlPlane
    supervisor: Supervisor
    root: Path
    on_pod_written: Callable[[Object], None]
    python: str


class PodRunner:
    """Runs one Pod; `number` is unique on this node.

    `ports` maps container ports to local ones. `start_error` says why it cannot be started.
    """

    def __init__(self, node: NodeContext, pod: Object, number: int) -> None:
        self._node = node
        self._pod = pod
        self._number = number
        self._container: Object = pod["spec"]["containers"][0]
        self._directory = node.root / "pods" / pod["metadata"]["uid"]
        self._volumes = Volumes(node.api, pod, self._directory / "volumes")
        account = self._directory / "account"
        self._account = ServiceAccountKubeconfig(node.api, node.plane, pod, account)
        numbers = declared.ports(self._container)
        free = choose([str(port) for port in numbers], {})
        self.ports = {port: free[str(port)] for port in numbers}
        self.start_error: str | None = None
        self._name = ""

    async def run(self) -> None:
        """Run the Pod until it has finished or this task is cancelled."""
        spec = await self._prepare()
        if self._pod["spec"]["restartPolicy"] == "Always":
            await self._run_forever(spec)
        else:
            await self._run_once(spec)

    def claim_container_name(self) -> None:
        """Rename the process to its container's name if that is free, as after an update."""
        supervisor, name = self._node.supervisor, str(self._container["name"])
        if supervisor.process(self._name) is not None and supervisor.process(name) is None:
            supervisor.rename(self._name, name)
            self._name = name

    async def terminate(self) -> None:
        """Stop the process within its grace period and remove the Pod's files."""
        if self._name and self._node.supervisor.process(self._name) is not None:
            await self._node.supervisor.stop(self._name)
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _prepare(self) -> ProcessSpec:
        """Retry until everything that the container needs is there."""
        self._directory.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                await self._refresh()
                spec = self._process_spec(await self._with_secret_values())
            except (DevstackError, *API_ERRORS) as error:
                self.start_error = f"pod {self._pod['metadata']['name']}: {error}"
                await self._write_status(pod_status.waiting(self._pod, str(error)))
                await asyncio.sleep(RETRY_DELAY)
            else:
                self.start_error = None
                return spec

    async def _refresh(self) -> None:
        if len(self._pod["spec"]["containers"]) > 1 or self._pod["spec"].get("initContainers"):
            raise DevstackError("the devstack runs Pods of one container; this one has more")
        await self._volumes.write()
        if has_token(self._pod):
            await self._account.refresh()

    async def _run_forever(self, spec: ProcessSpec) -> None:
        self._name = spec.name
        probes = ContainerProbes(self._container, self.ports)
        written: tuple[bool, int] | None = None

        async def health() -> bool:
            return probes.ready

        await self._node.supervisor.start(replace(spec, health=health))
        for tick in itertools.count(1):
            now = await self._tick(probes)
            if now != written:
                status = pod_status.running(self._pod, self._number, *now)
                written = now if await self._write_status(status) else written
            if tick % REFRESH_TICKS == 0:
                await self._try_to_refresh()
            await asyncio.sleep(TICK_INTERVAL)

    async def _try_to_refresh(self) -> None:
        try:
            await self._refresh()
        except (DevstackError, *API_ERRORS) as error:
            _log.warning("pod %s: %s", self._pod["metadata"]["name"], error)

    async def _tick(self, probes: ContainerProbes) -> tuple[bool, int]:
        process = self._node.supervisor.process(self._name)
        await probes.tick(process.pid if process else None)
        if probes.needs_restart:
            await self._node.supervisor.restart(self._name)
        return probes.ready, process.restarts if process else 0

    async def _run_once(self, spec: ProcessSpec) -> None:
        await self._write_status(
            pod_status.running(self._pod, self._number, ready=True, restarts=0)
        )
        done = await self._node.supervisor.run(spec.argv, env=spec.env, seconds=COMPLETION_TIMEOUT)
        output = done.output + done.error
        spec.log.write_text(output)
        await self._write_status(pod_status.terminated(self._pod, self._number, done.code, output))

    async def _with_secret_values(self) -> Object:
        namespace = self._pod["metadata"]["namespace"]
        return await with_secret_values(self._node.api, self._container, namespace)

    def _process_spec(self, container: Object) -> ProcessSpec:
        """Return the specification of the container's process.

        Raises:
            DevstackError: the container needs something that is not supported here.
        """
        mapping = declared.LocalMapping(self._volumes.directories(self._container), self.ports)
        env = declared.env_variables(container, self._pod)
        base = declared.image_environment(self._node.python, str(self._directory))
        if has_token(self._pod):
            base["KUBECONFIG"] = str(self._account.kubeconfig)
        name = self._free_name()
        return ProcessSpec(
            name=name,
            argv=declared.command(self._container, env, mapping),
            log=self._node.plane.audit.parent / f"{name}.log",
            env=declared.environment(env, mapping, base),
            address=declared.address(self._container, self.ports),
            cwd=self._directory,
            restart=True,
            grace=float(self._pod["spec"].get("terminationGracePeriodSeconds", 30)),
        )

    def _free_name(self) -> str:
        name = str(self._container["name"])
        taken = self._node.supervisor.process(name) is not None
        return f"{name}-{self._number}" if taken else name

    async def _write_status(self, status: Object) -> bool:
        """Write the status; return False when the write failed and should be repeated."""
        metadata = self._pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        try:
            pod = await self._node.api.patch(path, {"status": status})
        except API_ERRORS as error:
            _log.warning("%s: %s", path, error)
            return False
        if pod is not None:
            self._node.on_pod_written(pod)
        return True
