"""The worker's own plan for a rule as the cluster has it; for `plan` and `explain`."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.kubectl import Rule
from summaryrule.explain import explain
from summaryrule.glance import OWNER_CONDITION, listed, part
from summaryrule.instant import Instant
from summaryrule.observed import Observed
from summaryrule.plan import MalformedError, plan, read
from summaryrule.settings import Settings

Held = Mapping[str, str]


def forecast(rule: Rule, now: Instant) -> dict[str, Any]:
    """What `worker plan` prints for it, held back as the worker's verdict in status says."""
    verdict = list(_verdict(rule))
    try:
        known = read(_without_criteria(rule))
    except MalformedError as error:
        name = part(rule, "metadata").get("name")
        held = [{"reason": "Malformed", "message": str(error)}]
        return {"name": name, "held": held, "interval": [], "backfill": []}
    settings = Settings(endpoints={known.spec.database: ""})
    planned = explain(known, plan(known, Observed(), now, settings, _no_criteria), now, settings)
    if verdict:
        planned = {"name": planned["name"], "held": planned["held"], "interval": [], "backfill": []}
    return {**planned, "held": [*verdict, *planned["held"]]}


def _verdict(rule: Rule) -> Iterator[Held]:
    """Why the worker runs nothing of it here: what only the worker can know."""
    for condition in listed(part(rule, "status"), "conditions"):
        reason = condition.get("reason")
        if condition.get("type") == OWNER_CONDITION and reason in _THE_WORKERS:
            yield {"reason": str(reason), "message": str(condition.get("message", ""))}


_THE_WORKERS = frozenset({"CriteriaNotMet", "CriteriaExpressionError", "NoEndpoint"})


def _without_criteria(rule: Rule) -> Rule:
    spec = {
        name: value
        for name, value in part(rule, "spec").items()
        if name not in {"criteria", "criteriaExpression"}
    }
    return {**rule, "spec": spec}


def _no_criteria(_expression: str, _labels: Mapping[str, str]) -> bool:
    raise AssertionError("criteria were taken out")
