"""The chart's two hooks by themselves: their scripts, under their own accounts' tokens."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tests.chart.helm import CHART, NAMESPACE, RELEASE, Object
from tests.chart.rbac.bench import Bench

FILES = CHART / "files"
FINALIZER = "adx-mon.azure.com/not-the-workers-own"
PARTS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def install(bench: Bench, objects: list[Object], role: str) -> None:
    """Write a hook's account and roles, which helm writes only while the hook runs."""
    parts = [
        each
        for each in objects
        if each["kind"] in PARTS and each["metadata"]["name"] == f"{RELEASE}-{role}"
    ]
    bench.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(parts))


def the_clean_up_of_an_uninstall_runs_to_its_end(bench: Bench) -> None:
    name = bench.name()
    bench.apply(name)
    held = json.dumps({"metadata": {"finalizers": [FINALIZER]}})
    bench.kubectl("patch", "summaryrule", name, "--type=merge", f"-p={held}")
    said = run(
        bench,
        "cleanup",
        FILES / "cleanup.py",
        f"--configuration={RELEASE}",
        f"--deployment={RELEASE}-worker",
        f"--deployment={RELEASE}-webhook",
        f"--secret={RELEASE}-webhook-ca",
        f"--lease={RELEASE}-worker",
    )
    assert "cleanup: done" in said
    assert "finalizers" not in bench.rule(name)["metadata"]


def helm_test_gets_the_answers_that_it_wants(bench: Bench) -> None:
    run(bench, "test", FILES / "admission.py")


def run(bench: Bench, role: str, script: Path, *words: str) -> str:
    """Run a hook's script as its account; a failed check when it does not end well."""
    done = subprocess.run(
        [sys.executable, str(script), f"--namespace={NAMESPACE}", *words],
        env={"KUBECONFIG": str(kubeconfig(bench, role)), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"the hook ended with exit code {done.returncode}"
    return done.stdout


def kubeconfig(bench: Bench, role: str) -> Path:
    """Write a kubeconfig whose user is the account of a role."""
    admin = yaml.safe_load(bench.stack.kubeconfig.read_text())
    token = bench.kubectl("create", "token", f"{RELEASE}-{role}").strip()
    name = admin["users"][0]["name"]
    path = bench.stack.state_dir.root / f"{role}.kubeconfig"
    path.write_text(yaml.safe_dump({**admin, "users": [{"name": name, "user": {"token": token}}]}))
    path.chmod(0o600)
    return path
