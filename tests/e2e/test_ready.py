"""READY and REASON on the real stack: within a minute `kubectl get` says what is wrong."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.chart import NAMESPACE, RELEASE
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

PATIENCE = 60.0
DEPLOYMENT = f"deployment/{RELEASE}-worker"


def columns(sandbox: Sandbox) -> list[str]:
    """READY and REASON as kubectl prints them; fewer where they are blank."""
    got = sandbox.kubectl("get", "summaryrule", sandbox.name)
    head, row = got.stdout.splitlines()
    assert head.split()[:3] == ["NAME", "READY", "REASON"]
    return row.split()[1:3]


def until(check: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < give_up_at, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.2)


def says(sandbox: Sandbox, *expected: str) -> None:
    until(lambda: columns(sandbox) == [*expected], " ".join(expected))


def wide(sandbox: Sandbox) -> str:
    return sandbox.kubectl("get", "summaryrule", sandbox.name, "-o", "wide").stdout


def plugin(sandbox: Sandbox, *words: str) -> subprocess.CompletedProcess[str]:
    return sandbox.kubectl("summaryrule", *words)


def becomes_ready(sandbox: Sandbox) -> None:
    waited = sandbox.kubectl(
        "wait", f"summaryrule/{sandbox.name}", "--for=condition=Ready", "--timeout=50s"
    )
    assert waited.returncode == 0, waited.stderr


def remedy(sandbox: Sandbox, reason: str) -> str:
    """What `explain` says to do for this reason; it fails because of a problem."""
    told = plugin(sandbox, "explain", sandbox.name)
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    (at,) = (at for at, line in enumerate(lines) if line.startswith(f"Held: {reason}: "))
    return lines[at + 1]


def test_a_typo_in_the_query_is_shown_and_its_remedy_makes_the_rule_ready(
    sandbox: Sandbox,
) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    right = sandbox.rule(suspend=False)
    body = right["spec"]["body"].replace("summarize", "sumarize")
    sandbox.admit({**right, "spec": {**right["spec"], "body": body}})
    says(sandbox, "False", "QueryInvalid")
    assert "sumarize" in wide(sandbox)
    found = sandbox.get()["status"]["conditions"]
    assert {each["status"] for each in found if each["type"] == "Stalled"} == {"True"}
    assert "correct spec.body" in remedy(sandbox, "QueryInvalid")
    sandbox.admit(right)
    becomes_ready(sandbox)
    assert columns(sandbox) == ["True", "Active"]


def test_windows_that_failed_are_shown_until_they_are_retried(
    sandbox: Sandbox, faults: Faults
) -> None:
    sandbox.load(hours_ago(6), hours_ago(0))
    faults.set(fault("operation-end", state="Failed", status="boom"))
    sandbox.admit(sandbox.rule(suspend=False))
    says(sandbox, "False", "WindowFailed")
    assert "Failed: boom" in wide(sandbox)
    assert f"kubectl summaryrule retry {sandbox.name} --all" in remedy(sandbox, "WindowFailed")
    faults.clear()
    assert plugin(sandbox, "retry", sandbox.name, "--all").returncode == 0
    becomes_ready(sandbox)
    faults.set(fault("operation-end", state="Failed", status="boom"))
    start = hours_ago(5)
    sandbox.admit(sandbox.rule(backfill=backfill(start, hours_ago(3)), suspend=False))
    says(sandbox, "False", "BackfillFailed")
    assert f"window [{start}, " in wide(sandbox)
    assert f"window [{start}, " in plugin(sandbox, "explain", sandbox.name).stdout


def test_a_missing_table_and_a_wrong_database_are_shown(sandbox: Sandbox) -> None:
    sandbox.admit(sandbox.rule(backfill=backfill(hours_ago(4), hours_ago(2))))
    says(sandbox, "False", "QueryInvalid")
    assert sandbox.raw in wide(sandbox)
    gone = sandbox.kubectl("delete", "summaryrule", sandbox.name)
    assert gone.returncode == 0, gone.stderr
    sandbox.admit(sandbox.rule(suspend=False, database="Telemetrie"))
    says(sandbox, "False", "NoEndpoint")
    assert "'Telemetrie'" in wide(sandbox)
    assert "kusto.endpoints" in remedy(sandbox, "NoEndpoint")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"suspend": True}, "Suspended"),
        ({"suspend": False, "criteria": {"region": ["nowhere"]}}, "OtherCluster"),
    ],
)
def test_what_somebody_chose_is_ready(sandbox: Sandbox, spec: Any, reason: str) -> None:
    sandbox.admit(sandbox.rule(**spec))
    becomes_ready(sandbox)
    assert columns(sandbox) == ["True", reason]
    assert plugin(sandbox, "explain", sandbox.name).returncode == 0


def install(sandbox: Sandbox, folder: Path, **spec: Any) -> subprocess.CompletedProcess[str]:
    """helm 4 waits by the rules of kstatus, from kstatus itself."""
    rule = sandbox.rule(**spec)
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: rules\nversion: 0.1.0\n")
    (folder / "templates" / "rule.yaml").write_text(json.dumps(rule))
    return subprocess.run(
        ["helm", "install", sandbox.name, str(folder), "--wait", "--timeout=20s"],
        env=sandbox.stack.env() | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_helm_waits_for_what_kstatus_says(sandbox: Sandbox, tmp_path: Path) -> None:
    refused = install(sandbox, tmp_path, suspend=False)
    assert refused.returncode == 1
    assert f"SummaryRule/default/{sandbox.name}" in refused.stderr
    assert "status: Failed" in refused.stderr
    sandbox.kubectl("delete", "summaryrule", sandbox.name)


def test_helm_does_not_wait_for_a_rule_that_is_suspended(sandbox: Sandbox, tmp_path: Path) -> None:
    installed = install(sandbox, tmp_path, suspend=True)
    assert installed.returncode == 0, installed.stderr


@pytest.fixture
def without_worker(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A rule whose backfill is under way, and then no worker."""
    start, end = hours_ago(200), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    sandbox.until(lambda rule: rule["status"]["backfill"].get("windowsDone", 0) > 0, "a window")
    scale(sandbox, 0)
    until(lambda: "worker" not in {each.name for each in sandbox.stack.processes()}, "its end")
    yield sandbox
    scale(sandbox, 1)
    sandbox.kubectl("patch", "sr", sandbox.name, "--type=merge", "-p", '{"spec":{"backfill":null}}')
    until(lambda: plugin(sandbox, "check").stdout.count("ok ") == 5, "a worker that leads")


