"""``webhook review``: what the webhook would answer and patch, without a cluster."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from runtime import cel, clock
from runtime.manifests import read_file, require_rules
from runtime.options import read_ownership
from summaryrule.admission.manifest_review import ReviewResult, review_manifest
from summaryrule.api.unstructured import nested_dict

Rule = dict[str, Any]


def run(options: Namespace) -> int:
    """Review every object in the files of ``options``, print the results, return the exit code.

    Raises:
        ManifestError: a file cannot be read, or no file has a SummaryRule.
    """
    now = options.now or clock.now()
    olds = _rules([options.old]) if options.old else []
    results = [
        review_manifest(
            find_stored(rule, olds),
            rule,
            user=options.user,
            worker=options.worker_user,
            now=now,
            parse_cel=cel.parse_error,
            ownership=read_ownership(options),
        )
        for rule in _rules(options.files)
    ]
    _print(results, options.output)
    return 0 if all(result.allowed for result in results) else 1


def _rules(paths: Sequence[str]) -> list[Rule]:
    files = [read_file(path) for path in paths]
    require_rules(files)
    for file in files:
        if file.note:
            print(f"webhook review: {file.note}", file=sys.stderr)  # noqa: T201
    return [rule for file in files for rule in file.rules]


def find_stored(rule: Rule, olds: Sequence[Rule]) -> Rule | None:
    """Return the object of ``olds`` with the name and namespace of ``rule``."""
    return next((old for old in olds if _key(old) == _key(rule)), None)


def _key(rule: Rule) -> tuple[str, str]:
    metadata = nested_dict(rule, "metadata")
    return str(metadata.get("namespace") or "default"), str(metadata.get("name") or "")


def _print(results: Sequence[ReviewResult], output: str) -> None:
    if output == "json":
        print(json.dumps([result.as_json() for result in results], indent=2))  # noqa: T201 - a command prints
    else:
        print(*results, sep="\n")  # noqa: T201
