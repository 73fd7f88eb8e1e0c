"""The cluster, through the user's own kubectl: contexts, logins and proxies are kubectl's.

What kubectl writes to stderr (a refusal, the webhook's warnings) goes to the user unchanged.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from summaryrule.api.constants import RESOURCE

_LOG_LINE: Final = re.compile(r"^[EWIF]\d{4} \d\d:\d\d:\d\d\..*\n", re.MULTILINE | re.ASCII)
"""A line of kubectl's own log, which precedes its message where no API server answers."""
FIELD_MANAGER: Final = "kubectl-summaryrule"

Rule = dict[str, Any]


class PluginError(Exception):
    """A command ends without a result. `code` is the exit code; the message may be empty."""

    code = 1


class RefusedError(PluginError):
    """The cluster or the state of the rule does not allow it; kubectl may have said why."""


class UsageError(PluginError):
    """The command line is wrong; the message says what to write."""

    code = 2


class Kubectl:
    """One kubectl program, with the flags that choose cluster, user and namespace."""

    def __init__(self, program: str, flags: Sequence[str]) -> None:
        self._program = program
        self.flags = list(flags)

    def in_namespace(self, namespace: str) -> "Kubectl":
        """The same kubectl with another namespace."""
        others = [flag for flag in self.flags if not flag.startswith("--namespace=")]
        return Kubectl(self._program, [*others, f"--namespace={namespace}"])

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start kubectl, whose stdout is a pipe.

        Raises:
            UsageError: there is no kubectl.
        """
        return subprocess.Popen(  # noqa: S603 - the user's own kubectl, no shell between
            [self._path(), *words, *self.flags], stdout=subprocess.PIPE, encoding="utf-8"
        )

    def rules(
        self, names: Sequence[str] = (), *, everywhere: bool = False, selector: str | None = None
    ) -> list[Rule]:
        """The rules of these names, or every rule of the namespace or of all namespaces.

        `selector` limits them to rules with matching labels.

        Raises:
            RefusedError: a name does not exist, or the cluster cannot be asked.
        """
        scope = ["--all-namespaces"] if everywhere else []
        labels = [f"--selector={selector}"] if selector else []
        found = self._json("get", RESOURCE, *names, *scope, *labels)
        items: list[Rule] = found.get("items", [found])
        return items

    def rule(self, name: str) -> Rule:
        """One rule.

        Raises:
            RefusedError: it does not exist, or the cluster cannot be asked.
        """
        return self._json("get", RESOURCE, name)

    def events(self, kind: str, name: str) -> list[Rule]:
        """The Events about one object of the namespace, in the order of the API server.

        Raises:
            RefusedError: the cluster cannot be asked.
        """
        about = f"--field-selector=involvedObject.kind={kind},involvedObject.name={name}"
        items: list[Rule] = self._json("get", "events", about)["items"]
        return items

    def patch(self, name: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Rule:
        """Merge `body` into a rule (RFC 7386: null removes) and return the rule as stored.

        Raises:
            RefusedError: admission refused it; kubectl has said why.
        """
        dry = ["--dry-run=server"] if dry_run else []
        given = ["--type=merge", f"--field-manager={FIELD_MANAGER}", f"--patch={json.dumps(body)}"]
        return self._json("patch", RESOURCE, name, *given, *dry)

    def try_run(self, *words: str, given: str = "") -> tuple[bool, str]:
        """Run kubectl quietly: whether it succeeded, and its output or its error.

        Raises:
            UsageError: there is no kubectl.
        """
        done = subprocess.run(  # noqa: S603 - the user's own kubectl, no shell between
            [self._path(), *words, *self.flags],
            input=given,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            return False, _LOG_LINE.sub("", done.stderr).strip() or done.stdout.strip()
        return True, done.stdout

    def _json(self, *words: str) -> Rule:
        done = subprocess.run(  # noqa: S603 - as above
            [self._path(), *words, "--output=json", *self.flags],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            raise RefusedError
        found: Rule = json.loads(done.stdout)
        return found

    def _path(self) -> str:
        path = shutil.which(self._program)
        if path is None:
            raise UsageError(f"{self._program} is not on PATH: install kubectl, or set KUBECTL")
        return path
