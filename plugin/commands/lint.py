"""`lint`: what admission would say about files, offline, and, if asked, what the API server says.

Offline, each rule counts as new. The API server knows the stored rule, and what else it asks.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plugin.console import Console
from plugin.kubectl import Kubectl, Rule, UsageError
from runtime import cel
from runtime.manifests import ManifestError, read_file, require_rules
from summaryrule.admission.manifest_review import ReviewResult, review_manifest
from summaryrule.api.instant import Instant


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome for one rule; `server` is empty if the API server was not asked."""

    path: str
    offline: ReviewResult
    is_refused: bool
    server: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding for `-o json`."""
        found = self.offline.as_json()
        del found["object"]
        server = {"server": self.server} if self.server else {}
        return {"file": self.path, **found, **server, "allowed": not self.is_refused}

    def lines(self) -> Iterator[str]:
        """A line for each thing found, with the file and the name in front."""
        where = f"{self.path}: {self.offline.name}"
        yield from (f"{where}: warning: {each}" for each in self.offline.warnings)
        yield from (f"{where}: {each}" for each in self.offline.violations)
        yield from (f"{where}: server: {each}" for each in self.server.splitlines() if each)
        if not self.is_refused:
            yield f"{where}: would be admitted"


def lint(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print the findings; exit code 1 if a rule would be refused.

    Raises:
        UsageError: a file cannot be read, or no file has a SummaryRule.
    """
    server = kubectl if args.ask_server else None
    findings = [_find(*each, console.now(), server) for each in _rules(args.files, console)]
    lines = (line for each in findings for line in each.lines())
    console.show([each.as_json() for each in findings], args.output, lines)
    return 1 if any(each.is_refused for each in findings) else 0


def _rules(paths: list[str], console: Console) -> list[tuple[str, Rule]]:
    try:
        files = [read_file(path) for path in paths]
        require_rules(files)
    except ManifestError as error:
        raise UsageError(str(error)) from error
    for file in files:
        if file.note:
            console.note(file.note)
    return [(file.path, rule) for file in files for rule in file.rules]


def _find(path: str, rule: Rule, now: Instant, server: Kubectl | None) -> Finding:
    offline = review_manifest(
        None, rule, user="kubectl", worker="", now=now, parse_cel=cel.parse_error
    )
    if server is None:
        return Finding(path, offline, not offline.allowed)
    given = json.dumps(rule)
    stored, said = server.try_run("apply", "--dry-run=server", "-f", "-", given=given)
    return Finding(path, offline, not (offline.allowed and stored), said.strip())
