"""A stack that runs in a folder, seen from outside: its processes, its environment, its end.

Reads the record that the supervisor writes; used by `__main__` (`status`, `env`, `down`) and by
`stack.py`.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, cast

import psutil

from devstack.child import Process
from devstack.errors import DevstackError
from devstack.folder import Folder

STOPPED_WITHIN = 60.0
"""Seconds from SIGTERM until the supervisor is killed; its children go with it."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the supervisor last wrote of itself: `phase` is starting, ready or stopping."""

    pid: int
    phase: str
    environment: dict[str, str]
    processes: list[Process]


def look(folder: Folder) -> Running | None:
    """Give the stack that runs in `folder`, or None; the remains of a crash do not run."""
    record = cast("dict[str, Any]", folder.read_record()) if folder.is_held() else {}
    if not record:
        return None
    processes = [Process(**entry) for entry in record["processes"]]
    return Running(record["pid"], record["phase"], record["environment"], processes)


def require(folder: Folder) -> Running:
    """Give the stack that runs in `folder`.

    Raises:
        DevstackError: none does.
    """
    running = look(folder)
    if running is None:
        raise DevstackError(
            f"no stack runs in {folder.root}: `python -m devstack up` starts one, "
            "--state DIR names another folder"
        )
    return running


def take_down(folder: Folder) -> bool:
    """Stop the stack in `folder` and remove the folder; give whether one was running."""
    running = look(folder)
    if running is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            _end(psutil.Process(running.pid))
    folder.remove()
    return running is not None


def _end(supervisor: psutil.Process) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(STOPPED_WITHIN)
    except psutil.TimeoutExpired:
        supervisor.kill()
        supervisor.wait(STOPPED_WITHIN)


def table(running: Running) -> str:
    """Give the processes as columns, and below them a sentence for each that is not well."""
    head = ("NAME", "PID", "HEALTHY", "RESTARTS", "ADDRESS", "LOG")
    rows = [head, *(_row(process) for process in running.processes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *(_complaint(p) for p in running.processes if not p.healthy)])


def _row(process: Process) -> tuple[str, ...]:
    return (
        process.name,
        "-" if process.pid is None else str(process.pid),
        "yes" if process.healthy else "no",
        str(process.restarts),
        process.address,
        process.log,
    )


def _complaint(process: Process) -> str:
    if process.pid is not None:
        return f"{process.name} is not ready: its log says why"
    return (
        f"{process.name} has ended: its log says why; `python -m devstack down`, then `up`, "
        "starts afresh"
    )
