"""``worker plan``: prints what a run would submit for rules in files or in a cluster."""

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime import clock
from runtime.cel import evaluate
from runtime.manifests import ManifestError, read_file, require_rules
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.api.constants import RESOURCE
from summaryrule.api.instant import Instant
from summaryrule.api.object_meta import display_name, validate_name
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.planner.plan import decide
from summaryrule.planner.plan_json import explain
from summaryrule.planner.types import Observations, PlannerSettings
from worker.cli import labels
from worker.errors import NotFound, Refused
from worker.kusto.config import parse_endpoints
from worker.ports import RawRule


def run(options: Namespace) -> int:
    """Print the plans of the rules in ``options``; return the exit code.

    Raises:
        ValueError: a file or an option cannot be read, or there is no such rule.
        WorkerError: the cluster cannot be asked, or does not allow it.
    """
    settings = PlannerSettings(
        endpoints=parse_endpoints(options.kusto_endpoint, allow_plain_http=True),
        labels=labels(options.cluster_label, "--cluster-label"),
        adopt_unowned=options.adopt_unowned,
        mode=options.mode,
    )
    now = options.now or clock.now()
    for line in plan_lines(_rules(options), now=now, settings=settings, output=options.output):
        print(line)  # noqa: T201 - a command prints
    return 0


def plan_lines(
    rules: Iterable[Mapping[str, Any]], *, now: Instant, settings: PlannerSettings, output: str
) -> Iterator[str]:
    """The lines to print; where ``settings`` name no endpoint, every database has one."""
    plans = [_plan(rule, now, settings) for rule in rules]
    if output == "json":
        yield json.dumps(plans, indent=2, ensure_ascii=False)
        return
    for plan in plans:
        yield from _as_text(plan)


def is_file(argument: str) -> bool:
    """Whether an argument names a file rather than a rule.

    The name of a rule may hold dots, so only what looks like YAML or JSON, or exists, is a file.
    """
    looks_like_one = (
        argument == "-" or "/" in argument or Path(argument).suffix in (".yaml", ".yml", ".json")
    )
    return looks_like_one or Path(argument).is_file()


def _rules(options: Namespace) -> Iterator[Mapping[str, Any]]:
    """The rules in files and those of the cluster, in the order of the arguments."""
    files = {each: read_file(each) for each in options.rules if is_file(each)}
    names = [each for each in options.rules if each not in files]
    if not names:
        require_rules(list(files.values()))
    for file in files.values():
        if file.note:
            print(f"worker plan: {file.note}", file=sys.stderr)  # noqa: T201
    found: dict[str, RawRule] = {}
    if names:
        found = asyncio.run(_get_from_cluster(names, options.namespace, os.environ))
    for each in options.rules:
        yield from files[each].rules if each in files else [found[each]]


async def _get_from_cluster(
    names: Iterable[str], namespace: str | None, environ: Mapping[str, str]
) -> dict[str, RawRule]:
    """The rules by name; ``namespace`` None is the pod's or the kubeconfig's own.

    Raises:
        ManifestError: there is no such rule.
        WorkerError: the cluster cannot be asked, or does not allow it.
    """
    # Imported here: the client library takes half a second, and a plan of files needs none.
    from worker.kube.client import KubeClient  # noqa: PLC0415
    from worker.kube.config import connect, default_namespace  # noqa: PLC0415
    from worker.kube.summaryrules import SummaryRuleClient  # noqa: PLC0415

    client = await connect(environ, user_agent="summaryrule-operator-plan")
    try:
        rules = SummaryRuleClient(KubeClient(client))
        where = namespace or default_namespace(environ)
        return {name: await _get(rules, where, name) for name in names}
    finally:
        await client.close()  # type: ignore[no-untyped-call]


async def _get(rules: Any, namespace: str, name: str) -> RawRule:  # noqa: ANN401 - imported late
    try:
        rule: RawRule = await rules.get(namespace, name)
    except NotFound as error:
        if "not found" in str(error) and "page not found" not in str(error):
            raise ManifestError(
                f"there is no file {name} and no SummaryRule {name} in namespace {namespace};"
                " name another with -n"
            ) from error
        raise Refused("the cluster has no SummaryRules: install the chart first") from error
    except Refused as error:
        if error.code == "Forbidden":
            raise Refused(
                f"this login may not read SummaryRules in namespace {namespace}; it needs the verb"
                f" get on {RESOURCE}",
                error.code,
            ) from error
        raise
    return rule


def _plan(rule: Mapping[str, Any], now: Instant, given: PlannerSettings) -> dict[str, Any]:
    # A file has not been through admission: a missing end is filled as the webhook would.
    stored = (
        apply_defaults(rule, rule, user="worker plan", worker="", now=now).object
        if _lacks_end(rule)
        else rule
    )
    refused = [str(each) for each in validate_name(rule)]
    try:
        parsed = parse_rule(stored)
    except MalformedError as error:
        refused.append(str(error))
    else:
        if not refused:
            settings = replace(given, endpoints=given.endpoints or {parsed.spec.database: ""})
            plan = decide(parsed, Observations(), now, settings, evaluate)
            return explain(parsed, plan, now, settings)
    return {
        "name": display_name(rule),
        "count": {"interval": 0, "backfill": 0},
        "estimate": {},
        "held": [{"reason": "Malformed", "message": message} for message in refused],
        "interval": [],
        "backfill": [],
    }


def _lacks_end(rule: Mapping[str, Any]) -> bool:
    spec = rule.get("spec")
    backfill = spec.get("backfill") if isinstance(spec, dict) else None
    return isinstance(backfill, dict) and backfill.get("end") is None


def _as_text(plan: Mapping[str, Any]) -> Iterator[str]:
    interval, backfill = plan["count"]["interval"], plan["count"]["backfill"]
    yield f"{plan['name']}: {interval} interval and {backfill} backfill windows due"
    for kind, estimate in plan["estimate"].items():
        yield f"  {kind} estimate: {estimate['duration']} ({estimate['from']})"
    for held in plan["held"]:
        yield f"  held: {held['reason']}: {held['message']}"
    for kind in ("interval", "backfill"):
        for window in plan[kind]:
            yield f"  {kind:8} [{window['start']}, {window['end']})  token {window['token']}"
            yield from (f"    | {line}" for line in window["command"].splitlines())
    if plan.get("more"):
        yield f"  and {plan['more']} more"
