"""The cluster, through the user's own kubectl: contexts, logins and proxies are kubectl's matter.

What kubectl writes to stderr (a refusal, the webhook's warnings) goes to the user as it is.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

RESOURCE: Final = "summaryrules.adx-mon.azure.com"
MANAGER: Final = "kubectl-summaryrule"

Rule = dict[str, Any]


class Kubectl:
    """One kubectl, with the flags that choose cluster, user and namespace."""

    def __init__(self, program: str, flags: Sequence[str]) -> None:
        self._program = program
        self._flags = list(flags)

    def rules(self, *, everywhere: bool) -> list[Rule]:
        """Every rule of the namespace, or of all namespaces."""
        found = self._json("get", RESOURCE, *(["--all-namespaces"] if everywhere else []))
        items: list[Rule] = found["items"]
        return items

    def rule(self, name: str) -> Rule:
        """One rule.

        Raises:
            RefusedError: there is none of that name, or the cluster cannot be args.
        """
        return self._json("get", RESOURCE, name)

    def patch(self, name: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Rule:
        """Merge `body` into a rule (RFC 7386: null removes); the rule as stored.

        Raises:
            RefusedError: admission refused it; kubectl has said why.
        """
        dry = ["--dry-run=server"] if dry_run else []
        given = ["--type=merge", f"--field-manager={MANAGER}", f"--patch={json.dumps(body)}"]
        return self._json("patch", RESOURCE, name, *given, *dry)

    def _json(self, *words: str) -> Rule:
        done = self._run([*words, "--output=json"])
        if done.returncode:
            raise RefusedError
        found: Rule = json.loads(done.stdout)
        return found

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        program = shutil.which(self._program)
        if program is None:
            raise UsageError(f"{self._program} is not on PATH: install kubectl, or set KUBECTL")
        return subprocess.run(  # noqa: S603 - the user's own kubectl, no shell between
            [program, *words, *self._flags],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )


class PluginError(Exception):
    """`code` is the exit code; the message is one sentence, or empty when all is said."""

    code = 1


class RefusedError(PluginError):
    """The cluster, or the rule's own state, says no; kubectl may have said why already."""


class UsageError(PluginError):
    """The request cannot be understood; the message says what to write."""

    code = 2
