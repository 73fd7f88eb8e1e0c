"""What `kubectl summaryrule explain` says of a rule, and its exit code."""

import io
import re
from typing import Any

import pytest

from plugin.cli import parse
from plugin.commands.explain import explain
from plugin.kubectl import Kubectl
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import RESOURCE
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import spec_hash
from tests.plugin.rules import QuickConsole, condition, items, lease, rule, running

Answer = tuple[bool, str]
SCHEDULE = "summaryrule.adx-mon.azure.com"
TRUE = {"status": "True"}
BACKFILL = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-24T00:00:00Z"}


class Cluster(Kubectl):
    """A cluster with one rule that is asked for, further rules, and a Lease."""

    def __init__(self, held: dict[str, Any], leases: Answer, *others: dict[str, Any]) -> None:
        super().__init__("none", [])
        self.held, self.leases, self.others = held, leases, others

    def rule(self, name: str) -> dict[str, Any]:
        assert name == self.held["metadata"]["name"]
        return self.held

    def try_run(self, *words: str, given: str = "") -> Answer:
        assert not given
        if words[1] == "leases.coordination.k8s.io":
            return self.leases
        return items(self.held, *self.others) if words[1] == RESOURCE else items()


def explained(
    held: dict[str, Any], leases: Answer | None = None, *others: dict[str, Any]
) -> tuple[int, list[str]]:
    out, args = io.StringIO(), parse(["explain", "cpu"])
    args.name = "cpu"
    cluster = Cluster(held, leases or lease(2), *others)
    code = explain(cluster, args, QuickConsole(out, out))
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
    assert re.search(r"{\w", remedy) is None


GONE = lease(600, "")
DEAD = lease(600)
NEVER = items()


@pytest.mark.parametrize(
    ("leases", "said"),
    [(GONE, "no worker leads since "), (DEAD, "(worker-0 led last)"), (NEVER, "has led yet")],
)
def test_without_a_worker_nothing_is_said_to_run(leases: Answer, said: str) -> None:
    held = rule(backfill=running(), conditions=[condition("Ready", "Active", "") | TRUE])
    held["spec"]["backfill"] = BACKFILL
    held["status"]["backfill"]["specHash"] = spec_hash(parse_rule(held).spec)
    code, lines = explained(held, leases)
    text = "\n".join(lines)
    assert code == 1
    assert f"ready     Unknown, {BlockReason.NO_LEADER}" in text
    assert said in text
    assert "backfill  Waiting  " in text
    assert "Running" not in text
    assert "Nothing holds it" not in text
    assert "do: start a worker" in text


def test_without_a_worker_a_deletion_says_that_it_waits_for_one() -> None:
    code, lines = explained(_deleting(), GONE)
    assert code == 1
    (held, remedy) = (at for at in range(len(lines)) if lines[at].startswith("Held: "))
    assert "Deleting: the deletion waits for a worker: no worker leads since " in lines[held]
    assert """-p '{"metadata": {"finalizers": null}}'""" in lines[held + 1]
    assert "NoLeader" in lines[remedy]


def test_without_a_worker_what_somebody_chose_stays_what_it_is() -> None:
    code, lines = explained(_suspended(), GONE)
    assert (code, lines[1]) == (0, "  ready     True, Suspended")


def test_a_rule_that_waits_in_the_queue_says_how_many_are_ahead() -> None:
    unseen, *older = (rule(name) for name in ("cpu", "a", "b", "seen"))
    for number, each in enumerate((unseen, *older)):
        each["metadata"]["creationTimestamp"] = f"2026-11-24T10:0{9 - number}:00Z"
        if each is not older[-1]:
            each["status"] = {}
    code, lines = explained(unseen, None, *older)
    text = "\n".join(lines)
    assert "Held: Queued: the rule waits in the work queue; rules ahead of it: 2" in text
    assert "NotSeen" not in text
    assert code == 0
    code, lines = explained(unseen)
    assert "Held: NotSeen" in "\n".join(lines), "nothing is ahead of it, and it is not new"
    assert code == 1


def test_a_lease_that_may_not_be_read_is_said_and_changes_nothing() -> None:
    code, lines = explained(rule(), (False, "Error: leases is forbidden"))
    assert lines[0] == "whether a worker leads is unknown: Error: leases is forbidden"
    assert code == 0
