"""Installs the operator's own chart, as an operator would: `helm upgrade --install`, once.

Called by the kubelet. The chart is taken from the checkout; only the values are the laptop's.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.supervisor import Supervisor
from devstack.workloads import Wanted

NAMESPACE = "summaryrule-system"
RELEASE = "summaryrule-operator"
CHART = Path(__file__).resolve().parent.parent / "charts" / RELEASE
HELM_PATIENCE = 120.0


def namespace() -> dict[str, Any]:
    """Give the release's namespace; the API server holds its Pods to the restricted profile."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": labels},
    }


def values(wanted: Wanted) -> dict[str, Any]:
    """Give the laptop's values: one replica of each, and the local endpoint for Kusto.

    Without a webhook the API server would refuse every rule; then only the CRD's own checks hold.
    """
    webhook: dict[str, Any] = {"replicas": 1}
    if "webhook" in wanted.without:
        webhook["failurePolicy"] = "Ignore"
    return {
        "kusto": {"endpoints": {wanted.database: wanted.kusto} if wanted.kusto else {}},
        "webhook": webhook,
        "worker": {"replicas": 1},
    }


def environment(plane: ControlPlane) -> Mapping[str, str]:
    """Give helm's environment: our kubeconfig, and its caches in the state folder."""
    home = plane.kubeconfig.parent / "helm"
    places = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    return {"PATH": os.defpath, "HOME": str(home), "KUBECONFIG": str(plane.kubeconfig), **places}


async def install(supervisor: Supervisor, plane: ControlPlane, wanted: Wanted) -> None:
    """Install the chart, or upgrade what is there.

    Raises:
        DevstackError: helm said no; its own words are in the message.
    """
    place = ["--namespace", NAMESPACE, "--values", "-"]
    done = await supervisor.run(
        [str(plane.helm), "upgrade", "--install", RELEASE, str(CHART), *place],
        env=environment(plane),
        given=yaml.safe_dump(values(wanted)),
        deadline=HELM_PATIENCE,
    )
    if done.code:
        raise DevstackError(f"helm could not install {CHART}: {done.error.strip()}")
