"""What the two programs may do on a real API server: this, and nothing else."""

import json
import subprocess

import pytest

from devstack.stack import Stack
from summaryrule.api.constants import RESOURCE
from tests.chart.helm import NAMESPACE, RELEASE

CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
EVERYBODYS = {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}
EVERYBODYS |= {"clustertrustbundles"}

Grant = tuple[str, str, str]
"""A resource, the name it is restricted to (or none) and a verb."""

GRANTS: dict[str, set[Grant]] = {
    "worker": {
        *(("summaryrules", "", verb) for verb in ("get", "list", "watch", "patch")),
        ("summaryrules/status", "", "patch"),
        *(("events", "", verb) for verb in ("create", "get", "patch")),
        *(("leases", f"{RELEASE}-worker", verb) for verb in ("get", "update")),
        ("leases", "", "create"),
        ("customresourcedefinitions", RESOURCE, "get"),
        *(("deployments", f"{RELEASE}-{who}", "get") for who in ("worker", "webhook")),
    },
    "webhook": {
        *((each, RELEASE, verb) for each in CONFIGURATIONS for verb in ("get", "watch", "patch")),
        *(("secrets", f"{RELEASE}-webhook-ca", verb) for verb in ("get", "watch", "update")),
        ("secrets", "", "create"),
    },
}
FORBIDDEN = {
    "worker": [
        ("delete", "summaryrules"),
        ("create", "summaryrules"),
        ("get", "secrets"),
        ("list", "pods"),
        ("list", "leases"),
        ("update", "leases/another"),
        ("list", "deployments"),
        ("get", "deployments/another"),
        ("get", "customresourcedefinitions/another"),
        ("patch", f"validatingwebhookconfigurations/{RELEASE}"),
        ("impersonate", "users"),
    ],
    "webhook": [
        ("get", "summaryrules"),
        ("patch", "summaryrules"),
        ("list", "secrets"),
        ("get", "secrets/another"),
        ("delete", f"secrets/{RELEASE}-webhook-ca"),
        ("patch", "mutatingwebhookconfigurations/another"),
        ("update", f"validatingwebhookconfigurations/{RELEASE}"),
        ("create", "validatingwebhookconfigurations"),
        ("create", "events"),
    ],
}


def kubectl(stack: Stack, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(stack.kubectl), "-n", NAMESPACE, *words],
        env=stack.env(),
        input=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def account(component: str) -> str:
    return f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}-{component}"


@pytest.mark.parametrize("component", GRANTS)
def test_an_account_may_do_what_the_table_says_and_nothing_else(
    stack: Stack, component: str
) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": NAMESPACE},
    }
    words = ("create", "--validate=false", "-f", "-", "-ojson", account(component))
    done = kubectl(stack, *words, given=json.dumps(review))
    assert done.returncode == 0, done.stderr
    granted = {
        (resource, name, verb)
        for rule in json.loads(done.stdout)["status"]["resourceRules"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
        if resource not in EVERYBODYS
    }
    assert granted == GRANTS[component]


@pytest.mark.parametrize(
    ("component", "verb", "what"),
    [(who, verb, what) for who, refused in FORBIDDEN.items() for verb, what in refused],
)
def test_what_an_account_must_not_do_is_refused(
    stack: Stack, component: str, verb: str, what: str
) -> None:
    done = kubectl(stack, "auth", "can-i", verb, what, account(component))
    assert done.stdout.strip() == "no"


@pytest.mark.parametrize(
    ("role", "verb", "may"),
    [
        ("view", "get", "yes"),
        ("view", "create", "no"),
        ("edit", "patch", "yes"),
        ("admin", "delete", "yes"),
    ],
)
def test_the_built_in_roles_reach_summary_rules(
    stack: Stack, role: str, verb: str, may: str
) -> None:
    """NB: no controller fills aggregated roles here, so it is our part that is bound."""
    part = RELEASE + ("-view" if role == "view" else "-edit")
    labels = json.loads(kubectl(stack, "get", "clusterrole", part, "-ojson").stdout)["metadata"][
        "labels"
    ]
    assert labels[f"rbac.authorization.k8s.io/aggregate-to-{role}"] == "true"
    subject = f"{role}-of-rules"
    for each in ("view",) if role == "view" else ("view", "edit"):
        kubectl(
            stack, "create", "rolebinding", f"{subject}-{each}", f"--user={subject}",
            f"--clusterrole={RELEASE}-{each}",
        )  # fmt: skip
    done = kubectl(stack, "auth", "can-i", verb, "summaryrules", f"--as={subject}")
    assert done.stdout.strip() == may


def test_who_may_view_rules_everywhere_may_read_the_lease_of_the_worker_alone(
    stack: Stack,
) -> None:
    subject = "view-of-the-lease"
    kubectl(
        stack, "create", "clusterrolebinding", subject, f"--user={subject}",
        f"--clusterrole={RELEASE}-view",
    )  # fmt: skip

    def listed(name: str) -> "subprocess.CompletedProcess[str]":
        chosen = f"--field-selector=metadata.name={name}"
        return kubectl(stack, "get", "leases", "-A", "-oname", chosen, f"--as={subject}")

    assert listed(f"{RELEASE}-worker").stdout.strip().endswith(f"/{RELEASE}-worker")
    assert "forbidden" in listed("another").stderr


def test_nothing_was_forbidden_to_either_program_so_far(stack: Stack) -> None:
    events = map(json.loads, stack.audit.read_text().splitlines())
    programs = {f"system:serviceaccount:{NAMESPACE}:{RELEASE}-{who}" for who in GRANTS}
    refused = [
        (event["user"]["username"], event["verb"], event["requestURI"])
        for event in events
        if event["user"]["username"] in programs
        and "impersonatedUser" not in event
        and event.get("responseStatus", {}).get("code") == 403
    ]
    assert refused == []
