"""`plan`: what the worker would submit now, by the worker's own planner on this machine.

Only the worker knows the cluster labels. Whether criteria match is read from the rule's status,
and a command lacks the `let` lines of the labels.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from plugin.console import Console
from plugin.formatting import plural
from plugin.kubectl import Kubectl, Rule
from plugin.tables import table
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import SCHEDULE_CONDITION
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.unstructured import nested_dict, nested_list
from summaryrule.planner.adoption import plan_ownership
from summaryrule.planner.plan import decide
from summaryrule.planner.plan_json import explain
from summaryrule.planner.types import Blocked, Observations, PlannerSettings

MAX_SHOWN: Final = 10
"""Windows of each kind in the table."""
WORKER_ONLY_REASONS: Final = frozenset(
    {
        BlockReason.CRITERIA_NOT_MET,
        BlockReason.CRITERIA_EXPRESSION_ERROR,
        BlockReason.NO_ENDPOINT,
        BlockReason.QUERY_INVALID,
    }
)


def plan(kubectl: Kubectl, args: argparse.Namespace, console: Console) -> int:
    """Print it; exit code 0."""
    planned = local_plan(kubectl.rule(args.name), args.now or console.now())
    console.show(planned, args.output, lines(planned, wide=args.output == "wide"))
    return 0


def lines(planned: Mapping[str, Any], *, wide: bool) -> Iterator[str]:
    """The counts, the block reasons and the windows; `wide` prints each window with its KQL."""
    runs, past = len(planned["interval"]), len(planned["backfill"])
    more = f", and {planned['more']} more" if planned.get("more") else ""
    due = f"{plural(runs, 'interval window')} and {plural(past, 'backfill window')} due{more}"
    yield f"{planned['name']}: {due}"
    for held in planned["held"]:
        yield f"  held: {held['reason']}: {held['message']}"
    yield from _with_kql(planned) if wide else _as_table(planned)


def _as_table(planned: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (kind, window["start"], window["end"])
        for kind in ("interval", "backfill")
        for window in planned[kind][:MAX_SHOWN]
    ]
    if rows:
        yield from table(("KIND", "START", "END"), rows)
    left = len(planned["interval"]) + len(planned["backfill"]) + planned.get("more", 0) - len(rows)
    if left:
        yield f"and {left} more; -o wide shows the first thousand with their KQL"


def _with_kql(planned: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("interval", "backfill"):
        for window in planned[kind]:
            yield f"{kind} [{window['start']}, {window['end']})  token {window['token']}"
            yield from (f"  | {line}" for line in window["command"].splitlines())


Held = Mapping[str, str]


def local_plan(rule: Rule, now: Instant) -> dict[str, Any]:
    """The plan that `worker plan` prints, without windows where status has a worker's reason."""
    reasons = list(_worker_block_reasons(rule))
    name = nested_dict(rule, "metadata").get("name")
    not_ours = plan_ownership(rule, now, PlannerSettings())
    if not_ours is not None:
        return _without_windows(name, not_ours.blocked)
    try:
        known = parse_rule(_without_criteria(rule))
    except MalformedError as error:
        return _without_windows(name, [Blocked(BlockReason.MALFORMED, str(error))])
    settings = PlannerSettings(endpoints={known.spec.database: ""})
    planned = explain(
        known, decide(known, Observations(), now, settings, _no_criteria), now, settings
    )
    if reasons:
        planned = {"name": planned["name"], "held": planned["held"], "interval": [], "backfill": []}
    return {**planned, "held": [*reasons, *planned["held"]]}


def _without_windows(name: object, blocked: Iterable[Blocked]) -> dict[str, Any]:
    held = [each.as_json() for each in blocked]
    return {"name": name, "held": held, "interval": [], "backfill": []}


def _worker_block_reasons(rule: Rule) -> Iterator[Held]:
    """The block reasons in status that only the worker can find."""
    for condition in nested_list(nested_dict(rule, "status"), "conditions"):
        reason = condition.get("reason")
        if condition.get("type") == SCHEDULE_CONDITION and reason in WORKER_ONLY_REASONS:
            yield {"reason": str(reason), "message": str(condition.get("message", ""))}


def _without_criteria(rule: Rule) -> Rule:
    spec = {
        name: value
        for name, value in nested_dict(rule, "spec").items()
        if name not in {"criteria", "criteriaExpression"}
    }
    return {**rule, "spec": spec}


def _no_criteria(_expression: str, _labels: Mapping[str, str]) -> bool:
    raise AssertionError("the rule has no criteria")
