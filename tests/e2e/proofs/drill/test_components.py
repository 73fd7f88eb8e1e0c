"""`make prove-drill`: a component that is gone, and a certificate that has expired."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.chart import NAMESPACE, RELEASE
from devstack.stack import Stack
from tests.e2e.fixtures import Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.proofs.drill.report import Report
from tests.e2e.proofs.drill.surfaces import (
    NO_PAGE,
    WEBHOOK,
    WORKER,
    Operator,
    Surface,
    command_in,
)
from webhook.certificates.pki import KeyPair, ServiceName, new_ca, new_leaf

START, END = hours_ago(200), hours_ago(2)
LEAF = timedelta(seconds=40)
NOT_ITS_SUBJECT = "no: the worker does not ask the webhook"
DOCUMENTED = "no: it keeps what the last leader wrote (documented)"
SERVICE = ServiceName(f"{RELEASE}-webhook", NAMESPACE)

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(400)]


def scale(operator: Operator, deployment: str, replicas: int) -> None:
    operator.must(f"kubectl scale {deployment} -n {NAMESPACE} --replicas={replicas}")


def available(operator: Operator, deployment: str, word: str) -> Surface:
    """What `kubectl describe` says of a Deployment's pods."""
    line = f"kubectl describe {deployment} -n {NAMESPACE} | grep ^Replicas:"
    return Surface(lambda: operator.output(line), (word,), "of the Deployment")


def answer_to_new_rule(operator: Operator, sandbox: Sandbox) -> str:
    """What `kubectl apply` says of a rule that does not exist yet; nothing is stored."""
    rule = sandbox.rule()
    rule["metadata"]["name"] += "-new"
    return operator.output("kubectl apply --dry-run=server -f -", json.dumps(rule))


def webhook_surfaces(operator: Operator, sandbox: Sandbox) -> dict[str, Surface]:
    return {
        "kubectl get": Surface(
            lambda: answer_to_new_rule(operator, sandbox),
            ("failed calling webhook",),
            "the refusal of kubectl apply",
        ),
        "kubectl describe": available(operator, WEBHOOK, "1 unavailable"),
        "plugin": Surface(
            lambda: operator.output("kubectl summaryrule check"),
            ("failed   webhook: ", "failed calling webhook"),
            "check",
        ),
    }


def applies(operator: Operator, sandbox: Sandbox) -> bool:
    return "created" in answer_to_new_rule(operator, sandbox)


@pytest.fixture
def new(make: SandboxMaker) -> Sandbox:
    return make("new")


def test_the_webhook_is_killed(
    operator: Operator, whole_stack: Stack, report: Report, new: Sandbox
) -> None:
    row = report.begin("the webhook is killed", status_page=NOT_ITS_SUBJECT)
    whole_stack.kill("webhook")
    refused = "failed calling webhook" in answer_to_new_rule(operator, new)
    row.cells["kubectl get"] = "0 s (the refusal of kubectl apply)" if refused else "nothing failed"
    row.until_recovered("none: it is restarted", lambda: applies(operator, new), 20)


def test_the_webhook_has_no_pod(operator: Operator, report: Report, new: Sandbox) -> None:
    row = report.begin("the webhook is scaled to 0", status_page=NOT_ITS_SUBJECT)
    scale(operator, WEBHOOK, 0)
    surfaces = webhook_surfaces(operator, new)
    surfaces["kubectl describe"] = available(operator, WEBHOOK, "0 desired")
    row.until_said(surfaces)
    assert "kubectl get pods -A -l app.kubernetes.io/component=webhook; then read its log" in (
        operator.output("kubectl summaryrule check")
    )
    pods = Surface(
        lambda: operator.output("kubectl get pods -A -l app.kubernetes.io/component=webhook"),
        ("No resources found",),
    )
    row.until_said({"kubectl get pods": pods})
    scale(operator, WEBHOOK, 1)
    row.until_recovered(
        "`kubectl get pods` as check prints it: there is none; scaled to 1",
        lambda: applies(operator, new),
    )


def leaf(ca: KeyPair, lifetime: timedelta) -> KeyPair:
    return new_leaf(ca, SERVICE.dns_names, datetime.now(UTC), lifetime)


def store_pair(operator: Operator, pair: KeyPair, authority: bytes) -> None:
    files = {"tls.crt": pair.chain, "tls.key": pair.key, "ca.crt": authority}
    data = {name: base64.b64encode(content).decode() for name, content in files.items()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "own", "namespace": NAMESPACE},
        "data": data,
    }
    operator.must("kubectl apply -f -", json.dumps(secret))


