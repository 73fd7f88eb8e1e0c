"""A stack for the tests and the demo, in a `with` block.

    with Stack.start(folder, report=print) as stack:
        subprocess.run([stack.kubectl, "get", "sr"], env=stack.env())
        stack.kill("worker")
        stack.until_healthy("worker")

It is taken down at the block's end, and also when this process is killed.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import binaries, running
from devstack.child import Process
from devstack.errors import DevstackError
from devstack.folder import Folder
from devstack.launch import Lead, Report
from devstack.order import Order

BEAT = 0.05


def silence(_step: str) -> None:
    """Report nothing."""


class Stack:
    """A stack that runs in `folder`, kept on `lead`."""

    def __init__(self, folder: Folder, lead: Lead) -> None:
        self.folder = folder
        self.lead = lead

    @classmethod
    def start(
        cls,
        root: Path,
        *,
        without: frozenset[str] = frozenset(),
        ports: Mapping[str, int] | None = None,
        python: str = sys.executable,
        gates: tuple[str, ...] = (),
        report: Report = silence,
    ) -> "Stack":
        """Start a stack in the folder `root` and return when it is ready.

        `without`, `ports`, `python` and `gates` are as in `order.py`; each step of the start is
        handed to `report`.

        Raises:
            DevstackError: it could not be started; nothing is left running.
        """
        found = binaries.resolve(report)
        lead = Lead(Order(root.resolve(), found, without, ports or {}, python, gates))
        try:
            lead.until_ready(report)
        except BaseException:
            lead.stop()
            raise
        return cls(Folder(root.resolve()), lead)

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
        """Take the stack down; returns when none of its processes is left."""
        self.lead.stop()

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.folder.kubeconfig

    @property
    def kubectl(self) -> Path:
        """The kubectl of the API server's own version."""
        return self.folder.bin / "kubectl"

    @property
    def helm(self) -> Path:
        """The helm that installed the chart."""
        return self.folder.bin / "helm"

    @property
    def audit(self) -> Path:
        """The API server's audit log, one JSON event a line."""
        return self.folder.logs / "audit.jsonl"

    def env(self) -> dict[str, str]:
        """Give this process's environment with what `devstack env` exports laid over."""
        own = running.require(self.folder).environment
        path = os.pathsep.join([own["PATH"], os.environ.get("PATH", os.defpath)])
        return {**os.environ, **own, "PATH": path}

    def processes(self) -> list[Process]:
        """Give what `devstack status` prints."""
        return running.require(self.folder).processes

    def process(self, name: str) -> Process:
        """Give the status of one process.

        Raises:
            DevstackError: the stack has no such process.
        """
        for process in self.processes():
            if process.name == name:
                return process
        raise DevstackError(f"the stack has no process {name}")

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a process a signal and return the pid it had, once that pid is no longer its own.

        Raises:
            DevstackError: it does not run just now.
        """
        pid = self.process(name).pid
        if pid is None:
            raise DevstackError(f"{name} does not run just now")
        os.kill(pid, number)
        self._until(lambda: self.process(name).pid != pid, f"the end of {name}", 30.0)
        return pid

    def until_healthy(self, name: str, deadline: float = 30.0) -> Process:
        """Wait at most `deadline` seconds for a healthy process and give its status.

        Raises:
            DevstackError: it was not healthy in time.
        """
        self._until(lambda: self.process(name).healthy, f"a healthy {name}", deadline)
        return self.process(name)

    def _until(self, holds: Callable[[], bool], what: str, deadline: float) -> None:
        last = time.monotonic() + deadline
        while not holds():
            if time.monotonic() > last:
                raise DevstackError(f"waited {deadline:.0f} s for {what}; see {self.folder.logs}")
            time.sleep(BEAT)
