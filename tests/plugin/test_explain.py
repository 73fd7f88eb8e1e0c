"""What `kubectl summaryrule explain` says of a rule, and its exit code."""

import io
from typing import Any

import pytest

from plugin.cli import parse
from plugin.commands.explain import explain
from plugin.console import Console
from plugin.kubectl import Kubectl
from summaryrule.api.backfill_request import spec_hash
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.schema_validation import parse_rule
from tests.plugin.rules import condition, rule, running

SCHEDULE = "summaryrule.adx-mon.azure.com"
BACKFILL = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-24T00:00:00Z"}


class Cluster(Kubectl):
    """A cluster with one rule."""

    def __init__(self, held: dict[str, Any]) -> None:
        super().__init__("none", [])
        self.held = held

    def rule(self, name: str) -> dict[str, Any]:
        assert name == self.held["metadata"]["name"]
        return self.held


def explained(held: dict[str, Any]) -> tuple[int, list[str]]:
    out, args = io.StringIO(), parse(["explain", "cpu"])
    args.name = "cpu"
    code = explain(Cluster(held), args, Console(out, io.StringIO()))
    return code, out.getvalue().splitlines()


def _suspended() -> dict[str, Any]:
    held = rule(conditions=[condition("Ready", "Suspended", "x") | {"status": "True"}])
    held["spec"]["suspend"] = True
    return held


def _paused() -> dict[str, Any]:
    held = _suspended()
    held["spec"]["backfill"] = {**BACKFILL, "suspend": True}
    known = spec_hash(parse_rule(held).spec)
    held["status"]["backfill"] = running(phase="Paused", specHash=known)
    return held


def _elsewhere() -> dict[str, Any]:
    held = rule(
        conditions=[
            condition(SCHEDULE, "CriteriaNotMet", "no criteria matched the cluster labels"),
            condition("Ready", "OtherCluster", "no criteria matched the cluster labels")
            | {"status": "True"},
        ]
    )
    held["spec"]["criteria"] = {"region": ["eastus"]}
    return held


def _deleting() -> dict[str, Any]:
    held = rule()
    held["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    return held


def _unavailable() -> dict[str, Any]:
    return rule(conditions=[condition(SCHEDULE, "EndpointUnavailable", "https://k: no answer")])


def _failed() -> dict[str, Any]:
    window = {"start": "2026-11-24T08:00:00Z", "end": "2026-11-24T09:00:00Z", "error": "SEM0100"}
    said = "1 windows failed, the first [2026-11-24T08:00:00Z, 2026-11-24T09:00:00Z): SEM0100"
    held = rule(conditions=[condition(SCHEDULE, "WindowFailed", said)])
    held["status"]["schedule"] = {"cursor": "2026-11-24T10:00:00Z", "failed": [window]}
    return held


@pytest.mark.parametrize(
    ("held", "code", "reason", "said"),
    [
        (_suspended(), 0, "Suspended", "resume cpu --schedule"),
        (_paused(), 0, "Paused", "resume cpu"),
        (_elsewhere(), 0, "OtherCluster", "worker.clusterLabels"),
        (_deleting(), 0, "Deleting", "cancelled first"),
        (_unavailable(), 1, "EndpointUnavailable", "check the endpoint that the message names"),
        (_failed(), 1, "WindowFailed", "[2026-11-24T08:00:00Z, 2026-11-24T09:00:00Z): SEM0100"),
    ],
)
def test_each_reason_has_its_remedy_and_only_a_problem_fails(
    held: dict[str, Any], code: int, reason: str, said: str
) -> None:
    got, lines = explained(held)
    assert got == code
    (at,) = (number for number, line in enumerate(lines) if line.startswith(f"Held: {reason}: "))
    assert lines[at + 1].startswith("  do: ")
    assert said in lines[at] + lines[at + 1]
    assert "Nothing holds it." not in lines


@pytest.mark.parametrize("reason", BlockReason)
def test_every_reason_has_a_kind_a_message_and_a_remedy_without_blanks_to_fill(
    reason: BlockReason,
) -> None:
    assert reason.kind
    remedy = reason.remedy("cpu")
    assert remedy
    assert "{" not in remedy.replace('{"metadata"', "").replace('{"finalizers"', "")
