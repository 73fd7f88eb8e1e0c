"""Starts the supervisor of a stack; finds, prints and stops a running stack."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import psutil

from devstack.config import CHECKOUT, CONTROL_PLANE, StackConfig
from devstack.errors import DevstackError
from devstack.process_spec import ProcessStatus
from devstack.state_dir import StateDir

STOP_TIMEOUT = 60.0
"""Seconds from SIGTERM until the supervisor is killed. Its children die with it."""

DETACH_MESSAGE = b"detach\n"
"""Written to the stdin of a supervisor that shall outlive the process that started it."""

Report = Callable[[str], None]


class SupervisorHandle:
    """A supervisor process that stops with this process unless `detach` is called."""

    def __init__(self, config: StackConfig) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "devstack.supervisor_main", config.to_json()],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    def wait_until_ready(self, report: Report) -> None:
        """Pass each step to `report` and return when the stack is ready.

        Raises:
            DevstackError: the stack could not be started; the message says why.
        """
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            ((kind, text),) = json.loads(line).items()
            if kind == "ready":
                return
            if kind == "failed":
                raise DevstackError(text)
            report(text)
        raise DevstackError(
            f"the supervisor ended with exit code {self._process.wait()}; "
            "its log, supervisor.log in the state directory's logs/, says why"
        )

    def detach(self) -> None:
        """Leave the stack running when this process ends; `down` stops it."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(DETACH_MESSAGE)
        self._close_pipes()

    def stop(self) -> None:
        """Stop the stack and return when none of its processes is left."""
        self._close_pipes()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The supervisor's last record. `phase` is `starting`, `ready` or `stopping`."""

    pid: int
    phase: str
    environment: dict[str, str]
    processes: list[ProcessStatus]


def find_running(state_dir: StateDir) -> RunningStack | None:
    """Return the stack that runs in `state_dir`, None when none does."""
    record = cast("dict[str, Any]", state_dir.read_record()) if state_dir.is_locked() else {}
    if not record:
        return None
    processes = [ProcessStatus(**entry) for entry in record["processes"]]
    return RunningStack(record["pid"], record["phase"], record["environment"], processes)


def require_running(state_dir: StateDir) -> RunningStack:
    """Return the stack that runs in `state_dir`.

    Raises:
        DevstackError: no stack runs there.
    """
    running = find_running(state_dir)
    if running is None:
        raise DevstackError(
            f"no stack runs in {state_dir.root}: `{state_dir.command('up')}` starts one, "
            "--state DIR names another directory"
        )
    return running


def require_ready(state_dir: StateDir) -> RunningStack:
    """Return the stack that runs in `state_dir`.

    Raises:
        DevstackError: no stack runs there, or it is starting or stopping.
    """
    running = require_running(state_dir)
    if running.phase != "ready":
        raise DevstackError(
            f"the stack in {state_dir.root} is {running.phase}: run this again when it is ready"
        )
    return running


def stop_stack(state_dir: StateDir) -> bool:
    """Stop the stack in `state_dir` and remove the directory; return whether one was running."""
    running = find_running(state_dir)
    if running is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            _terminate(psutil.Process(running.pid))
    state_dir.remove()
    return running is not None


def _terminate(supervisor: psutil.Process) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(STOP_TIMEOUT)
    except psutil.TimeoutExpired:
        supervisor.kill()
        supervisor.wait(STOP_TIMEOUT)


def format_status(running: RunningStack, state_dir: StateDir) -> str:
    """Format the processes as a table, followed by one sentence per unhealthy process."""
    head = ("NAME", "PID", "HEALTHY", "RESTARTS", "ADDRESS", "LOG")
    rows = [head, *(_row(process) for process in running.processes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    unhealthy = [process for process in running.processes if not process.healthy]
    return "\n".join([*lines, *(_problem(process, state_dir) for process in unhealthy)])


def _row(process: ProcessStatus) -> tuple[str, ...]:
    return (
        process.name,
        "-" if process.pid is None else str(process.pid),
        "yes" if process.healthy else "no",
        str(process.restarts),
        process.address,
        process.log,
    )


def _problem(process: ProcessStatus, state_dir: StateDir) -> str:
    if process.pid is not None:
        return f"{process.name} is not ready: its log says why"
    if process.name not in CONTROL_PLANE:
        return f"{process.name} has ended and will be restarted: its log says why"
    return (
        f"{process.name} has ended: its log says why. The objects of this cluster are lost. "
        f"`{state_dir.command('down')}`, then `{state_dir.command('up')}` starts a new stack"
    )
