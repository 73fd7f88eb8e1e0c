"""The release's life on a real API server: tested, upgraded, rolled back, uninstalled.

One stack for the module; the tests are in the order of that life, and the last one ends it.
"""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.pki import Authority
from devstack.stack import Stack
from tests.chart.admission import steady_admission
from tests.chart.helm import CHART, NAMESPACE, RELEASE, Helm, Object
from tests.e2e.lab import Lab, backfill, hours_ago

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("release")]

LEFT_TO_LOOK_FOR = (
    "deployments,replicasets,pods,jobs,services,endpointslices,secrets,serviceaccounts,roles,"
    "rolebindings,poddisruptionbudgets,networkpolicies,leases"
)
CLUSTER_WIDE = (
    "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,"
    "validatingwebhookconfigurations,validatingadmissionpolicies"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("release")) as stack:
        yield stack


@pytest.fixture(scope="module")
def helm(installed: Stack, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(installed.helm, tmp_path_factory.mktemp("helm"), installed.kubeconfig)


@pytest.fixture
def lab(installed: Stack, request: pytest.FixtureRequest) -> Iterator[Lab]:
    builder = KustoConnectionStringBuilder(installed.env()["KUSTO_ENDPOINT"])
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    with KustoClient(builder) as kusto:
        yield Lab(installed, kusto, name)


def test_helm_test_passes_on_what_was_installed(helm: Helm) -> None:
    assert "Phase:          Succeeded" in helm.run("test", RELEASE)


def test_a_second_install_of_the_same_values_changes_nothing(lab: Lab, helm: Helm) -> None:
    before = generations(lab)
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--wait")
    assert generations(lab) == before


def test_an_upgrade_and_a_rollback_refuse_no_rule_and_lose_or_double_no_window(
    lab: Lab, helm: Helm
) -> None:
    start, end = hours_ago(110), hours_ago(10)
    lab.load(start, end)
    lab.admit(lab.rule(backfill=backfill(start, end)))
    with steady_admission(lab.stack.kubeconfig) as tally:
        changed = ["--set", "webhook.podAnnotations.a=b,worker.podAnnotations.a=b"]
        helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", *changed, "--wait")
        in_between = lab.get()
        helm.run("rollback", RELEASE, "--wait")
        lab.until_cleared()
    assert "backfill" in in_between["spec"], "the backfill was over before the rollback"
    assert tally.refused == []
    assert tally.admitted > 30
    lab.assert_exactly_once(start, end)


def test_a_certificate_of_ones_own_serves_admission_and_its_ca_is_published(
    lab: Lab, helm: Helm, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    pair = authority.server("webhook", [f"{RELEASE}-webhook.{NAMESPACE}.svc"])
    files = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.certificate}
    words = [f"--from-file={name}={path}" for name, path in files.items()]
    made = lab.kubectl("create", "secret", "generic", "mine", "-n", NAMESPACE, *words)
    assert made.returncode == 0, made.stderr
    mine = "certificates.mode=existingSecret,certificates.existingSecret.name=mine"
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", mine, "--wait")
    path = "-ojsonpath={.webhooks[0].clientConfig.caBundle}"
    bundle = base64.b64decode(get(lab, "validatingwebhookconfiguration", RELEASE, path))
    assert authority.certificate.read_bytes().strip() in bundle
    with steady_admission(lab.stack.kubeconfig) as tally:
        helm.run("test", RELEASE)
    assert tally.refused == []
    helm.run("rollback", RELEASE, "--wait")
    lab.kubectl("delete", "secret", "mine", "-n", NAMESPACE)


def test_two_replicas_of_each_come_up_and_one_worker_leads(lab: Lab, helm: Helm) -> None:
    replicas = ["--set", "webhook.replicas=2,worker.replicas=2"]
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", *replicas, "--wait")
    status = "-ojsonpath={range .items[*]}{.status.readyReplicas} {end}"
    assert get(lab, "deployments", status) == "2 2 "
    holder = get(lab, "lease", f"{RELEASE}-worker", "-ojsonpath={.spec.holderIdentity}")
    assert holder.startswith(f"{RELEASE}-worker")


def test_the_admission_policy_holds_while_there_is_no_webhook(lab: Lab, helm: Helm) -> None:
    locked = ["--set", "admissionPolicy.enabled=true,webhook.enabled=false"]
    helm.run("upgrade", RELEASE, str(CHART), "--reuse-values", *locked, "--wait")
    try:
        stolen = {**backfill(hours_ago(4), hours_ago(2)), "operationId": "7f2f7c3e-op"}
        wait_for_refusal(lab, lab.rule(backfill=stolen), "is written by the worker alone")
        lab.admit(lab.rule())
        edit = '{"spec":{"body":"Other | where Timestamp between (_startTime .. _endTime)"}}'
        words = ("patch", "summaryrule", lab.name, "--type=merge", f"-p={edit}")
        as_worker = f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}-worker"
        done = lab.kubectl(*words, as_worker)
        assert "the worker may not change spec.database, spec.table, spec.body" in done.stderr
        assert lab.kubectl(*words).returncode == 0
    finally:
        helm.run("rollback", RELEASE, "--wait")


def test_uninstalling_leaves_the_crd_and_the_rules_and_nothing_else(lab: Lab, helm: Helm) -> None:
    start, end = hours_ago(200), hours_ago(10)
    lab.load(start, end)
    lab.admit(lab.rule(backfill=backfill(start, end)))
    lab.until(lambda rule: bool(rule["metadata"].get("finalizers")), "a window in flight")
    helm.run("uninstall", RELEASE, "--wait")
    gone = lab.kubectl("wait", "--for=delete", "pods", "--all", "-n", NAMESPACE, "--timeout=30s")
    assert gone.returncode == 0, gone.stderr
    assert get(lab, LEFT_TO_LOOK_FOR, "-oname") == ""
    left = get(lab, CLUSTER_WIDE, "-oname").splitlines()
    assert [name for name in left if RELEASE in name] == []
    assert "finalizers" not in lab.get()["metadata"]
    assert lab.kubectl("delete", "summaryrule", lab.name, "--timeout=10s").returncode == 0


def test_installing_again_adopts_the_crd_that_was_kept(lab: Lab, helm: Helm) -> None:
    helm.run("install", RELEASE, str(CHART), "--wait", "--timeout=60s")
    assert "Phase:          Succeeded" in helm.run("test", RELEASE)


def wait_for_refusal(lab: Lab, rule: Object, words: str) -> None:
    """Apply as dry runs until it is refused: a policy is in force a moment after it is written."""
    last = time.monotonic() + 30.0
    while words not in (done := lab.apply(rule, "--dry-run=server")).stderr:
        assert time.monotonic() < last, done
        time.sleep(0.2)


def get(lab: Lab, *words: str) -> str:
    done = lab.kubectl("get", "-n", NAMESPACE, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def generations(lab: Lab) -> str:
    spec = "-ojsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}"
    return get(lab, "deployments", spec)
