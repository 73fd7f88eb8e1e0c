"""Installs the operator's own chart from the checkout, as an operator would: `helm upgrade`.

Only the values are those of a local stack.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from devstack.config import CHECKOUT
from devstack.controlplane import ControlPlane
from devstack.errors import DevstackError
from devstack.supervisor import Supervisor

NAMESPACE = "summaryrule-system"
RELEASE = "summaryrule-operator"
CHART = CHECKOUT / "charts" / RELEASE
HELM_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class ChartConfig:
    """What the chart is installed for: `kusto` is the endpoint's URL, `database` its database.

    `without` holds the components that do not run here (`worker`, `webhook`): their Deployments are
    installed, but their Pods are not started. `python` runs the containers.
    """

    kusto: str
    database: str
    without: frozenset[str]
    python: str


def namespace() -> dict[str, Any]:
    """Return the release's namespace; the API server enforces the restricted profile in it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": labels},
    }


def values(config: ChartConfig) -> dict[str, Any]:
    """Return the values of a local stack: one replica of each, and the local Kusto endpoint.

    Without a webhook the API server would refuse every rule, so its failures are ignored then and
    only the CRD's own checks apply.
    """
    webhook: dict[str, Any] = {"replicas": 1}
    if "webhook" in config.without:
        webhook["failurePolicy"] = "Ignore"
    return {
        "kusto": {"endpoints": {config.database: config.kusto} if config.kusto else {}},
        "webhook": webhook,
        "worker": {"replicas": 1},
    }


def environment(plane: ControlPlane) -> Mapping[str, str]:
    """Return helm's environment: our kubeconfig, and its caches in the state directory."""
    home = plane.kubeconfig.parent / "helm"
    places = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    return {"PATH": os.defpath, "HOME": str(home), "KUBECONFIG": str(plane.kubeconfig), **places}


async def install(supervisor: Supervisor, plane: ControlPlane, config: ChartConfig) -> None:
    """Install the chart, or upgrade the release.

    Raises:
        DevstackError: helm refused; the message has helm's own words.
    """
    options = ["--namespace", NAMESPACE, "--values", "-"]
    done = await supervisor.run(
        [str(plane.helm), "upgrade", "--install", RELEASE, str(CHART), *options],
        env=environment(plane),
        stdin=yaml.safe_dump(values(config)),
        seconds=HELM_TIMEOUT,
    )
    if done.code:
        raise DevstackError(f"helm could not install {CHART}: {done.error.strip()}")
