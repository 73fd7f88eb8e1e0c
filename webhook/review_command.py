"""``webhook review``: what the webhook would answer and patch, without a cluster.

The stages are the API server's: mutate, then schema and CEL, then the webhook's validation. A
cluster does not reach the last stage when the one before refuses; here both run, so that one
review shows everything.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime import cel, clock
from runtime.manifests import read_file, require_rules
from summaryrule.api.constants import GROUP, KIND
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import Instant
from summaryrule.api.object_meta import display_name, validate_name
from summaryrule.api.schema_validation import validate_schema
from webhook.admission_review import API_VERSION, AdmissionRequest
from webhook.handlers import AdmissionConfig, mutate, validate
from webhook.json_patch import apply

Rule = dict[str, Any]
_ANNOTATIONS_LIMIT: Final = 262_144
"""Bytes of all annotations of an object (Kubernetes, TotalAnnotationSizeLimitB)."""


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """The outcome for one object; ``object`` is the one that would be stored."""

    name: str
    allowed: bool
    violations: tuple[FieldError, ...]
    warnings: tuple[str, ...]
    object: Rule

    def as_json(self) -> dict[str, Any]:
        """Return the output of ``-o json``."""
        return {
            "name": self.name,
            "allowed": self.allowed,
            "violations": [
                {"field": each.field, "reason": each.reason, "message": each.message}
                for each in self.violations
            ],
            "warnings": list(self.warnings),
            "object": self.object,
        }

    def __str__(self) -> str:
        warnings = [f"Warning: {each}" for each in self.warnings]
        if self.allowed:
            return "\n".join([*warnings, f"{KIND} {self.name!r} would be admitted"])
        head = f'The {KIND} "{self.name}" is invalid:'
        lines = [str(each) for each in self.violations]
        found = (
            [f"{head} {lines[0]}"] if len(lines) == 1 else [f"{head} ", *map("* {}".format, lines)]
        )
        return "\n".join([*warnings, *found])


def run(options: Namespace) -> int:
    """Review every object in the files of ``options``, print the results, return the exit code.

    Raises:
        ManifestError: a file cannot be read, or no file has a SummaryRule.
    """
    config = AdmissionConfig(options.worker_user, cel.parse_error)
    now = options.now or clock.now()
    olds = _rules([options.old]) if options.old else []
    rules = _rules(options.files)
    results = [
        review_manifest(find_stored(rule, olds), rule, user=options.user, config=config, now=now)
        for rule in rules
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


def review_manifest(
    old: Rule | None, new: Rule, *, user: str, config: AdmissionConfig, now: Instant
) -> ReviewResult:
    """Run all stages on one object; ``old`` is the stored object, None for a create.

    An update keeps the stored status, as the API server does for the main resource.
    """
    sent = new if old is None or "status" not in old else {**new, "status": old["status"]}
    defaulting, _ = mutate(_request(old, sent, user), config, now)
    stored = apply(sent, defaulting.patch)
    validation, found = validate(_request(old, stored, user), config, now)
    of_schema = validate_schema(stored, old)
    violations = tuple(dict.fromkeys((*validate_name(new), *of_schema, *found)))
    warnings = tuple(
        dict.fromkeys((*_size_warnings(new), *defaulting.warnings, *validation.warnings))
    )
    return ReviewResult(display_name(new), not violations, violations, warnings, stored)


def _size_warnings(rule: Rule) -> tuple[str, ...]:
    """What a client-side ``kubectl apply`` cannot store in its annotation."""
    size = len(json.dumps(rule, separators=(",", ":"), ensure_ascii=False).encode())
    if size <= _ANNOTATIONS_LIMIT:
        return ()
    text = (
        f"metadata.annotations: the object has {size:,} bytes, and kubectl apply copies it into an"
        f" annotation of at most {_ANNOTATIONS_LIMIT:,}; use kubectl apply --server-side"
    )
    return (text,)


def find_stored(rule: Rule, olds: Sequence[Rule]) -> Rule | None:
    """Return the object of ``olds`` with the name and namespace of ``rule``."""
    return next((old for old in olds if _key(old) == _key(rule)), None)


def _print(results: Sequence[ReviewResult], output: str) -> None:
    if output == "json":
        print(json.dumps([result.as_json() for result in results], indent=2))  # noqa: T201 - a command prints
    else:
        print(*results, sep="\n")  # noqa: T201


def _request(old: Rule | None, new: Rule, user: str) -> AdmissionRequest:
    return AdmissionRequest(
        api_version=API_VERSION,
        uid="",
        operation="CREATE" if old is None else "UPDATE",
        subresource="",
        group=GROUP,
        kind=KIND,
        name=_name(new),
        namespace="",
        user=user,
        object=new,
        old=old,
    )


def _name(rule: Rule) -> str:
    return _key(rule)[1]


def _key(rule: Rule) -> tuple[str, str]:
    metadata = rule.get("metadata")
    holder = metadata if isinstance(metadata, dict) else {}
    return str(holder.get("namespace") or "default"), str(holder.get("name") or "")