def scale(sandbox: Sandbox, replicas: int) -> None:
    done = sandbox.kubectl("scale", DEPLOYMENT, "-n", NAMESPACE, f"--replicas={replicas}")
    assert done.returncode == 0, done.stderr


def test_without_a_worker_the_plugin_says_so_everywhere(without_worker: Sandbox) -> None:
    name = without_worker.name
    shown = plugin(without_worker, "status", name)
    _, row = shown.stdout.splitlines()
    assert row.split()[:3] == [name, "Unknown", "NoLeader"]
    assert "no worker leads since 20" in row
    assert "do: start a worker" in shown.stderr
    told = plugin(without_worker, "explain", name)
    assert told.returncode == 1
    waited = plugin(without_worker, "wait", name, "--timeout=1s")
    assert waited.returncode == 1
    assert "no worker leads since 20" in waited.stderr
    listed = plugin(without_worker, "windows", name)
    for each in (shown, told, waited, listed):
        said = each.stdout + each.stderr
        assert "no worker leads since 20" in said
        assert "unning" not in said
        assert "soon" not in said
        assert "Nothing holds it" not in said
    without_worker.kubectl("delete", "summaryrule", name, "--wait=false")
    deleted = plugin(without_worker, "explain", name)
    assert "Held: Deleting: the deletion waits for a worker: no worker leads" in deleted.stdout
    assert deleted.returncode == 1
