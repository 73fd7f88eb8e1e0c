"""`kubectl summaryrule` on the real stack, found by the real kubectl as a plugin."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from summaryrule.api.instant import Instant
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, hours_ago


class Plugin:
    """The user's shell, as `devstack env` sets it up, and a rule to speak of."""

    def __init__(self, sandbox: Sandbox, directory: Path) -> None:
        self.sandbox, self.directory = sandbox, directory
        self.env = sandbox.stack.env()

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.sandbox.stack.kubectl, "summaryrule", *words],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def write(self, *rules: Mapping[str, Any]) -> str:
        """A file with these rules."""
        path = self.directory / "rules.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": rules}))
        return str(path)

    def says(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def plugin(sandbox: Sandbox, tmp_path: Path) -> Plugin:
    return Plugin(sandbox, tmp_path)


def between(start: Instant, end: Instant) -> list[str]:
    return ["--start", str(start), "--end", str(end)]


def test_a_backfill_is_asked_for_followed_and_remembered(sandbox: Sandbox, plugin: Plugin) -> None:
    start, end = hours_ago(12), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule())
    said = plugin.says(
        "backfill",
        sandbox.name,
        *between(start, end),
        "--max-in-flight=4",
        "--wait",
        "--timeout=60s",
    )
    asked, ended = said.splitlines()
    assert asked.endswith(
        f"/{sandbox.name} backfill of [{start}, {end}): 10 windows of 1h, 4 at once"
    )
    assert ended == f"{sandbox.name}: backfill Completed, 10/10 windows"
    sandbox.assert_exactly_once(start, end)
    shown = json.loads(plugin.says("status", sandbox.name, "-o", "json"))
    assert shown["backfill"]["phase"] == "Completed"
    assert sandbox.name in plugin.says("status", "-A")
    (_, row) = plugin.says("history", sandbox.name).splitlines()
    assert row.split()[1:5] == ["Completed", str(start), str(end), "10/10"]
    rows = plugin("query", sandbox.name, "--window", str(start), "-o", "json")
    assert len(json.loads(rows.stdout)) > 0, rows.stderr
    events = json.loads(plugin.says("events", sandbox.name, "-o", "json"))
    assert {"BackfillStarted", "BackfillCompleted"} <= {each["reason"] for each in events}
    again = plugin("backfill", sandbox.name, *between(start, end))
    assert "unchanged: this range has run" in again.stdout
    assert "Warning: " in again.stderr


def test_what_admission_refuses_is_shown_in_its_own_words(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.admit(sandbox.rule())
    refused = plugin("backfill", sandbox.name, "--start", "2020-01-01", "--dry-run=server")
    assert refused.returncode == 1
    assert "spec.backfill.start: Invalid value" in refused.stderr
    assert "Traceback" not in refused.stderr
    dry = plugin.says("backfill", sandbox.name, "--last=6h", "--dry-run=server")
    assert dry.rstrip().endswith("(server dry run)")
    assert "backfill" not in sandbox.get()["spec"]
    missing = plugin("status", "no-such-rule")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "not found" in missing.stderr


def test_a_backfill_is_paused_kept_resumed_and_canceled(sandbox: Sandbox, plugin: Plugin) -> None:
    start, end = hours_ago(20), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill={"start": str(start), "end": str(end), "suspend": True}))
    sandbox.until(lambda rule: rule["status"]["backfill"]["phase"] == "Paused", "the pause")
    held = plugin("explain", sandbox.name)
    assert held.returncode == 0, "somebody paused it"
    assert f"do: kubectl summaryrule resume {sandbox.name}\n" in held.stdout
    kept = plugin("backfill", sandbox.name, "--last=3h")
    assert kept.returncode == 1
    assert "add --replace" in kept.stderr
    assert "held: Paused: " in plugin.says("plan", sandbox.name)
    plugin.says("cancel", sandbox.name)
    ended = plugin("wait", sandbox.name, "--timeout=30s")
    assert (ended.returncode, ended.stdout) == (
        1,
        f"{sandbox.name}: backfill Canceled, 0/18 windows\n",
    )


