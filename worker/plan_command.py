"""``worker plan``: prints what a run would submit for rules in files or in a cluster."""

import json
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from runtime import clock
from runtime.cel import evaluate
from runtime.options import read_ownership
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.instant import Instant
from summaryrule.api.object_meta import display_name, validate_name
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.planner.adoption import plan_ownership
from summaryrule.planner.plan import decide
from summaryrule.planner.plan_json import explain
from summaryrule.planner.types import Blocked, Observations, PlannerSettings
from worker.cli import labels
from worker.kusto.config import parse_endpoints
from worker.rule_sources import read_rules


def run(options: Namespace) -> int:
    """Print the plans of the rules in ``options``; return the exit code.

    Raises:
        ValueError: a file or an option cannot be read, or there is no such rule.
        OperatorError: the cluster cannot be asked, or does not allow it.
    """
    settings = PlannerSettings(
        endpoints=parse_endpoints(options.kusto_endpoint, allow_plain_http=True),
        labels=labels(options.cluster_label, "--cluster-label"),
        ownership=read_ownership(options),
    )
    now = options.now or clock.now()
    rules = read_rules(options.rules, options.namespace, "worker plan")
    for line in plan_lines(rules, now=now, settings=settings, output=options.output):
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


def _plan(rule: Mapping[str, Any], now: Instant, given: PlannerSettings) -> dict[str, Any]:
    # A file has not been through admission: a missing end is filled as the webhook would.
    stored = (
        apply_defaults(rule, rule, user="worker plan", worker="", now=now).object
        if _lacks_end(rule)
        else rule
    )
    not_ours = plan_ownership(rule, now, given)
    if not_ours is not None and not_ours.blocked:
        return _without_windows(rule, not_ours.blocked)
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
    return _without_windows(
        rule, [Blocked.because(BlockReason.MALFORMED, cause=each) for each in refused]
    )


def _without_windows(rule: Mapping[str, Any], blocked: Iterable[Blocked]) -> dict[str, Any]:
    return {
        "name": display_name(rule),
        "count": {"interval": 0, "backfill": 0},
        "estimate": {},
        "held": [each.as_json() for each in blocked],
        "interval": [],
        "backfill": [],
    }


def _lacks_end(rule: Mapping[str, Any]) -> bool:
    spec = rule.get("spec")
    backfill = spec.get("backfill") if isinstance(spec, dict) else None
    return isinstance(backfill, dict) and backfill.get("end", backfill.get("endTime")) is None


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
