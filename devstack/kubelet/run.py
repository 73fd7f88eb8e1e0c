"""One Pod's container as a local process, from its volumes to its status.

`pods.py` makes one for each Pod and runs `main` as a task. A Pod that is to be restarted becomes
a child of the supervisor, under its container's name where that is free; one that runs once
(`restartPolicy: Never`, hooks and tests) is run to its end.
"""

import asyncio
import itertools
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devstack.child import Child
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.kubelet import container as declared
from devstack.kubelet import podstatus
from devstack.kubelet.account import Account
from devstack.kubelet.api import UNREACHABLE, Api, Object
from devstack.kubelet.mounts import Volumes, has_token
from devstack.kubelet.probing import Probes
from devstack.ports import choose
from devstack.supervisor import Supervisor

BEAT = 0.1
REFRESH_BEATS = 20
RETRY = 0.5
LONGEST_ONCE = 600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every Pod needs of the node.

    `written` takes in the Pod that a status write gave; `python` is the containers' own.
    """

    api: Api
    plane: ControlPlane
    supervisor: Supervisor
    root: Path
    written: Callable[[Object], None]
    python: str


class Run:
    """The run of one Pod; `number` tells it from all others of this node.

    `ports` maps container ports to local ones. `fault` says what keeps it from starting.
    """

    def __init__(self, around: Surroundings, pod: Object, number: int) -> None:
        self._around = around
        self._pod = pod
        self._number = number
        self._container: Object = pod["spec"]["containers"][0]
        self._folder = around.root / "pods" / pod["metadata"]["uid"]
        self._volumes = Volumes(around.api, pod, self._folder / "volumes")
        self._account = Account(around.api, around.plane, pod, self._folder / "account")
        numbers = declared.ports(self._container)
        free = choose([str(port) for port in numbers], {})
        self.ports = {port: free[str(port)] for port in numbers}
        self.fault: str | None = None
        self._name = ""

    async def main(self) -> None:
        """Run the Pod until it is over or this task is cancelled."""
        child = await self._prepare()
        if self._pod["spec"]["restartPolicy"] == "Always":
            await self._keep(child)
        else:
            await self._once(child)

    def take_name(self) -> None:
        """Go by the name of the container if nobody does: an update leaves the new Pod that."""
        supervisor, name = self._around.supervisor, str(self._container["name"])
        if supervisor.process(self._name) is not None and supervisor.process(name) is None:
            supervisor.rename(self._name, name)
            self._name = name

    async def end(self) -> None:
        """End the process within its grace period and remove what was written for it."""
        if self._name and self._around.supervisor.process(self._name) is not None:
            await self._around.supervisor.stop(self._name)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _prepare(self) -> Child:
        """Try until all that the container asks for is here."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                await self._refresh()
                child = self._child()
            except (DevstackError, *UNREACHABLE) as error:
                self.fault = f"pod {self._pod['metadata']['name']}: {error}"
                await self._write(podstatus.waiting(self._pod, str(error)))
                await asyncio.sleep(RETRY)
            else:
                self.fault = None
                return child

    async def _refresh(self) -> None:
        if len(self._pod["spec"]["containers"]) > 1 or self._pod["spec"].get("initContainers"):
            raise DevstackError("the devstack runs Pods of one container; this one has more")
        await self._volumes.write()
        if has_token(self._pod):
            await self._account.write()

    async def _keep(self, child: Child) -> None:
        self._name = child.name
        probes = Probes(self._container, self.ports)
        shown: tuple[bool, int] | None = None
        await self._around.supervisor.start(_with_health(child, probes))
        for beat in itertools.count(1):
            now = await self._beat(probes)
            if now != shown and await self._write(podstatus.running(self._pod, self._number, *now)):
                shown = now
            if beat % REFRESH_BEATS == 0:
                await self._try_to_refresh()
            await asyncio.sleep(BEAT)

    async def _try_to_refresh(self) -> None:
        try:
            await self._refresh()
        except (DevstackError, *UNREACHABLE) as error:
            _log.warning("pod %s: %s", self._pod["metadata"]["name"], error)

    async def _beat(self, probes: Probes) -> tuple[bool, int]:
        process = self._around.supervisor.process(self._name)
        await probes.beat(process.pid if process else None)
        if probes.is_dead:
            await self._around.supervisor.restart(self._name)
        return probes.ready, process.restarts if process else 0

    async def _once(self, child: Child) -> None:
        await self._write(podstatus.running(self._pod, self._number, ready=True, restarts=0))
        finished = await self._around.supervisor.run(
            child.argv, env=child.env, deadline=LONGEST_ONCE
        )
        said = finished.output + finished.error
        child.log.write_text(said)
        await self._write(podstatus.over(self._pod, self._number, finished.code, said))

    def _child(self) -> Child:
        """Make the order for the supervisor.

        Raises:
            DevstackError: the container asks for what is not played here.
        """
        place = declared.Place(self._volumes.folders(self._container), self.ports)
        env = declared.variables(self._container, self._pod)
        base = declared.image_environment(self._around.python, str(self._folder))
        if has_token(self._pod):
            base["KUBECONFIG"] = str(self._account.kubeconfig)
        name = self._free_name()
        return Child(
            name=name,
            argv=declared.command(self._container, env, place),
            log=self._around.plane.audit.parent / f"{name}.log",
            env=declared.environment(env, place, base),
            address=declared.address(self._container, self.ports),
            cwd=self._folder,
            restart=True,
            grace=float(self._pod["spec"].get("terminationGracePeriodSeconds", 30)),
        )

    def _free_name(self) -> str:
        name = str(self._container["name"])
        taken = self._around.supervisor.process(name) is not None
        return f"{name}-{self._number}" if taken else name

    async def _write(self, status: Object) -> bool:
        """Write the status; say whether the server has taken it (a blip is tried again)."""
        metadata = self._pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        try:
            written = await self._around.api.patch(path, {"status": status})
        except UNREACHABLE as error:
            _log.warning("%s: %s", path, error)
            return False
        if written is not None:
            self._around.written(written)
        return True


def _with_health(child: Child, probes: Probes) -> Child:
    async def health() -> bool:
        return probes.ready

    return Child(**{name: getattr(child, name) for name in child.__slots__} | {"health": health})
