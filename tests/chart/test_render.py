"""What the chart makes of its values, without a cluster."""

from pathlib import Path

import pytest

from tests.chart.helm import CHART, NAMESPACE, RELEASE, Helm, Object, only, pod_specs

GOLDEN = Path(__file__).parent / "golden"
WORKER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-worker"
CONFIGURATIONS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def test_the_objects_are_those_of_the_golden_list(chart: list[Object]) -> None:
    found = sorted(f"{item['kind']} {item['metadata']['name']}" for item in chart)
    assert found == (GOLDEN / "objects.txt").read_text().splitlines()


@pytest.mark.parametrize("component", ["webhook", "worker"])
def test_the_command_line_is_that_of_the_golden_file(helm: Helm, component: str) -> None:
    objects = helm.render(
        kusto={"endpoints": {"Telemetry": "https://a.kusto.windows.net"}},
        worker={"clusterLabels": {"region": "westeurope"}, "extraArgs": ["--workers=16"]},
    )
    (container,) = pod_specs(objects)[f"{RELEASE}-{component}"]["containers"]
    written = [*container["command"], *container["args"]]
    assert written == (GOLDEN / f"{component}.args.txt").read_text().splitlines()


def test_no_ca_bundle_is_ever_rendered(helm: Helm) -> None:
    for mode in ("self", "certManager", "existingSecret"):
        objects = helm.render(certificates={"mode": mode, "existingSecret": {"name": "x"}})
        for kind in CONFIGURATIONS:
            (entry,) = only(objects, kind)["webhooks"]
            assert "caBundle" not in entry["clientConfig"]


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_both_webhooks_ask_for_summary_rules_alone_and_answer_in_time(
    chart: list[Object], kind: str
) -> None:
    (entry,) = only(chart, kind, RELEASE)["webhooks"]
    assert entry["failurePolicy"] == ("Ignore" if kind.startswith("Mutating") else "Fail")
    assert entry["matchPolicy"] == "Equivalent"
    assert entry["sideEffects"] == "None"
    assert entry["timeoutSeconds"] <= 5
    assert entry["clientConfig"]["service"]["name"] == f"{RELEASE}-webhook"
    assert [rule["resources"] for rule in entry["rules"]] == [["summaryrules"]]
    assert [condition["name"] for condition in entry["matchConditions"]] == [
        "not-the-worker",
        "spec-or-requester-changed",
        "not-being-deleted",
    ]
    assert WORKER in entry["matchConditions"][0]["expression"]


def test_a_worker_of_another_name_is_the_one_that_the_webhook_trusts(helm: Helm) -> None:
    objects = helm.render(worker={"serviceAccount": {"create": False, "name": "summariser"}})
    user = f"system:serviceaccount:{NAMESPACE}:summariser"
    (webhook,) = pod_specs(objects)[f"{RELEASE}-webhook"]["containers"]
    assert f"--worker-user={user}" in webhook["args"]
    for kind in CONFIGURATIONS:
        (entry,) = only(objects, kind)["webhooks"]
        assert user in entry["matchConditions"][0]["expression"]


