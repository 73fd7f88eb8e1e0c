"""The supervisor's process: holds the state folder, starts a stack, keeps it, takes it down.

Started by `launch.py` as `python -m devstack.host <order>` in its own session. It tells its
launcher how the start goes as JSON lines on stdout, and reads its life from stdin:

1. stdin ends → the launcher is gone → the stack is taken down.
2. stdin says `detach` → the launcher left on purpose (`up`) → stdin means nothing from now on.
3. SIGTERM, SIGINT or SIGHUP → the stack is taken down.

After a failed start the logs stay, because the sentence that says what failed names them.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from devstack import controlplane, kusto, ports, workloads
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError, EndedEarlyError
from devstack.folder import MARK, Folder
from devstack.order import DETACH, PORTS, Order
from devstack.supervisor import Supervisor


class Host:
    """One stack from its start to its end; `reports` is where the launcher listens."""

    def __init__(self, order: Order, reports: TextIO) -> None:
        self._order = order
        self._folder = Folder(order.root)
        self._reports = reports
        self._phase = "starting"
        self._environment: dict[str, str] = {}
        self._over = asyncio.Event()
        self._keep: Collection[str] = ()
        self._workloads: workloads.Workloads | None = None
        self._supervisor = Supervisor(self._record)

    async def run(self) -> None:
        """Hold the folder until the stack is over."""
        with self._folder.claim():
            _redirect(self._folder.log("supervisor"))
            os.chdir(self._folder.root)
            await self._heed()
            try:
                await self._live()
            except EndedEarlyError:
                self._keep = {MARK, self._folder.lock.name, self._folder.logs.name}
                raise
            finally:
                await self._close()

    async def _close(self) -> None:
        self._phase = "stopping"
        self._record()
        if self._workloads is not None:
            await self._workloads.stop()
        await self._supervisor.stop_all()
        if self._keep:
            self._folder.empty(self._keep)
        else:
            self._folder.remove()

    async def _live(self) -> None:
        """Start and wait for the end; raises what the start raised."""
        start = asyncio.create_task(self._start())
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({start, over}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start
        await over

    async def _start(self) -> None:
        self._record()
        order, chosen = self._order, ports.choose(PORTS, self._order.ports)
        self.say("step", "etcd and kube-apiserver")
        plane = await controlplane.start(
            self._supervisor,
            self._folder,
            order.binaries,
            chosen,
            datetime.now(UTC),
            gates=order.gates,
        )
        self._environment["KUBECONFIG"] = str(plane.kubeconfig)
        self._link(plane)
        if kusto.NAME not in order.without:
            self.say("step", "the local Kusto endpoint")
            child = kusto.order(self._folder, chosen[kusto.NAME])
            self._environment |= {
                "KUSTO_ENDPOINT": child.address,
                "KUSTO_DATABASE": kusto.DATABASE,
            }
            await self._supervisor.spawn(child)
        if "chart" not in order.without:
            self.say("step", "the chart, the webhook and the worker")
            self._workloads = workloads.play(self._supervisor, plane, self._wanted())
            await self._workloads.start()
        self._phase = "ready"
        self._record()
        self.say("ready", str(self._folder.root))

    def _wanted(self) -> workloads.Wanted:
        return workloads.Wanted(
            kusto=self._environment.get("KUSTO_ENDPOINT", ""),
            database=kusto.DATABASE,
            without=self._order.without,
            python=self._order.python,
        )

    def _link(self, plane: ControlPlane) -> None:
        for name, target in (("kubectl", plane.kubectl), ("helm", plane.helm)):
            (self._folder.bin / name).symlink_to(target)
        for plugin in ("kubectl-summaryrule", "kubectl_complete-summaryrule"):
            (self._folder.bin / plugin).symlink_to(Path(sys.executable).with_name(plugin))
        self._environment["PATH"] = str(self._folder.bin)

    def _record(self) -> None:
        self._folder.write_record(
            {
                "pid": os.getpid(),
                "phase": self._phase,
                "environment": self._environment,
                "processes": [process.as_json() for process in self._supervisor.processes()],
            }
        )

    def say(self, kind: str, text: str) -> None:
        """Tell the launcher."""
        with contextlib.suppress(BrokenPipeError):  # its launcher is gone; stdin says so too
            print(json.dumps({kind: text}), file=self._reports, flush=True)

    async def _heed(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._over.set)
        await loop.connect_read_pipe(lambda: _Lifeline(self._over), sys.stdin)


class _Lifeline(asyncio.Protocol):
    """Sets `over` when stdin ends, unless it said `detach` before."""

    def __init__(self, over: asyncio.Event) -> None:
        self._over = over
        self._said = b""

    def data_received(self, data: bytes) -> None:
        self._said += data

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self._said != DETACH:
            self._over.set()


def _redirect(log: Path) -> None:
    """Send what this process writes to stderr (a traceback, a warning) to `log`."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())


def main() -> None:
    """Run the order that the first argument holds; what goes wrong is told on stdout."""
    order = Order.from_json(sys.argv[1])
    host = Host(order, sys.stdout)
    try:
        asyncio.run(host.run())
    except DevstackError as error:
        host.say("failed", str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