def test_the_certificate_of_the_webhook_expires(
    operator: Operator, report: Report, new: Sandbox
) -> None:
    began = datetime.now(UTC)
    ca = new_ca(began, timedelta(days=1))
    store_pair(operator, leaf(ca, LEAF), ca.chain)
    operator.set_values("certificates.mode=existingSecret", "certificates.existingSecret.name=own")
    operator.must(f"kubectl rollout status {WEBHOOK} -n {NAMESPACE} --timeout=30s")
    time.sleep(max(0.0, (began + LEAF - datetime.now(UTC)).total_seconds()))
    row = report.begin("the webhook's certificate expires", status_page=NOT_ITS_SUBJECT)
    row.until_said(webhook_surfaces(operator, new))
    assert "0/1" in operator.output(f"kubectl get pods -n {NAMESPACE}")
    logs = [Path(each.log) for each in operator.stack.processes() if "webhook" in each.name]
    assert any("certificate has expired" in log.read_text() for log in logs)
    store_pair(operator, leaf(ca, timedelta(days=1)), ca.chain)
    row.until_recovered(
        "the Secret got a new certificate, as the log says", lambda: applies(operator, new)
    )
    operator.set_values("certificates.mode=self", "certificates.existingSecret.name=")
    operator.must(f"kubectl rollout status {WEBHOOK} -n {NAMESPACE} --timeout=60s")


@pytest.fixture
def half_done(make: SandboxMaker) -> Iterator[Sandbox]:
    """A rule whose backfill of hundreds of windows has begun."""
    sandbox = make("half")
    sandbox.admit(sandbox.rule(backfill=backfill(START, END)))
    sandbox.until(lambda rule: rule["status"]["backfill"]["windowsDone"] > 1, "a few windows")
    yield sandbox
    sandbox.kubectl("delete", "summaryrule", sandbox.name, "--ignore-not-found")


def page_is_gone(operator: Operator, sandbox: Sandbox) -> Surface:
    return Surface(lambda: operator.page(sandbox.name), (NO_PAGE,), "it does not answer")


def lead(operator: Operator) -> bool:
    return "ok       worker: " in operator.output("kubectl summaryrule check")


def test_no_worker_runs(operator: Operator, report: Report, half_done: Sandbox) -> None:
    name = half_done.name
    row = report.begin("the worker is scaled to 0", kubectl_get=DOCUMENTED)
    scale(operator, WORKER, 0)
    row.until_said(
        {
            "kubectl describe": available(operator, WORKER, "0 desired"),
            "plugin": operator.plugin(name, "NoLeader", "no worker leads since 20"),
            "status page": page_is_gone(operator, half_done),
        }
    )
    assert "failed   worker: no worker leads since 20" in operator.output(
        "kubectl summaryrule check"
    )
    remedy = operator.remedy(name, "NoLeader")
    assert remedy.startswith("start a worker: ")
    assert f"{RELEASE}-worker" in operator.must(command_in(remedy))
    scale(operator, WORKER, 1)
    row.until_recovered(f"`{command_in(remedy)}`; scaled to 1", lambda: lead(operator))
    half_done.until_cleared(180)
    half_done.assert_exactly_once(START, END)


def is_gone(operator: Operator, name: str) -> bool:
    return "NotFound" in operator.output(f"kubectl get summaryrule {name}")


def test_a_rule_is_deleted_while_its_backfill_runs(
    operator: Operator, report: Report, half_done: Sandbox
) -> None:
    row = report.begin("a rule is deleted mid-backfill", plugin="nothing is wrong")
    row.cells |= dict.fromkeys(("kubectl get", "kubectl describe", "status page"), "as before")
    operator.must(f"kubectl delete summaryrule {half_done.name} --wait=false")
    row.until_recovered("none: the worker cancels first", lambda: is_gone(operator, half_done.name))


def test_a_rule_is_deleted_and_no_worker_runs(
    operator: Operator, report: Report, half_done: Sandbox
) -> None:
    name = half_done.name
    scale(operator, WORKER, 0)
    row = report.begin("the same without a worker", kubectl_get=DOCUMENTED)
    operator.must(f"kubectl delete summaryrule {name} --wait=false")
    row.until_said(
        {
            "kubectl describe": Surface(
                lambda: operator.output(f"kubectl describe summaryrule {name}"),
                ("Deletion Timestamp", "Finalizers"),
            ),
            "plugin": operator.plugin(name, "Deleting", "waits for a worker: no worker leads"),
            "status page": page_is_gone(operator, half_done),
        }
    )
    command = command_in(operator.remedy(name, "Deleting"))
    operator.must(command)
    row.until_recovered(f"`{command}`".replace(name, "NAME"), lambda: is_gone(operator, name))
    scale(operator, WORKER, 1)
    deadline = time.monotonic() + 60
    while not lead(operator):
        assert time.monotonic() < deadline
