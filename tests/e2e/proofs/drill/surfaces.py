"""Where an operator sees what is wrong: kubectl get, kubectl describe, the plugin, the page."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from devstack.chart import CHART, NAMESPACE, RELEASE
from devstack.stack import Stack

PLACES: Final = ("kubectl get", "kubectl describe", "plugin", "status page")
WEBHOOK: Final = f"deployment/{RELEASE}-webhook"
WORKER: Final = f"deployment/{RELEASE}-worker"
NO_PAGE: Final = "no worker serves the page"
_COMMAND: Final = re.compile(r"kubectl .*?(?=, or |; |$)")


@dataclass(frozen=True, slots=True)
class Surface:
    """Text that an operator reads, and the words that say what is wrong.

    `name` is what is read where that is not the place itself, such as the refusal of an apply.
    """

    read: Callable[[], str]
    words: tuple[str, ...]
    name: str = ""

    def says(self) -> bool:
        """Whether it says all words now."""
        text = self.read()
        return all(word in text for word in self.words)


class Operator:
    """The shell and the browser of an operator of a stack."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.stack = stack
        self._env = stack.env() | {"HOME": str(home)}

    def run(
        self, line: str, stdin: str | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of shell."""
        return subprocess.run(
            ["bash", "-c", line],
            env=self._env | env,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def output(self, line: str, stdin: str | None = None, **env: str) -> str:
        """What a line of shell prints on both streams, whatever its exit code."""
        done = self.run(line, stdin, **env)
        return done.stdout + done.stderr

    def must(self, line: str, stdin: str | None = None, **env: str) -> str:
        """What a line of shell prints; it must succeed."""
        done = self.run(line, stdin, **env)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def set_values(self, *values: str) -> None:
        """Upgrade the release with these values beside those that it has."""
        given = " ".join(f"--set {each}" for each in values)
        options = f"-n {NAMESPACE} --reset-then-reuse-values {given}"
        self.must(f"helm upgrade {RELEASE} {CHART} {options}")

    def worker_url(self) -> str:
        """The address of the worker that serves the page; empty if there is none."""
        found = [each for each in self.stack.processes() if each.name.startswith("worker")]
        return next((each.address for each in reversed(found) if each.healthy), "")

    def page(self, name: str) -> str:
        """What the page says of a rule and of the endpoints, as text."""
        try:
            with urlopen(f"{self.worker_url()}/status.json?search={name}", timeout=10) as answer:  # noqa: S310 - http
                view = json.load(answer)
        except (URLError, ValueError, ConnectionError):
            return NO_PAGE
        return "\n".join(_texts({"items": view["items"], "endpoints": view["endpoints"]}))

    def remedy(self, name: str, reason: str) -> str:
        """What `explain` says to do for this reason of a rule."""
        told = self.output(f"kubectl summaryrule explain {name}")
        found = re.search(rf"^Held: {reason}: .*\n  do: (.*)$", told, re.MULTILINE)
        assert found is not None, told
        return found[1]

    def of_rule(self, name: str, reason: str, *words: str) -> dict[str, Surface]:
        """The four places, for a rule whose condition Ready has a reason."""
        return {
            "kubectl get": Surface(
                lambda: self.output(f"kubectl get summaryrule {name} -o wide"), (reason, *words)
            ),
            "kubectl describe": Surface(
                lambda: self.output(f"kubectl describe summaryrule {name}"), (reason, *words)
            ),
            "plugin": self.plugin(name, reason, *words),
            "status page": Surface(lambda: self.page(name), (reason, *words)),
        }

    def plugin(self, name: str, reason: str, *words: str) -> Surface:
        """`explain` and `status` of a rule: both name the reason, `explain` has a remedy too."""

        def read() -> str:
            explained = self.output(f"kubectl summaryrule explain {name}")
            listed = self.output(f"kubectl summaryrule status {name}")
            return explained + listed if reason in listed else explained.replace(reason, "")

        return Surface(read, (f"Held: {reason}: ", "do: ", *words))


def command_in(remedy: str) -> str:
    """The command that a remedy says to run."""
    found = _COMMAND.search(remedy)
    assert found is not None, remedy
    return found[0]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]
