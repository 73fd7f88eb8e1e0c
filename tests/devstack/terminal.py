"""Runs `python -m devstack …` as a user does, and lists the processes of a stack."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

TIMEOUT = 120.0


class Terminal:
    """Runs commands on the stack in `state`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.printed = ""

    def argv(self, command: str, *options: str) -> list[str]:
        return [sys.executable, "-m", "devstack", command, "--state", str(self.state), *options]

    def run(
        self, command: str, *options: str, env: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.argv(command, *options),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env=os.environ | (env or {}),
            check=False,
        )

    def start(self, command: str, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.argv(command, *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def up(self, without: str = "kusto,chart") -> None:
        """Start a stack; `printed` is then what `up` printed."""
        done = self.run("up", "--without", without)
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout

    def status(self) -> dict[str, dict[str, Any]]:
        listed = json.loads(self.run("status", "-o", "json").stdout)
        return {entry["name"]: entry for entry in listed}

    def supervisor(self) -> psutil.Process:
        return psutil.Process(json.loads((self.state / "state.json").read_text())["pid"])


def processes_of(state: Path) -> list[str]:
    """Return the command lines of running processes that contain the path `state`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(state) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` is true, at most two minutes."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"waited two minutes for {what}"
        time.sleep(0.02)
