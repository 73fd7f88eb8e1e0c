"""`check` and `version`: whether the installation works, and which versions it has.

Each check is a function that asks one question of the cluster. A check that this login may not
make is reported as such, and is not a failure.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from plugin.console import Color, Console
from plugin.formatting import NONE, time_between
from plugin.kubectl import Kubectl
from plugin.leader import COMPONENT, list_objects, one_line, read_leader
from plugin.tables import table
from runtime.version import installed_version
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import API_VERSION, KIND, RESOURCE
from summaryrule.api.summary import summarize
from summaryrule.api.unstructured import as_str, nested_dict

Result = Literal["ok", "failed", "unknown"]
COLORS: Final[dict[Result, Color]] = {"ok": "green", "failed": "red", "unknown": "yellow"}
VERSION: Final = "app.kubernetes.io/version"
_NO_ENDPOINT: Final = frozenset({BlockReason.NO_ENDPOINT, BlockReason.ENDPOINT_UNAVAILABLE})

# Only the webhook refuses this body: the schema takes any text.
_REFUSED_RULE: Final = {
    "apiVersion": API_VERSION,
    "kind": KIND,
    "metadata": {"name": "kubectl-summaryrule-check"},
    "spec": {"database": "D", "table": "T", "interval": "1h", "body": ".show tables"},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `fix` says what to do where it failed."""

    check: str
    result: Result
    message: str
    fix: str = ""


def check(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print the findings; exit code 1 if a check failed."""
    findings = list(_findings(kubectl, console))
    lines = (line for each in findings for line in _lines(each, console))
    console.show([asdict(each) for each in findings], args.output, lines)
    return 1 if any(each.result == "failed" for each in findings) else 0


def _lines(finding: Finding, console: Console) -> Iterator[str]:
    result = console.paint(f"{finding.result:7}", COLORS[finding.result])
    yield f"{result}  {finding.check}: {finding.message}"
    if finding.fix:
        yield f"         do: {finding.fix}"


def _findings(kubectl: Kubectl, console: Console) -> Iterator[Finding]:
    first = crd_is_served(kubectl)
    yield first
    if first.result == "ok":
        for each in CHECKS:
            yield each(kubectl, console)


def crd_is_served(kubectl: Kubectl) -> Finding:
    """Whether the API server knows the resource."""
    served, answer = kubectl.try_run("get", "--raw", f"/apis/{API_VERSION}")
    if served:
        return Finding("CRD", "ok", f"the API server serves {RESOURCE}")
    if "NotFound" in answer or "not found" in answer or "could not find" in answer:
        fix = "install the chart, with crds.enabled=true"
        return Finding("CRD", "failed", f"the API server does not serve {RESOURCE}", fix)
    fix = "check the context: kubectl config current-context"
    return Finding("CRD", "failed", one_line(answer), fix)


def login_may_change_rules(kubectl: Kubectl, _console: Console) -> Finding:
    """Whether this login may read and patch rules in the namespace."""
    missing = [verb for verb in ("get", "list", "patch") if not _may(kubectl, verb, RESOURCE)]
    if not missing:
        return Finding("permissions", "ok", "this login may read and change rules")
    message = f"this login may not {', '.join(missing)} {RESOURCE}"
    return Finding("permissions", "failed", message, "ask for the ClusterRole edit (view to read)")


def webhook_answers(kubectl: Kubectl, _console: Console) -> Finding:
    """Whether the API server reaches the webhook and trusts its certificate (dry run)."""
    stored, answer = kubectl.try_run(
        "create", "--dry-run=server", "-f", "-", given=json.dumps(_REFUSED_RULE)
    )
    if not stored and "spec.body: Invalid value" in answer:
        return Finding("webhook", "ok", "it answers, and the API server trusts its certificate")
    if "failed calling webhook" in answer:
        fix = f"kubectl get pods -A -l {COMPONENT}=webhook; then read its log"
        return Finding("webhook", "failed", one_line(answer), fix)
    if stored:
        message = "the API server does not ask a webhook about SummaryRules"
        return Finding("webhook", "failed", message, "install the chart with webhook.enabled=true")
    return Finding("webhook", "unknown", one_line(answer))


def worker_leads(kubectl: Kubectl, console: Console) -> Finding:
    """Whether a worker holds its Lease and renews it."""
    leader = read_leader(kubectl, console)
    if leader.unknown:
        return Finding("worker", "unknown", leader.unknown)
    if not leader.leads or leader.renewed is None:
        fix = BlockReason.NO_LEADER.remedy("NAME")
        return Finding("worker", "failed", leader.message, fix)
    now = console.now()
    ago = time_between(min(leader.renewed, now), now)
    message = f"{leader.holder} leads, and renewed its Lease {ago} ago"
    return Finding("worker", "ok", message)


def endpoints_answer(kubectl: Kubectl, console: Console) -> Finding:
    """Whether the worker reaches the Kusto endpoint of every rule, as the rules' status says."""
    rules = list_objects(kubectl, RESOURCE)
    if isinstance(rules, str):
        return Finding("endpoints", "unknown", rules)
    problems = {
        problem.message: BlockReason(problem.reason).remedy("NAME")
        for rule in rules
        for problem in summarize(rule, console.now()).problems
        if problem.reason in _NO_ENDPOINT
    }
    if not problems:
        return Finding("endpoints", "ok", f"no rule of {len(rules)} waits for a Kusto endpoint")
    message, fix = next(iter(problems.items()))
    more = f" (and {len(problems) - 1} other messages)" if len(problems) > 1 else ""
    return Finding("endpoints", "failed", f"{message}{more}", fix)


CHECKS: Final[tuple[Callable[[Kubectl, Console], Finding], ...]] = (
    login_may_change_rules,
    webhook_answers,
    worker_leads,
    endpoints_answer,
)


def version(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print the versions; what this login may not read is left open."""
    found = dict(_versions(kubectl))
    width = console.table_width(args.output)
    lines = table(("COMPONENT", "VERSION"), list(found.items()), width=width)
    console.show(found, args.output, lines)
    return 0


def _versions(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    yield "plugin", installed_version()
    crd = list_objects(
        kubectl, "customresourcedefinitions", f"--field-selector=metadata.name={RESOURCE}"
    )
    yield "CRD", _version_labels(crd)
    for component in ("webhook", "worker"):
        selector = f"--selector={COMPONENT}={component}"
        yield component, _version_labels(list_objects(kubectl, "deployments.apps", selector))


def _version_labels(objects: list[dict[str, Any]] | str) -> str:
    if isinstance(objects, str):
        return f"unknown: {objects}"
    versions = {
        as_str(nested_dict(nested_dict(each, "metadata"), "labels").get(VERSION)) or "unknown"
        for each in objects
    }
    return ", ".join(sorted(versions)) or NONE


def _may(kubectl: Kubectl, verb: str, resource: str) -> bool:
    allowed, _ = kubectl.try_run("auth", "can-i", verb, resource)
    return allowed
