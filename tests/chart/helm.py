"""Runs the real helm on the chart in this checkout."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from devstack.stack import Stack

CHART = Path(__file__).resolve().parents[2] / "charts" / "summaryrule-operator"
RELEASE = "summaryrule-operator"
NAMESPACE = "summaryrule-system"
PATIENCE = 90.0

Object = dict[str, Any]
Checker = Callable[[str], Path]
"""Finds a program by its name."""


class Helm:
    """One helm; `home` is where it keeps its caches, `kubeconfig` the cluster, if there is one."""

    def __init__(self, binary: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._binary = binary
        places = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "DATA")}
        self._env = {"PATH": os.defpath, "HOME": str(home), **places}
        if kubeconfig is not None:
            self._env["KUBECONFIG"] = str(kubeconfig)

    def run(self, *words: str, values: Mapping[str, Any] | None = None) -> str:
        """Run helm to a good end; give what it printed."""
        done = self.try_to(*words, values=values)
        assert done.returncode == 0, f"helm {' '.join(words)}: {done.stderr}{done.stdout}"
        return done.stdout

    def try_to(
        self, *words: str, values: Mapping[str, Any] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run helm, whatever comes of it."""
        given = ["--values", "-"] if values is not None else []
        return subprocess.run(
            [str(self._binary), *words, "--namespace", NAMESPACE, *given],
            env=self._env,
            input=yaml.safe_dump(dict(values or {})),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def render(self, **values: object) -> list[Object]:
        """Give the objects that the chart makes of these values."""
        text = self.run("template", RELEASE, str(CHART), values=values)
        return [item for item in yaml.safe_load_all(text) if item]


def only(objects: list[Object], kind: str, name: str = "") -> Object:
    """Find the one object of a kind, and of a name where there are several."""
    (found,) = [
        item
        for item in objects
        if item["kind"] == kind and (not name or item["metadata"]["name"] == name)
    ]
    return found


def pod_specs(objects: list[Object]) -> dict[str, Object]:
    """Give the Pod specs of everything that makes Pods, by the object's name."""
    found = {}
    for item in objects:
        if item["kind"] == "Pod":
            found[item["metadata"]["name"]] = item["spec"]
        elif item["kind"] in {"Deployment", "Job"}:
            found[item["metadata"]["name"]] = item["spec"]["template"]["spec"]
    return found


def laptop(stack: Stack, **more: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give values for a release on a stack: one replica of each, and its own Kusto endpoint."""
    base: dict[str, Any] = {
        "kusto": {"endpoints": {"Telemetry": stack.env()["KUSTO_ENDPOINT"]}},
        "webhook": {"replicas": 1},
        "worker": {"replicas": 1},
    }
    return {name: {**base.get(name, {}), **more.get(name, {})} for name in {*base, *more}}