def test_every_pod_meets_the_restricted_profile_on_a_read_only_root(chart: list[Object]) -> None:
    specs = pod_specs(chart)
    assert set(specs) == {f"{RELEASE}-{who}" for who in ("webhook", "worker", "cleanup", "test")}
    for spec in specs.values():
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"]
            assert not allowed["allowPrivilegeEscalation"]
            assert allowed["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= container["resources"].keys()


@pytest.mark.parametrize("component", ["webhook", "worker"])
def test_a_rolling_update_and_a_drain_keep_what_serves(chart: list[Object], component: str) -> None:
    spec = only(chart, "Deployment", f"{RELEASE}-{component}")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["template"]["spec"]["topologySpreadConstraints"]
    budget = only(chart, "PodDisruptionBudget", f"{RELEASE}-{component}")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"] == spec["selector"]["matchLabels"]


@pytest.mark.parametrize(("component", "port"), [("webhook", "https"), ("worker", "http")])
def test_pods_are_reached_on_their_own_port_and_reach_what_they_need(
    helm: Helm, component: str, port: str
) -> None:
    proxy = {"ports": [{"port": 3128}]}
    objects = helm.render(networkPolicy={"workerEgress": [proxy], "apiServerPorts": [8443]})
    policy = only(objects, "NetworkPolicy", f"{RELEASE}-{component}")["spec"]
    deployment = only(objects, "Deployment", f"{RELEASE}-{component}")["spec"]
    assert policy["podSelector"]["matchLabels"] == deployment["selector"]["matchLabels"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [each["port"] for rule in policy["ingress"] for each in rule["ports"]] == [port]
    (container,) = deployment["template"]["spec"]["containers"]
    assert port in {each["name"] for each in container["ports"]}
    reached = [each["port"] for rule in policy["egress"] for each in rule["ports"]]
    assert reached == [53, 53, 8443] + ([443, 3128] if component == "worker" else [])


def test_values_of_an_older_chart_that_lack_what_is_new_render_as_the_defaults_do(
    helm: Helm, chart: list[Object]
) -> None:
    """As `helm upgrade --reuse-values` hands them over."""
    assert helm.render(networkPolicy={"apiServerPorts": None}) == chart


def test_the_pods_of_hooks_have_a_policy_too(chart: list[Object]) -> None:
    selector = only(chart, "NetworkPolicy", f"{RELEASE}-hooks")["spec"]["podSelector"]
    (component,) = selector["matchExpressions"]
    test = only(chart, "Pod")["metadata"]["labels"]
    cleanup = only(chart, "Job")["spec"]["template"]["metadata"]["labels"]
    for labels in (test, cleanup):
        assert labels.items() >= selector["matchLabels"].items()
        assert labels[component["key"]] in component["values"]


@pytest.mark.parametrize("component", ["webhook", "worker"])
def test_pods_are_spread_over_nodes_and_zones_each_revision_by_itself(
    chart: list[Object], component: str
) -> None:
    template = only(chart, "Deployment", f"{RELEASE}-{component}")["spec"]["template"]
    for spread in template["spec"]["topologySpreadConstraints"]:
        wanted = spread["labelSelector"]["matchLabels"]
        assert wanted.items() <= template["metadata"]["labels"].items()
        assert wanted["app.kubernetes.io/component"] == component
        assert spread["matchLabelKeys"] == ["pod-template-hash"]


def test_what_is_printed_at_the_end_tells_the_next_command(helm: Helm) -> None:
    words = ("install", RELEASE, str(CHART), "--dry-run=client")
    said = helm.run(*words).partition("NOTES:")[2]
    assert "NO KUSTO ENDPOINT IS CONFIGURED" in said
    assert "--set kusto.endpoints.Telemetry=https://" in said
    assert f"helm test {RELEASE} --namespace {NAMESPACE}" in said
    assert "keeps the CRD and every SummaryRule" in said
    values = {"kusto": {"endpoints": {"Logs": "https://a.kusto.windows.net"}}}
    said = helm.run(*words, values={**values, "crds": {"keep": False}}).partition("NOTES:")[2]
    assert "NO KUSTO" not in said
    assert "No workload identity is configured" in said
    assert "DELETES THE CRD AND EVERY SummaryRule" in said


def test_the_crd_is_kept_unless_the_user_says_otherwise(helm: Helm, chart: list[Object]) -> None:
    kind, keep = "CustomResourceDefinition", "helm.sh/resource-policy"
    assert only(chart, kind)["metadata"]["annotations"][keep] == "keep"
    lost = only(helm.render(crds={"keep": False}), kind)
    assert keep not in lost["metadata"].get("annotations", {})
    assert kind not in {item["kind"] for item in helm.render(crds={"enabled": False})}


def test_the_clean_up_deletes_the_lease_that_the_worker_may_hold(chart: list[Object]) -> None:
    (held,) = leases_of(only(chart, "Role", f"{RELEASE}-worker"))
    assert leases_of(only(chart, "Role", f"{RELEASE}-cleanup")) == [held]
    (container,) = pod_specs(chart)[f"{RELEASE}-cleanup"]["containers"]
    assert [each for each in container["args"] if each.startswith("--lease=")] == [
        f"--lease={held}"
    ]


@pytest.mark.parametrize("mode", ["certManager", "existingSecret"])
def test_a_mounted_certificate_needs_no_right_to_secrets(helm: Helm, mode: str) -> None:
    objects = helm.render(certificates={"mode": mode, "existingSecret": {"name": "mine"}})
    spec = pod_specs(objects)[f"{RELEASE}-webhook"]
    (container,) = spec["containers"]
    folder = "/etc/summaryrule/certificates"
    assert {"--certificates=files", f"--cert-dir={folder}"} <= set(container["args"])
    assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}
    secrets = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
    assert secrets == ["mine" if mode == "existingSecret" else f"{RELEASE}-webhook-tls"]
    assert f"{RELEASE}-webhook" not in names(objects, "Role")


def test_an_issuer_that_is_named_is_the_only_one(helm: Helm) -> None:
    reference = {"kind": "ClusterIssuer", "name": "corporate"}
    objects = helm.render(
        certificates={"mode": "certManager", "certManager": {"issuerRef": reference}}
    )
    assert names(objects, "Issuer") == []
    issued = only(objects, "Certificate")["spec"]
    assert issued["issuerRef"] == {"group": "cert-manager.io", **reference}
    assert f"{RELEASE}-webhook.{NAMESPACE}.svc" in issued["dnsNames"]


def test_workload_identity_marks_the_workers_account_and_pods(helm: Helm) -> None:
    client = "01234567-89ab-cdef-0123-456789abcdef"
    objects = helm.render(workloadIdentity={"enabled": True, "clientId": client})
    account = only(objects, "ServiceAccount", f"{RELEASE}-worker")["metadata"]["annotations"]
    assert account == {"azure.workload.identity/client-id": client}
    template = only(objects, "Deployment", f"{RELEASE}-worker")["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    other = only(objects, "Deployment", f"{RELEASE}-webhook")["spec"]["template"]
    assert "azure.workload.identity/use" not in other["metadata"]["labels"]


def names(objects: list[Object], kind: str) -> list[str]:
    return [item["metadata"]["name"] for item in objects if item["kind"] == kind]


def leases_of(role: Object) -> list[str]:
    return [
        name
        for rule in role["rules"]
        if rule["resources"] == ["leases"]
        for name in rule.get("resourceNames", [])
    ]


def test_openshift_may_choose_users_and_groups(helm: Helm) -> None:
    fixed = {"runAsUser", "runAsGroup", "fsGroup"}
    for name, spec in pod_specs(helm.render()).items():
        assert fixed <= spec["securityContext"].keys(), name
    for values in (
        {"adaptSecurityContext": "force"},
        {"podSecurityContext": dict.fromkeys(sorted(fixed))},
    ):
        for name, spec in pod_specs(helm.render(**values)).items():
            assert not fixed & spec["securityContext"].keys(), name
            assert spec["securityContext"]["runAsNonRoot"] is True, name


def test_an_openshift_cluster_is_recognised(helm: Helm) -> None:
    text = helm.run("template", RELEASE, str(CHART), "--api-versions", "security.openshift.io/v1")
    assert "runAsUser" not in text
    never = helm.run(
        "template",
        RELEASE,
        str(CHART),
        "--api-versions=security.openshift.io/v1",
        values={"adaptSecurityContext": "disabled"},
    )
    assert "runAsUser: 65532" in never


def test_the_worker_logs_in_with_a_client_secret_from_a_secret(helm: Helm) -> None:
    specs = pod_specs(helm.render(kusto={"clientSecret": {"existingSecret": "login"}}))
    (worker,) = specs[f"{RELEASE}-worker"]["containers"]
    found = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in worker["env"]
        if each["name"].startswith("AZURE_")
    }
    assert found == {
        "AZURE_TENANT_ID": {"name": "login", "key": "tenantId"},
        "AZURE_CLIENT_ID": {"name": "login", "key": "clientId"},
        "AZURE_CLIENT_SECRET": {"name": "login", "key": "clientSecret"},
    }
    (webhook,) = specs[f"{RELEASE}-webhook"]["containers"]
    assert not [each for each in webhook["env"] if each["name"].startswith("AZURE_")]


def test_a_ca_bundle_is_mounted_and_named_to_the_libraries(helm: Helm) -> None:
    spec = pod_specs(helm.render(caBundle={"secret": "company", "key": "all.pem"}))[
        f"{RELEASE}-worker"
    ]
    (worker,) = spec["containers"]
    env = {each["name"]: each.get("value") for each in worker["env"]}
    mounts = {each["name"]: each["mountPath"] for each in worker["volumeMounts"]}
    assert env["SSL_CERT_FILE"] == env["REQUESTS_CA_BUNDLE"] == "/etc/summaryrule/ca/all.pem"
    assert mounts["ca-bundle"] == "/etc/summaryrule/ca"
    assert {"name": "ca-bundle", "secret": {"secretName": "company", "defaultMode": 0o440}} in spec[
        "volumes"
    ]


def test_pods_of_hooks_and_tests_go_where_they_are_told(helm: Helm) -> None:
    taint = {"key": "CriticalAddonsOnly", "operator": "Exists"}
    specs = pod_specs(helm.render(hooks={"nodeSelector": {"pool": "a"}, "tolerations": [taint]}))
    for name in ("cleanup", "test"):
        spec = specs[f"{RELEASE}-{name}"]
        assert (spec["nodeSelector"], spec["tolerations"]) == ({"pool": "a"}, [taint])


def test_notes_say_that_the_default_image_names_no_registry(helm: Helm) -> None:
    notes = ("install", RELEASE, str(CHART), "--dry-run=client")
    assert "NO IMAGE IS CONFIGURED" in helm.run(*notes)
    image = {"image": {"repository": "registry.example.com/summaryrule-operator"}}
    assert "NO IMAGE IS CONFIGURED" not in helm.run(*notes, values=image)
