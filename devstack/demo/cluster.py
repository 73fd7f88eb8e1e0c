"""kubectl as the demo uses it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.demo.rules import NAME, as_yaml
from devstack.demo.terminal import Terminal
from devstack.errors import DevstackError


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of a command and its exit code."""

    code: int
    output: str


class Cluster:
    """Runs the real kubectl on the demo's API server."""

    def __init__(self, kubectl: Path, environment: Mapping[str, str], terminal: Terminal) -> None:
        self._kubectl, self._environment, self._terminal = kubectl, dict(environment), terminal

    def apply(self, rule: Mapping[str, Any], *flags: str) -> Answer:
        """Run `kubectl apply` on a manifest; print the command and its output."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / f"{rule['metadata']['name']}.yaml"
            file.write_text(as_yaml(dict(rule)), encoding="utf-8")
            answer = self._run("apply", *flags, "-f", str(file))
            command = " ".join(["kubectl apply", *flags, "-f", file.name])
        self._terminal.command(command, answer.output)
        return answer

    def metrics(self) -> str:
        """Return the API server's own Prometheus metrics."""
        return self._run_checked("get", "--raw", "/metrics")

    def rule(self) -> dict[str, Any]:
        """Return the valid rule as the API server stores it."""
        found: dict[str, Any] = json.loads(
            self._run_checked("get", "summaryrule", NAME, "-o", "json")
        )
        return found

    def show(self, *arguments: str) -> None:
        """Run kubectl and print the command and its output."""
        self._terminal.command(f"kubectl {' '.join(arguments)}", self._run_checked(*arguments))

    def verify(self, *arguments: str) -> Answer:
        """Run `worker verify` on the valid rule; print the command and its output."""
        words = ["-m", "worker", "verify", NAME, "-n", "default", *arguments]
        answer = self._run_program(sys.executable, *words)
        self._terminal.command(" ".join(["python", *words]), answer.output)
        return answer

    def _run_checked(self, *arguments: str) -> str:
        answer = self._run(*arguments)
        if answer.code != 0:
            raise DevstackError(f"kubectl {' '.join(arguments)} failed: {answer.output.strip()}")
        return answer.output

    def _run(self, *arguments: str) -> Answer:
        return self._run_program(self._kubectl, *arguments)

    def _run_program(self, program: str | Path, *arguments: str) -> Answer:
        done = subprocess.run(  # noqa: S603 - the devstack's own programs
            [program, *arguments],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return Answer(done.returncode, done.stdout)
