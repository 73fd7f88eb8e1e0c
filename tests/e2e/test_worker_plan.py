"""`worker plan NAME` on the real API server: the plan of the live object, or one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tests.e2e.fixtures import Sandbox, backfill, hours_ago

NOW = "2026-11-24T06:30:00Z"


def _plan(*arguments: str, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", "plan", *arguments],
        env={"KUBECONFIG": str(kubeconfig), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _stranger(sandbox: Sandbox, folder: Path) -> Path:
    """A kubeconfig of somebody who may read nothing."""
    token = sandbox.kubectl("create", "token", "default").stdout.strip()
    config = yaml.safe_load(sandbox.stack.kubeconfig.read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"] = {"token": token}
    file = folder / "stranger"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


def test_a_name_is_planned_as_the_cluster_has_it_or_refused_in_one_sentence(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    start, end = hours_ago(4), hours_ago(2)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end, suspend=True)))
    sandbox.until(lambda rule: "status" in rule, "the worker's first look", 30)
    admin = sandbox.stack.kubeconfig
    by_name = _plan(sandbox.name, "-n", "default", "--now", NOW, "-o", "json", kubeconfig=admin)
    assert (by_name.returncode, by_name.stderr) == (0, "")
    file = tmp_path / "live.json"
    file.write_text(json.dumps(sandbox.get()), encoding="utf-8")
    by_file = _plan(str(file), "--now", NOW, "-o", "json", kubeconfig=admin)
    assert by_name.stdout == by_file.stdout
    [planned] = json.loads(by_name.stdout)
    assert "Paused" in [held["reason"] for held in planned["held"]]
    unknown = _plan("no-such-rule", "-n", "default", kubeconfig=admin)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no SummaryRule no-such-rule in namespace default" in unknown.stderr
    forbidden = _plan(sandbox.name, "-n", "default", kubeconfig=_stranger(sandbox, tmp_path))
    assert (forbidden.returncode, forbidden.stdout) == (1, "")
    assert forbidden.stderr.count("\n") == 1
    assert "may not read SummaryRules in namespace default" in forbidden.stderr
