"""`kubectl summaryrule` on the real stack, found by the real kubectl as a plugin."""

import json
import subprocess

import pytest

from summaryrule.api.instant import Instant
from tests.e2e.lab import Lab, hours_ago


class Plugin:
    """The user's shell, as `devstack env` sets it up, and a rule to speak of."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.env = lab.stack.env()

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.lab.stack.kubectl, "summaryrule", *words],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def says(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def plugin(lab: Lab) -> Plugin:
    return Plugin(lab)


def between(start: Instant, end: Instant) -> list[str]:
    return ["--start", str(start), "--end", str(end)]


def test_a_backfill_is_asked_for_followed_and_remembered(lab: Lab, plugin: Plugin) -> None:
    start, end = hours_ago(12), hours_ago(2)
    lab.load(start, end)
    lab.admit(lab.rule())
    said = plugin.says(
        "backfill", lab.name, *between(start, end), "--max-in-flight=4", "--wait", "--timeout=60s"
    )
    asked, ended = said.splitlines()
    assert asked.endswith(f"/{lab.name} backfill of [{start}, {end}): 10 windows of 1h, 4 at once")
    assert ended == f"{lab.name}: backfill Completed, 10/10 windows"
    lab.assert_exactly_once(start, end)
    shown = json.loads(plugin.says("status", lab.name, "-o", "json"))
    assert shown["backfill"]["phase"] == "Completed"
    assert lab.name in plugin.says("status", "-A")
    (_, row) = plugin.says("history", lab.name).splitlines()
    assert row.split()[1:5] == ["Completed", str(start), str(end), "10"]
    again = plugin("backfill", lab.name, *between(start, end))
    assert "unchanged: this range has run" in again.stdout
    assert "Warning: " in again.stderr


def test_what_admission_refuses_is_shown_in_its_own_words(lab: Lab, plugin: Plugin) -> None:
    lab.admit(lab.rule())
    refused = plugin("backfill", lab.name, "--start", "2020-01-01", "--dry-run=server")
    assert refused.returncode == 1
    assert "spec.backfill.start: Invalid value" in refused.stderr
    assert "Traceback" not in refused.stderr
    dry = plugin.says("backfill", lab.name, "--last=6h", "--dry-run=server")
    assert dry.rstrip().endswith("(server dry run)")
    assert "backfill" not in lab.get()["spec"]
    missing = plugin("status", "no-such-rule")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "not found" in missing.stderr


def test_a_backfill_is_paused_kept_resumed_and_canceled(lab: Lab, plugin: Plugin) -> None:
    start, end = hours_ago(20), hours_ago(2)
    lab.load(start, end)
    lab.admit(lab.rule(backfill={"start": str(start), "end": str(end), "suspend": True}))
    lab.until(lambda rule: rule["status"]["backfill"]["phase"] == "Paused", "the pause")
    held = plugin("explain", lab.name)
    assert held.returncode == 1
    assert f"do: kubectl summaryrule resume {lab.name}\n" in held.stdout
    kept = plugin("backfill", lab.name, "--last=3h")
    assert kept.returncode == 1
    assert "add --replace" in kept.stderr
    assert "held: Paused: " in plugin.says("plan", lab.name)
    plugin.says("cancel", lab.name)
    ended = plugin("wait", lab.name, "--timeout=30s")
    assert (ended.returncode, ended.stdout) == (1, f"{lab.name}: backfill Canceled, 0/18 windows\n")


def test_failed_windows_are_explained_skipped_and_retried(lab: Lab, plugin: Plugin) -> None:
    start, end = hours_ago(6), hours_ago(3)
    lab.admit(lab.rule())  # whose source is not there yet
    failed = plugin("backfill", lab.name, *between(start, end), "--wait", "--timeout=60s")
    assert failed.returncode == 1
    assert f"{lab.name}: backfill Failed, 0/3 windows" in failed.stdout
    explained = plugin("explain", lab.name)
    assert "Held: BackfillFailed: " in explained.stdout
    assert f"kubectl summaryrule retry {lab.name} --all" in explained.stdout
    plugin.says("skip", lab.name, "--window", str(start))
    lab.until(lambda rule: rule["status"]["backfill"].get("windowsSkipped") == 1, "the skip")
    lab.load(start, end)
    lab.until(lambda rule: bool(rule["status"]["backfill"].get("failed")), "the next failure")
    plugin.says("retry", lab.name, "--all")
    assert plugin.says("wait", lab.name, "--timeout=60s").startswith(f"{lab.name}: backfill Comp")


def test_kubectl_completes_commands_and_names_of_rules(lab: Lab, plugin: Plugin) -> None:
    lab.admit(lab.rule())
    for words, expected in ((["hi"], "history\t"), (["status", lab.name[:20]], lab.name)):
        done = subprocess.run(
            [lab.stack.kubectl, "__complete", "summaryrule", *words],
            env=plugin.env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert any(line.startswith(expected) for line in done.stdout.splitlines())
        assert ":4" in done.stdout