def test_a_backfill_whose_query_kusto_refuses_is_not_waited_for(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    start, end = hours_ago(6), hours_ago(3)
    sandbox.admit(sandbox.rule())  # whose source is not there yet
    refused = plugin("backfill", sandbox.name, *between(start, end), "--wait", "--timeout=60s")
    assert refused.returncode == 1
    assert f"{sandbox.name}: Semantic error: SEM0100: " in refused.stderr
    assert f"; see kubectl summaryrule explain {sandbox.name}" in refused.stderr
    sandbox.load(start, end)
    sandbox.until_cleared()


def test_failed_windows_are_explained_skipped_and_retried(
    sandbox: Sandbox, plugin: Plugin, faults: Faults
) -> None:
    start, end = hours_ago(6), hours_ago(3)
    sandbox.load(start, end)
    faults.set(fault("operation-end", match=sandbox.table, state="Failed", status="boom"))
    sandbox.admit(sandbox.rule())
    failed = plugin("backfill", sandbox.name, *between(start, end), "--wait", "--timeout=60s")
    assert failed.returncode == 1
    assert f"{sandbox.name}: backfill Failed, 0/3 windows" in failed.stdout
    explained = plugin("explain", sandbox.name)
    assert "Held: BackfillFailed: " in explained.stdout
    assert f"kubectl summaryrule retry {sandbox.name} --all" in explained.stdout
    plugin.says("skip", sandbox.name, "--window", str(start))
    sandbox.until(lambda rule: rule["status"]["backfill"].get("windowsSkipped") == 1, "the skip")
    sandbox.until(lambda rule: bool(rule["status"]["backfill"].get("failed")), "the next failure")
    faults.clear()
    plugin.says("retry", sandbox.name, "--all")
    assert plugin.says("wait", sandbox.name, "--timeout=60s").startswith(
        f"{sandbox.name}: backfill Comp"
    )


def test_the_page_of_a_worker_without_a_kubelet_is_not_forwarded(plugin: Plugin) -> None:
    """The local stack has no kubelet: kubectl says so if the leader is a pod, else the plugin."""
    refused = plugin("ui")
    assert (refused.returncode, refused.stdout) == (1, "")
    by_kubectl = "error upgrading connection" in refused.stderr
    assert by_kubectl or " is not a pod in namespace " in refused.stderr


def test_files_are_linted_offline_and_by_the_server(sandbox: Sandbox, plugin: Plugin) -> None:
    path = plugin.write(sandbox.rule(interval="1d"), sandbox.rule(body="T | take 1"))
    offline, server = plugin("lint", path), plugin("lint", path, "--cluster")
    assert (offline.returncode, server.returncode) == (1, 1)
    assert f"{path}: {sandbox.name}: would be admitted" in offline.stdout
    expected = f'{path}: {sandbox.name}: spec.interval: Invalid value: "1d": must be a Go duration'
    assert expected in offline.stdout
    dry_run = f"{path}: {sandbox.name}: server: "
    assert f"{dry_run}summaryrule.adx-mon.azure.com/{sandbox.name} created (server dry" in (
        server.stdout
    )
    assert f'{dry_run}The SummaryRule "{sandbox.name}" is invalid' in server.stdout
    assert "NotFound" in sandbox.kubectl("get", "summaryrule", sandbox.name).stderr


def test_kubectl_completes_commands_and_names_of_rules(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.admit(sandbox.rule())
    for words, expected in ((["hi"], "history\t"), (["status", sandbox.name[:20]], sandbox.name)):
        done = subprocess.run(
            [sandbox.stack.kubectl, "__complete", "summaryrule", *words],
            env=plugin.env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert any(line.startswith(expected) for line in done.stdout.splitlines())
        assert ":4" in done.stdout


def test_rules_are_chosen_as_kubectl_users_expect(sandbox: Sandbox, plugin: Plugin) -> None:
    rules = [sandbox.rule() for _ in range(2)]
    names = [f"{sandbox.name}-{number}" for number in range(2)]
    for rule, name in zip(rules, names, strict=True):
        rule["metadata"] |= {"name": name, "labels": {"chosen": sandbox.name}}
    sandbox.admit({"apiVersion": "v1", "kind": "List", "items": rules})
    selector = f"chosen={sandbox.name}"
    for words in (
        ("status", "-l", selector),
        ("status", f"--selector={selector}"),
        ("status", *names),
        ("status", *[f"sr/{name}" for name in names]),
        ("-n", "default", "status", *names),
    ):
        shown = plugin.says(*words).splitlines()[1:]
        assert [line.split()[0] for line in shown] == names, words
    asked = plugin.says("backfill", "-l", selector, "--last", "3h", "--dry-run=server")
    assert [name for name in names if f"/{name} backfill of [" in asked] == names
    other = plugin("--context", "other", "status")
    assert other.returncode == 1
    assert "context was not found for specified context: other" in other.stderr
    watched = subprocess.run(
        ["timeout", "-s", "INT", "4", sandbox.stack.kubectl, "summaryrule", "status", "-w", *names],
        env=plugin.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert watched.stdout.count(names[1]) >= 1, watched.stderr
    assert "Traceback" not in watched.stderr
    sandbox.kubectl("delete", "summaryrule", *names, "--wait=false")
