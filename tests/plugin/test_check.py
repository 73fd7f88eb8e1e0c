"""`check` finds what is broken and says how to fix it; `version` says what runs."""

import io
import json
from typing import Any

import pytest

from plugin.cli import parse
from plugin.commands.check import check, version
from plugin.console import Console
from plugin.kubectl import Kubectl
from summaryrule.api.constants import RESOURCE
from tests.plugin.rules import QuickConsole, condition, items, lease, rule

DENIED = 'The SummaryRule "x" is invalid: spec.body: Invalid value: ".show tables": is …'
CREATE, LEASES = "create --dry-run=server", "get leases.coordination.k8s.io"
Answer = tuple[bool, str]


def deployment(release: str) -> Any:
    return {"metadata": {"labels": {"app.kubernetes.io/version": release}}}


WELL: dict[str, Answer] = {
    "get --raw": (True, "{}"),
    "auth can-i": (True, "yes"),
    "create --dry-run=server": (False, DENIED),
    f"get {RESOURCE}": items(rule()),
    "get customresourcedefinitions": items(deployment("0.2.0")),
    "get deployments.apps": items(deployment("0.2.0"), deployment("0.1.0")),
}


class Cluster(Kubectl):
    """A cluster that answers what it is told to."""

    def __init__(self, faults: dict[str, Answer]) -> None:
        super().__init__("none", [])
        self.answers = {**WELL, LEASES: lease(2), **faults}

    def try_run(self, *words: str, given: str = "") -> Answer:
        assert bool(given) == (words[0] == "create")
        return self.answers[" ".join(words[:2])]


def checked(cluster: Cluster) -> tuple[int, str]:
    out = io.StringIO()
    return check(cluster, parse(["check"]), QuickConsole(out, io.StringIO())), out.getvalue()


def test_an_installation_that_works_has_five_good_findings() -> None:
    code, said = checked(Cluster({}))
    assert code == 0
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["ok", "CRD:"],
        ["ok", "permissions:"],
        ["ok", "webhook:"],
        ["ok", "worker:"],
        ["ok", "endpoints:"],
    ]


SILENT = condition("summaryrule.adx-mon.azure.com", "EndpointUnavailable", "https://k: no answer")
NOT_SERVED = "Error from server (NotFound): the server could not find the requested resource"


@pytest.mark.parametrize(
    ("name", "answer", "said", "fix"),
    [
        ("get --raw", (False, NOT_SERVED), "does not serve", "install the chart"),
        ("get --raw", (False, "connection refused"), "connection refused", "current-context"),
        ("auth can-i", (False, "no"), "may not get, list, patch", "ClusterRole edit"),
        (CREATE, (True, "created"), "does not ask a webhook", "webhook.enabled=true"),
        (CREATE, (False, "failed calling webhook: x509"), "x509", "component=webhook"),
        (LEASES, items(), "no worker has led yet", "component=worker"),
        (LEASES, lease(90), "(worker-0 led last)", "component=worker"),
        (f"get {RESOURCE}", items(rule(conditions=[SILENT])), "no answer", "check the endpoint"),
    ],
)
def test_a_fault_is_named_with_its_fix(name: str, answer: Answer, said: str, fix: str) -> None:
    code, text = checked(Cluster({name: answer}))
    assert code == 1
    (failed,) = (line for line in text.splitlines() if line.startswith("failed"))
    assert said in failed
    assert fix in text.splitlines()[text.splitlines().index(failed) + 1]


def test_what_this_login_may_not_read_is_no_fault() -> None:
    code, text = checked(Cluster({LEASES: (False, "Forbidden")}))
    assert code == 0
    assert "unknown  worker: Forbidden" in text


def test_versions_are_those_of_the_labels() -> None:
    out = io.StringIO()
    args = parse(["version", "-o", "json"])
    assert version(Cluster({}), args, Console(out, io.StringIO())) == 0
    found = json.loads(out.getvalue())
    assert list(found) == ["plugin", "CRD", "webhook", "worker"]
    assert (found["CRD"], found["worker"]) == ("0.2.0", "0.1.0, 0.2.0")


class OtherClock(Cluster):
    """A cluster whose worker renews its Lease by another clock."""

    def __init__(self, seconds_behind: int) -> None:
        super().__init__({})
        self.behind = seconds_behind

    def try_run(self, *words: str, given: str = "") -> Answer:
        if " ".join(words[:2]) == LEASES:
            self.behind -= 3
            return lease(self.behind)
        return super().try_run(*words, given=given)


@pytest.mark.parametrize(
    ("seconds", "said"), [(3606, "1h ahead of the worker's"), (-3600, "1h behind the worker's")]
)
def test_a_clock_that_differs_from_the_workers_is_said_and_is_no_missing_worker(
    seconds: int, said: str
) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert check(OtherClock(seconds), parse(["check"]), QuickConsole(out, err)) == 0
    assert f"the clock of this machine is {said}: LAG" in err.getvalue()
    assert "do: set both clocks by NTP" in err.getvalue()


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_worker_that_renews_nothing_does_not_lead_whatever_the_clock(seconds: int) -> None:
    code, said = checked(Cluster({LEASES: lease(seconds)}))
    assert code == 1
    assert "failed   worker: no worker leads since" in said
