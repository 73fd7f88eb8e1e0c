"""The supervisor process: locks the state directory, starts a stack, keeps it running, stops it.

It runs as `python -m devstack.supervisor_main CONFIG` in a session of its own. It reports the
progress of the start as JSON lines on stdout. When it stops the stack:

1. stdin ends: the process that started it is gone.
2. SIGTERM, SIGINT or SIGHUP.

After `DETACH_MESSAGE` on stdin, the end of stdin means nothing. After a failed start the logs are
kept, because the error message names them.
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

from devstack import controlplane, kusto, ports
from devstack.chart import ChartConfig
from devstack.config import CONFIGURABLE_PORTS, StackConfig
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError, EndedEarlyError
from devstack.kubelet import Kubelet
from devstack.lifecycle import DETACH_MESSAGE
from devstack.state_dir import MARKER, StateDir
from devstack.supervisor import Supervisor


class SupervisorProcess:
    """One stack from its start to its end; progress is written to `reports`."""

    def __init__(self, config: StackConfig, reports: TextIO) -> None:
        self._config = config
        self._state_dir = StateDir(config.root)
        self._reports = reports
        self._phase = "starting"
        self._environment: dict[str, str] = {}
        self._stop_requested = asyncio.Event()
        self._keep_files: Collection[str] = ()
        self._kubelet: Kubelet | None = None
        self._supervisor = Supervisor(self._write_record)

    async def run(self) -> None:
        """Hold the state directory until the stack is stopped."""
        with self._state_dir.lock():
            _redirect_stderr(self._state_dir.log("supervisor"))
            os.chdir(self._state_dir.root)
            await self._watch_signals_and_stdin()
            try:
                await self._run_until_stopped()
            except EndedEarlyError:
                state_dir = self._state_dir
                self._keep_files = {MARKER, state_dir.lock_file.name, state_dir.logs.name}
                raise
            finally:
                await self._shut_down()

    async def _shut_down(self) -> None:
        self._phase = "stopping"
        self._write_record()
        if self._kubelet is not None:
            await self._kubelet.stop()
        await self._supervisor.stop_all()
        if self._keep_files:
            self._state_dir.clear(self._keep_files)
        else:
            self._state_dir.remove()

    async def _run_until_stopped(self) -> None:
        """Start the stack and wait until it is to stop; raise what the start raised."""
        start = asyncio.create_task(self._start())
        stop = asyncio.create_task(self._stop_requested.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not start.done():
            start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start
        await stop

    async def _start(self) -> None:
        self._write_record()
        chosen = ports.choose(CONFIGURABLE_PORTS, self._config.ports)
        plane = await self._start_control_plane(chosen)
        if kusto.NAME not in self._config.without:
            await self._start_kusto(chosen[kusto.NAME])
        if "chart" not in self._config.without:
            self.report("step", "the chart, the webhook and the worker")
            self._kubelet = Kubelet(self._supervisor, plane, self._chart_config())
            await self._kubelet.start()
        self._phase = "ready"
        self._write_record()
        self.report("ready", str(self._state_dir.root))

    async def _start_control_plane(self, chosen: dict[str, int]) -> ControlPlane:
        self.report("step", "etcd and kube-apiserver")
        plane = await controlplane.start(
            self._supervisor,
            self._state_dir,
            self._config.binaries,
            chosen,
            datetime.now(UTC),
            feature_gates=self._config.feature_gates,
        )
        self._environment["KUBECONFIG"] = str(plane.kubeconfig)
        self._link_binaries(plane)
        return plane

    async def _start_kusto(self, port: int) -> None:
        self.report("step", "the local Kusto endpoint")
        spec = kusto.make_spec(self._state_dir, port)
        self._environment |= {"KUSTO_ENDPOINT": spec.address, "KUSTO_DATABASE": kusto.DATABASE}
        await self._supervisor.start_and_wait(spec)
        self._supervisor.enable_restart(spec.name)  # not before: a failed start is reported at once

    def _chart_config(self) -> ChartConfig:
        return ChartConfig(
            kusto=self._environment.get("KUSTO_ENDPOINT", ""),
            database=kusto.DATABASE,
            without=self._config.without,
            python=self._config.python,
        )

    def _link_binaries(self, plane: ControlPlane) -> None:
        for name, target in (("kubectl", plane.kubectl), ("helm", plane.helm)):
            (self._state_dir.bin / name).symlink_to(target)
        for plugin in ("kubectl-summaryrule", "kubectl_complete-summaryrule"):
            (self._state_dir.bin / plugin).symlink_to(Path(sys.executable).with_name(plugin))
        # After these comes the directory of our Python, as in an activated virtual environment.
        self._environment["PATH"] = os.pathsep.join(
            [str(self._state_dir.bin), str(Path(sys.executable).parent)]
        )

    def _write_record(self) -> None:
        self._state_dir.write_record(
            {
                "pid": os.getpid(),
                "phase": self._phase,
                "environment": self._environment,
                "processes": [process.as_json() for process in self._supervisor.processes()],
            }
        )

    def report(self, kind: str, text: str) -> None:
        """Write one JSON line to the process that started this one."""
        with contextlib.suppress(BrokenPipeError):  # it is gone; the end of stdin says so too
            print(json.dumps({kind: text}), file=self._reports, flush=True)

    async def _watch_signals_and_stdin(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_requested.set)
        await loop.connect_read_pipe(lambda: _StdinWatcher(self._stop_requested), sys.stdin)


class _StdinWatcher(asyncio.Protocol):
    """Sets `stop_requested` when stdin ends without `DETACH_MESSAGE`."""

    def __init__(self, stop_requested: asyncio.Event) -> None:
        self._stop_requested = stop_requested
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self._received != DETACH_MESSAGE:
            self._stop_requested.set()


def _redirect_stderr(log: Path) -> None:
    """Send what this process writes to stderr (a traceback, a warning) to `log`."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())


def main() -> None:
    """Run the stack that the first argument configures; report an error on stdout, exit 2."""
    # NB: kube-apiserver (1.37) uses a proxy for webhooks even if NO_PROXY lists `.svc`.
    os.environ |= {"NO_PROXY": "*", "no_proxy": "*"}  # a stack connects to this machine only
    config = StackConfig.from_json(sys.argv[1])
    process = SupervisorProcess(config, sys.stdout)
    try:
        asyncio.run(process.run())
    except DevstackError as error:
        process.report("failed", str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
