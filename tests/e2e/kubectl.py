"""The real kubectl, and everything that it says: what the tables of admission compare.

A table's cases are asked side by side, since a kubectl mostly waits for the API server; each is a
process of its own, as a person would start it.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from devstack.chart import NAMESPACE, RELEASE
from devstack.stack import Stack

RESOURCE = "summaryrule.adx-mon.azure.com"
WORKER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-worker"
AT_ONCE = 4
PATIENCE = 60.0

Rule = Mapping[str, Any]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Said:
    """What one command printed on both streams, line by line, and its exit code."""

    code: int
    out: tuple[str, ...]
    err: tuple[str, ...]


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the admin of a stack."""

    stack: Stack
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack) -> "Kubectl":
        return cls(stack, stack.env())

    def ask(self, *words: str, feed: str = "") -> Said:
        done = subprocess.run(
            [self.stack.kubectl, *words],
            env=self.env,
            input=feed,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return Said(
            done.returncode, tuple(done.stdout.splitlines()), tuple(done.stderr.splitlines())
        )

    def feed(self, manifest: Rule | str, *words: str) -> Said:
        """Give it a manifest, or any text, on standard input."""
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.ask(*words, "-f", "-", feed=text)

    def must(self, *words: str, feed: str = "") -> Said:
        said = self.ask(*words, feed=feed)
        assert said.code == 0, said
        return said

    def store(self, rule: Rule) -> None:
        """Create what admission takes."""
        said = self.feed(rule, "apply")
        assert said.code == 0, said

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            "".join(self.must("get", RESOURCE, name, "-o", "json", "--show-managed-fields").out)
        )
        return found

    def patch(self, name: str, change: object, *words: str) -> Said:
        return self.ask("patch", RESOURCE, name, *words, "-p", json.dumps(change))

    def as_worker(self, name: str, change: object, *words: str) -> None:
        """Write as the worker does: nothing of it is judged."""
        said = self.patch(
            name, change, "--type=merge", f"--as={WORKER}", "--field-manager=worker", *words
        )
        assert said.code == 0, said

    def set_status(self, name: str, status: Rule) -> None:
        said = self.patch(name, {"status": status}, "--type=merge", "--subresource=status")
        assert said.code == 0, said


def side_by_side(asks: Mapping[str, Callable[[], Answer]]) -> dict[str, Answer]:
    """Ask all at once, a few at a time; the answers by name."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {name: pool.submit(ask) for name, ask in asks.items()}
        return {name: each.result() for name, each in waiting.items()}


def at_path(holder: Any, path: str) -> Any:
    """What is at a path such as `spec.backfill.start`; None where there is nothing.

    A key with dots of its own comes last: `metadata.annotations.adx-mon.azure.com/owner`.
    """
    if not path or holder is None:
        return holder
    if path in holder:
        return holder[path]
    head, _, rest = path.partition(".")
    return at_path(holder.get(head), rest)
