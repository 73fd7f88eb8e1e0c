"""The worker's own decide for a rule as the cluster has it; for `decide` and `explain`."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.kubectl import Rule
from summaryrule.api.constants import SCHEDULE_CONDITION
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.unstructured import nested_dict, nested_list
from summaryrule.planner.explain import explain
from summaryrule.planner.plan import decide
from summaryrule.planner.types import Observations, PlannerSettings

Held = Mapping[str, str]


def forecast(rule: Rule, now: Instant) -> dict[str, Any]:
    """What `worker decide` prints for it, held back as the worker's verdict in status says."""
    verdict = list(_verdict(rule))
    try:
        known = parse_rule(_without_criteria(rule))
    except MalformedError as error:
        name = nested_dict(rule, "metadata").get("name")
        held = [{"reason": "Malformed", "message": str(error)}]
        return {"name": name, "held": held, "interval": [], "backfill": []}
    settings = PlannerSettings(endpoints={known.spec.database: ""})
    planned = explain(
        known, decide(known, Observations(), now, settings, _no_criteria), now, settings
    )
    if verdict:
        planned = {"name": planned["name"], "held": planned["held"], "interval": [], "backfill": []}
    return {**planned, "held": [*verdict, *planned["held"]]}


def _verdict(rule: Rule) -> Iterator[Held]:
    """Why the worker runs nothing of it here: what only the worker can know."""
    for condition in nested_list(nested_dict(rule, "status"), "conditions"):
        reason = condition.get("reason")
        if condition.get("type") == SCHEDULE_CONDITION and reason in _THE_WORKERS:
            yield {"reason": str(reason), "message": str(condition.get("message", ""))}


_THE_WORKERS = frozenset({"CriteriaNotMet", "CriteriaExpressionError", "NoEndpoint"})


def _without_criteria(rule: Rule) -> Rule:
    spec = {
        name: value
        for name, value in nested_dict(rule, "spec").items()
        if name not in {"criteria", "criteriaExpression"}
    }
    return {**rule, "spec": spec}


def _no_criteria(_expression: str, _labels: Mapping[str, str]) -> bool:
    raise AssertionError("criteria were taken out")
