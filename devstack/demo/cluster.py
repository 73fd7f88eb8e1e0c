"""kubectl and the rule's state, as the demo uses them."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.demo.rules import NAME, as_yaml
from devstack.demo.screen import Screen
from devstack.errors import DevstackError


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    output: str


class Cluster:
    """The real kubectl on the demo's API server."""

    def __init__(self, kubectl: Path, environment: Mapping[str, str], screen: Screen) -> None:
        self._kubectl, self._environment, self._screen = kubectl, dict(environment), screen

    def apply(self, rule: Mapping[str, Any], *flags: str) -> Answer:
        """`kubectl apply` a manifest, and show the command and its words."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{rule['metadata']['name']}.yaml"
            file.write_text(as_yaml(dict(rule)), encoding="utf-8")
            answer = self._run("apply", *flags, "-f", str(file))
            shown = " ".join(["kubectl apply", *flags, "-f", file.name])
        self._screen.command(shown, answer.output)
        return answer

    def metrics(self) -> str:
        """The API server's own Prometheus metrics."""
        return self._must("get", "--raw", "/metrics")

    def rule(self) -> dict[str, Any]:
        """The good rule as the API server has it."""
        found: dict[str, Any] = json.loads(self._must("get", "summaryrule", NAME, "-o", "json"))
        return found

    def show(self, *arguments: str) -> None:
        """Run kubectl for the reader's eyes."""
        self._screen.command(f"kubectl {' '.join(arguments)}", self._must(*arguments))

    def _must(self, *arguments: str) -> str:
        answer = self._run(*arguments)
        if answer.code != 0:
            raise DevstackError(f"kubectl {' '.join(arguments)} failed: {answer.output.strip()}")
        return answer.output

    def _run(self, *arguments: str) -> Answer:
        done = subprocess.run(  # noqa: S603 - the devstack's own kubectl
            [self._kubectl, *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return Answer(done.returncode, done.stdout)
