"""What a release's values do on a real API server; `test_upgrade.py` has its life.

Each test upgrades the release that the stack installed, and rolls that back.
"""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.pki import Authority
from devstack.stack import Stack
from tests.chart.admission import steady_admission
from tests.chart.helm import CHART, NAMESPACE, RELEASE, Helm, Object, laptop
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("release")]


@pytest.fixture(scope="module")
def helm(release_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    helm = Helm(release_stack.helm, tmp_path_factory.mktemp("helm"), release_stack.kubeconfig)
    if helm.try_to("status", RELEASE).returncode:  # another module has uninstalled it
        helm.run("install", RELEASE, str(CHART), "--wait", values=laptop(release_stack))
    return helm


@pytest.fixture
def sandbox(release_stack: Stack, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    builder = KustoConnectionStringBuilder(release_stack.env()["KUSTO_ENDPOINT"])
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    with KustoClient(builder) as kusto:
        yield Sandbox(release_stack, kusto, name)


def test_helm_test_passes_on_what_was_installed(helm: Helm) -> None:
    assert "Phase:          Succeeded" in helm.run("test", RELEASE)


def test_a_second_install_of_the_same_values_changes_nothing(sandbox: Sandbox, helm: Helm) -> None:
    before = generations(sandbox)
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--wait")
    assert generations(sandbox) == before


def test_an_upgrade_passes_after_aks_has_changed_the_selectors(
    sandbox: Sandbox, helm: Helm
) -> None:
    """AKS' admissions enforcer writes a namespaceSelector into every webhook configuration."""
    expression = {"key": "kubernetes.azure.com/managedby", "operator": "NotIn", "values": ["aks"]}
    selector = {"matchExpressions": [expression]}
    patch = {"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": selector}
    for kind in ("mutating", "validating"):
        patched = sandbox.kubectl(
            "patch",
            f"{kind}webhookconfiguration",
            RELEASE,
            "--field-manager=admissionsenforcer",
            "--type=json",
            f"-p={json.dumps([patch])}",
        )
        assert patched.returncode == 0, patched.stderr
    name = "admissions.enforcer/disabled"
    values = {"webhook": {"configurationAnnotations": {name: "true"}}}
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--wait", values=values)
    found = sandbox.kubectl("get", "validatingwebhookconfiguration", RELEASE, "-o", "json")
    assert json.loads(found.stdout)["metadata"]["annotations"][name] == "true"
    helm.run("rollback", RELEASE, "--wait")


def test_a_certificate_of_ones_own_serves_admission_and_its_ca_is_published(
    sandbox: Sandbox, helm: Helm, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    pair = authority.server("webhook", [f"{RELEASE}-webhook.{NAMESPACE}.svc"])
    files = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
    words = [f"--from-file={name}={path}" for name, path in files.items()]
    made = sandbox.kubectl("create", "secret", "generic", "mine", "-n", NAMESPACE, *words)
    assert made.returncode == 0, made.stderr
    mine = "certificates.mode=existingSecret,certificates.existingSecret.name=mine"
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", mine, "--wait")
    path = "-ojsonpath={.webhooks[0].clientConfig.caBundle}"
    bundle = base64.b64decode(get(sandbox, "validatingwebhookconfiguration", RELEASE, path))
    assert authority.certificate.read_bytes().strip() in bundle
    with steady_admission(sandbox.stack.kubeconfig) as tally:
        helm.run("test", RELEASE)
    assert tally.refused == []
    helm.run("rollback", RELEASE, "--wait")
    sandbox.kubectl("delete", "secret", "mine", "-n", NAMESPACE)


def test_two_replicas_of_each_come_up_and_one_worker_leads(sandbox: Sandbox, helm: Helm) -> None:
    replicas = ["--set", "webhook.replicas=2,worker.replicas=2"]
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", *replicas, "--wait")
    status = "-ojsonpath={range .items[*]}{.status.readyReplicas} {end}"
    assert get(sandbox, "deployments", status) == "2 2 "
    holder = get(sandbox, "lease", f"{RELEASE}-worker", "-ojsonpath={.spec.holderIdentity}")
    assert holder.startswith(f"{RELEASE}-worker")


def test_the_admission_policy_holds_while_there_is_no_webhook(sandbox: Sandbox, helm: Helm) -> None:
    locked = ["--set", "admissionPolicy.enabled=true,webhook.enabled=false"]
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", *locked, "--wait")
    try:
        stolen = {**backfill(hours_ago(4), hours_ago(2)), "operationId": "7f2f7c3e-op"}
        wait_for_refusal(sandbox, sandbox.rule(backfill=stolen), "is written by the worker alone")
        sandbox.admit(sandbox.rule())
        edit = '{"spec":{"body":"Other | where Timestamp between (_startTime .. _endTime)"}}'
        words = ("patch", "summaryrule", sandbox.name, "--type=merge", f"-p={edit}")
        as_worker = f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}-worker"
        done = sandbox.kubectl(*words, as_worker)
        assert "the worker may not change spec.database, spec.table, spec.body" in done.stderr
        assert sandbox.kubectl(*words).returncode == 0
    finally:
        helm.run("rollback", RELEASE, "--wait")


def wait_for_refusal(sandbox: Sandbox, rule: Object, words: str) -> None:
    """Apply as dry runs until it is refused: a policy is in force a moment after it is written."""
    last = time.monotonic() + 30.0
    while words not in (done := sandbox.apply(rule, "--dry-run=server")).stderr:
        assert time.monotonic() < last, done
        time.sleep(0.2)


def get(sandbox: Sandbox, *words: str) -> str:
    done = sandbox.kubectl("get", "-n", NAMESPACE, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def generations(sandbox: Sandbox) -> str:
    spec = "-ojsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}"
    return get(sandbox, "deployments", spec)
