"""Plays the writes of adx-mon's exporter (Azure/adx-mon 905bfa4d, adxexporter/summaryrule.go).

It updates the whole status with what its Go types know: conditions and its own ``backfill``. Every
other field of the status is gone after its update. The windows are appended for real.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.e2e.api import RULES, Api
from tests.e2e.fixtures import HOUR, Sandbox, now

OWNER = "adx-mon.azure.com/owner"
DESIRED = "adx-mon.azure.com/desired-owner"
SCHEDULE = "summaryrule.adx-mon.azure.com"
CURSOR = f"{SCHEDULE}/LastSuccessfulExecution"
OPERATIONS = f"{SCHEDULE}/OperationId"
EXPORTER = "adx-exporter"

Json = dict[str, Any]


class Exporter:
    """adx-mon's exporter for the rules of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._api = Api(stack)

    def claim(self, sandbox: Sandbox) -> None:
        """``PatchClaim``: it owns the rule from now on."""
        annotations = {OWNER: EXPORTER, DESIRED: None}
        self._api.patch(f"{RULES}/{sandbox.name}", {"metadata": {"annotations": annotations}})

    def run(self, sandbox: Sandbox, start: Instant) -> str:
        """Append one window, without a tag; return its operation."""
        end = start.plus(HOUR.ticks - 1)
        body = sandbox.get()["spec"]["body"]
        text = (
            f".set-or-append async {sandbox.table} with (extend_schema=true) <| "
            f"let _startTime=datetime({start});\nlet _endTime=datetime({end});\n{body}"
        )
        table = sandbox.kusto.execute_mgmt(sandbox.database, text).primary_results[0]
        return str(next(iter(table))[0])

    def report(
        self,
        sandbox: Sandbox,
        cursor: Instant,
        *,
        operations: Sequence[Json] = (),
        backfill: Json | None = None,
    ) -> None:
        """``Status().Update``: the conditions after a submission, and ``status.backfill``."""
        rule = sandbox.get()
        generation = rule["metadata"]["generation"]
        said = "Most recent submission succeeded"
        conditions = [
            _condition("Criteria", "CriteriaMatched", "no criteria specified", generation),
            _condition(SCHEDULE, "Updated", "Rule submitted successfully", generation),
            _condition("Completed", "ExecutionSuccessful", said, generation),
            _condition("Failed", "ExecutionSuccessful", said, generation, status="False"),
            _condition(OPERATIONS, "Complete", json.dumps(list(operations)), generation),
            _condition(CURSOR, "ExecutionCompleted", str(cursor), generation),
        ]
        kept = {each["type"]: each for each in rule.get("status", {}).get("conditions", [])}
        kept |= {each["type"]: each for each in conditions}
        if backfill is not None:
            phase = backfill["phase"]
            kept["Backfill"] = _condition("Backfill", phase, f"Backfill {phase}", generation)
        status: Json = {"conditions": list(kept.values())}
        if backfill is not None:
            status["backfill"] = {"observedGeneration": generation, "retriedWindows": 0, **backfill}
        self._api.put(f"{RULES}/{sandbox.name}/status", {**rule, "status": status})


def progress(phase: str, done: int, following: Instant, *active: tuple[str, Instant]) -> Json:
    """adx-mon's ``status.backfill`` for the request ``old``; ``active`` are its operations."""
    operations = [
        {"operationId": each, "startTime": str(at), "endTime": str(at.plus(HOUR.ticks - 1))}
        for each, at in active
    ]
    return {
        "requestId": "old",
        "phase": phase,
        "nextWindowStart": str(following),
        "submittedWindows": done + len(active),
        "completedWindows": done,
        **({"activeOperations": operations} if operations else {}),
    }


def requested(start: Instant, end: Instant) -> Json:
    """``spec.backfill`` in adx-mon's form."""
    return {"requestId": "old", "startTime": str(start), "endTime": str(end)}


def install_crd(stack: Stack, text: str) -> None:
    """Replace the CRD in the cluster."""
    crd = yaml.safe_load(text)
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"
    api = Api(stack)
    stored = api.get(path)
    api.put(path, {**stored, "spec": {**crd["spec"], "conversion": stored["spec"]["conversion"]}})


def _condition(
    kind: str, reason: str, message: str, generation: int, *, status: str = "True"
) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": str(now().to_seconds()),
    }
