"""A stack under test: kubectl on it, rules in it, and waiting for things to become true."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

from devstack.stack import Stack
from tests.chart.helm import NAMESPACE, RELEASE, Object
from tests.chart.rbac.refusals import Refusals

PATIENCE = 20.0
"""Seconds for what takes one or two; then it has failed."""

AFTER_A_REFUSAL = 0.25
"""Share of the patience that is left once the API server has refused the program something."""

GROUPS = {
    "summaryrules": "adx-mon.azure.com",
    "events": "",
    "leases": "coordination.k8s.io",
    "secrets": "",
    "pods": "",
    "deployments": "apps",
    "customresourcedefinitions": "apiextensions.k8s.io",
    "mutatingwebhookconfigurations": "admissionregistration.k8s.io",
    "validatingwebhookconfigurations": "admissionregistration.k8s.io",
}


class Bench:
    """One stack."""

    namespace = NAMESPACE
    groups: Mapping[str, str] = GROUPS

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._env = stack.env()
        self._number = 0
        self._refusals: Refusals | None = None

    def user(self, role: str) -> str:
        """Give the user name of the account that holds a role."""
        return f"system:serviceaccount:{NAMESPACE}:{RELEASE}-{role}"

    def run(self, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        """Run kubectl, whatever comes of it."""
        return subprocess.run(
            [str(self.stack.kubectl), "-n", NAMESPACE, *words],
            env=self._env,
            input=given,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def kubectl(self, *words: str, given: str = "") -> str:
        """Run kubectl to a good end."""
        done = self.run(*words, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def get(self, *words: str) -> Any:
        """Read an object as JSON; an empty one when there is none."""
        return json.loads(self.kubectl("get", *words, "--ignore-not-found", "-ojson") or "{}")

    def replace(self, item: Object) -> None:
        """Write an object over the one of its name."""
        self.kubectl("replace", "-f", "-", given=json.dumps(item))

    def until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait until something holds; a failed check otherwise."""
        began = time.monotonic()
        last = began + patience
        while not holds():
            if self._refusals and self._refusals.look():
                last = min(last, time.monotonic() + AFTER_A_REFUSAL * patience)
            late = time.monotonic()
            assert late < last, f"waited {late - began:.0f} s for {what}"
            time.sleep(0.1)

    def restart(self, name: str) -> None:
        """Kill a program and wait until it is ready again."""
        self.crash(name)
        self.until_ready(name)

    def crash(self, name: str) -> None:
        """Kill a program; it is started again."""
        self.until(lambda: self.stack.process(name).pid is not None, f"a running {name}")
        self.stack.kill(name)

    def until_ready(self, name: str) -> None:
        """Wait for a program to be ready; a failed check if it is not."""
        self.until(lambda: self.stack.process(name).healthy, f"{name} to be ready")

    def failed_looks(self) -> set[str]:
        """Give what the worker's looks at rules have come to since it started, but for `ok`."""
        said = self.worker_page("/metrics")
        found = set(re.findall(r'worker_reconciles_total\{result="([^"]+)"', said))
        return found - {"ok"}

    def worker_page(self, path: str) -> str:
        """Give what the worker answers at a path."""
        address = self.stack.process("worker").address
        with urlopen(f"{address}{path}", timeout=10) as answer:  # noqa: S310 - on loopback
            return str(answer.read().decode())

    def name(self) -> str:
        """Give a name that no rule has had."""
        self._number += 1
        return f"rule-{self._number}"

    def apply(self, name: str, **spec: object) -> None:
        """Write a suspended rule that sums up nothing much."""
        body = "Nothing | where Timestamp between (_startTime .. _endTime) | count"
        base = {
            "database": "Telemetry",
            "table": "Summary",
            "interval": "1h",
            "suspend": True,
            "body": body,
        }
        rule = {
            "apiVersion": "adx-mon.azure.com/v1",
            "kind": "SummaryRule",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {**base, **spec},
        }
        self.kubectl("apply", "-f", "-", given=json.dumps(rule))

    def rule(self, name: str) -> Object:
        """Read a rule."""
        found: Object = self.get("summaryrule", name)
        return found

    @contextmanager
    def watching(self, role: str) -> Iterator[Refusals]:
        """Gather what the API server refuses a role's account; waits then end the sooner."""
        self._refusals = refusals = Refusals(self.stack.audit, self.user(role))
        try:
            yield refusals
        finally:
            refusals.close()
            self._refusals = None
