"""The API server takes every object of the chart as it is written: no field is unknown to it."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import NAMESPACE, RELEASE, Helm, Object
from tests.chart.value_sets import SETS

FOREIGN = ("cert-manager.io", "monitoring.coreos.com")
"""Groups whose definitions are not installed here."""

VARIANTS: dict[str, Object] = {
    **SETS,
    "defaults": {},
    "everything": {
        "admissionPolicy": {"enabled": True},
        "certificates": {"mode": "certManager"},
        "commonLabels": {"team": "telemetry"},
        "imagePullSecrets": [{"name": "registry"}],
        "kusto": {"endpoints": {"Telemetry": "https://a.kusto.windows.net"}},
        "monitoring": {
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "dashboard": {"enabled": True},
        },
        "networkPolicy": {"workerEgress": [{"ports": [{"port": 8443}]}]},
        "webhook": {"namespaceSelector": {"matchLabels": {"rules": "yes"}}},
        "worker": {
            "affinity": {"nodeAffinity": {}},
            "env": {"HTTPS_PROXY": "http://proxy:3128"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "podAnnotations": {"a": "b"},
            "priorityClassName": "system-cluster-critical",
            "tolerations": [{"key": "spot", "operator": "Exists"}],
        },
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_object_has_a_field_that_the_api_server_does_not_know(
    api_server: Path, helm: Helm, variant: str
) -> None:
    kubectl = [str(api_server.parent / "bin" / "kubectl"), f"--kubeconfig={api_server}"]
    account = ["serviceaccount", f"{RELEASE}-test", "-n", NAMESPACE]  # a Pod is refused without
    for words in (["namespace", NAMESPACE], ["namespace", "monitoring"], account):
        subprocess.run([*kubectl, "create", *words], capture_output=True, check=False, timeout=30)
    objects = helm.render(**VARIANTS[variant])
    ours = [item for item in objects if not item["apiVersion"].startswith(FOREIGN)]
    done = subprocess.run(
        [*kubectl, "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        input=yaml.safe_dump_all(ours),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(ours)
