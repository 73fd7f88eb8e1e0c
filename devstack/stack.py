"""A stack for Python code, in a `with` block.

    with Stack.start(directory, report=print) as stack:
        subprocess.run([stack.kubectl, "get", "sr"], env=stack.env())
        stack.kill("worker")
        stack.wait_until_healthy("worker")

It is stopped at the end of the block, and also when this process is killed.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import binaries
from devstack.config import StackConfig
from devstack.errors import DevstackError
from devstack.lifecycle import Report, SupervisorHandle, require_running
from devstack.process_spec import ProcessStatus
from devstack.state_dir import StateDir

POLL_INTERVAL = 0.05


def ignore_report(_step: str) -> None:
    """Report nothing."""


class Stack:
    """A stack that runs in `state_dir`; `supervisor` is its supervisor process."""

    def __init__(self, state_dir: StateDir, supervisor: SupervisorHandle) -> None:
        self.state_dir = state_dir
        self.supervisor = supervisor

    @classmethod
    def start(
        cls,
        root: Path,
        *,
        without: frozenset[str] = frozenset(),
        ports: Mapping[str, int] | None = None,
        python: str = sys.executable,
        feature_gates: tuple[str, ...] = (),
        report: Report = ignore_report,
    ) -> "Stack":
        """Start a stack in the directory `root` and return when it is ready.

        `without`, `ports`, `python` and `feature_gates` are those of `StackConfig`. Each step of
        the start is passed to `report`.

        Raises:
            DevstackError: the stack could not be started; nothing is left running.
        """
        found = binaries.resolve(report)
        config = StackConfig(root.resolve(), found, without, ports or {}, python, feature_gates)
        supervisor = SupervisorHandle(config)
        try:
            supervisor.wait_until_ready(report)
        except BaseException:
            supervisor.stop()
            raise
        return cls(StateDir(root.resolve()), supervisor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the stack and return when none of its processes is left."""
        self.supervisor.stop()

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.state_dir.kubeconfig

    @property
    def kubectl(self) -> Path:
        """The kubectl with the version of the API server."""
        return self.state_dir.bin / "kubectl"

    @property
    def helm(self) -> Path:
        """The helm that installed the chart."""
        return self.state_dir.bin / "helm"

    @property
    def audit(self) -> Path:
        """The API server's audit log, one JSON event per line."""
        return self.state_dir.logs / "audit.jsonl"

    def env(self) -> dict[str, str]:
        """Return this process's environment, overridden by what `devstack env` exports."""
        own = require_running(self.state_dir).environment
        path = os.pathsep.join([own["PATH"], os.environ.get("PATH", os.defpath)])
        return {**os.environ, **own, "PATH": path}

    def processes(self) -> list[ProcessStatus]:
        """Return the status of every process, as `devstack status` prints it."""
        return require_running(self.state_dir).processes

    def process(self, name: str) -> ProcessStatus:
        """Return the status of one process.

        Raises:
            DevstackError: the stack has no such process.
        """
        for process in self.processes():
            if process.name == name:
                return process
        raise DevstackError(f"the stack has no process {name}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a process. Return the pid it had, once it no longer has that pid.

        Raises:
            DevstackError: the process is not running.
        """
        pid = self.process(name).pid
        if pid is None:
            raise DevstackError(f"{name} is not running")
        os.kill(pid, number)
        self._wait_for(lambda: self.process(name).pid != pid, f"the end of {name}", 30.0)
        return pid

    def wait_until_healthy(self, name: str, timeout: float = 30.0) -> ProcessStatus:
        """Wait at most `timeout` seconds for a healthy process and return its status.

        Raises:
            DevstackError: it was not healthy in time.
        """
        self._wait_for(lambda: self.process(name).healthy, f"a healthy {name}", timeout)
        return self.process(name)

    def _wait_for(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise DevstackError(f"waited {timeout:.0f} s for {what}; see {self.state_dir.logs}")
            time.sleep(POLL_INTERVAL)
