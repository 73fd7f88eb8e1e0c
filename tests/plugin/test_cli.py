"""What the command line takes, and what it says of what it does not take."""

import io
import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from plugin.__main__ import main
from plugin.cli import kubectl_flags, parse
from plugin.commands.wait import follow
from plugin.console import Console
from plugin.kubectl import Kubectl
from tests.plugin.rules import rule, running


def test_flags_of_kubectl_stand_before_or_after_the_command() -> None:
    before = parse(["--context", "other", "-n", "prod", "status", "-A"])
    assert kubectl_flags(before) == ["--namespace=prod", "--context=other"]
    both = parse(["-n", "prod", "status", "-n", "dev"])
    assert kubectl_flags(both) == ["--namespace=dev"]


@pytest.mark.parametrize(
    "words",
    [
        ["status", "cpu", "memory"],
        ["status", "cpu", "-o", "wide", "memory"],
        ["status", "sr/cpu", "summaryrule/memory"],
        ["status", "SummaryRules.adx-mon.azure.com/cpu", "memory"],
    ],
)
def test_several_names_are_taken_with_their_type_or_without(words: list[str]) -> None:
    assert parse(words).names == ["cpu", "memory"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "unknown command 'statsu'; did you mean 'status'?"),
        (["frobnicate"], "unknown command 'frobnicate'; see"),
        (["status", "--all-namespace-s"], "did you mean '--all-namespaces'?"),
        (["pause", "pod/cpu"], "'pod/cpu' does not name a SummaryRule; write sr/NAME"),
        (["pause"], "name a rule, or select rules with -l or --all; see"),
        (["explain"], "name a rule, or select rules with -l; see"),
        (["pause", "cpu", "-l", "team=a"], "give only one of: names, -l, --all"),
        (["cancel", "cpu", "--all"], "give only one of: names, -l, --all"),
    ],
)
def test_a_mistake_is_named_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(words)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_call_without_a_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "examples:" in said.out


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl with two rules, one of which has no backfill; it notes each call."""
    live = rule("cpu", backfill=running())
    live["spec"]["backfill"] = {"start": "2026-11-01T00:00:00Z"}
    bare = rule("memory")
    for made in (live, bare):
        (tmp_path / made["metadata"]["name"]).write_text(json.dumps(made))
    (tmp_path / "all").write_text(json.dumps({"kind": "List", "items": [live, bare]}))
    program = tmp_path / "kubectl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nfile={tmp_path}/$3\n'
        f'case "$3" in -*) file={tmp_path}/all;; esac\ncat $file\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KUBECTL", str(program))
    return tmp_path / "calls"


def console() -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(out, err), out, err


def test_a_command_runs_for_each_name_and_says_which_it_refused(calls: Path) -> None:
    screen, out, err = console()
    assert main(["pause", "memory", "cpu"], screen) == 1
    assert out.getvalue() == "summaryrule.adx-mon.azure.com/cpu backfill paused\n"
    assert "pause: memory has no backfill" in err.getvalue()
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["get", "get", "patch"]


def test_a_selector_chooses_the_rules(calls: Path) -> None:
    screen, out, _ = console()
    assert main(["pause", "--schedule", "-l", "team=a", "-n", "prod"], screen) == 0
    assert [line.split(" ")[0].partition("/")[2] for line in out.getvalue().splitlines()] == [
        "cpu",
        "memory",
    ]
    first = calls.read_text().splitlines()[0]
    assert first.endswith("--selector=team=a --output=json --namespace=prod")


def test_a_dry_run_on_the_client_prints_the_patch_in_the_format_asked_for(calls: Path) -> None:
    screen, out, _ = console()
    assert main(["pause", "cpu", "--schedule", "--dry-run=client", "-o", "yaml"], screen) == 0
    assert out.getvalue() == "spec:\n  suspend: true\n"
    assert not calls.exists()


class Terminal(io.StringIO):
    """A terminal on which a line is typed."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("Yes\n", 0), ("\n", 1), ("n\n", 1)])
def test_all_rules_are_changed_after_a_yes(
    calls: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    screen = Console(io.StringIO(), err := Terminal())
    assert main(["pause", "--schedule", "--all"], screen) == code
    assert "pause: 2 rules (cpu, memory); continue? [y/N] " in err.getvalue()
    patches = [line for line in calls.read_text().splitlines() if line.startswith("patch")]
    assert len(patches) == (0 if code else 2)
    assert ("nothing was changed" in err.getvalue()) == bool(code)


def test_all_means_the_rules_that_have_a_backfill(calls: Path) -> None:
    screen, out, _ = console()
    assert main(["cancel", "--all", "--yes"], screen) == 0
    assert out.getvalue() == "summaryrule.adx-mon.azure.com/cpu backfill canceled\n"


def test_all_needs_a_yes_where_nobody_can_be_asked(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    screen, out, err = console()
    assert main(["pause", "--all"], screen) == 2
    assert err.getvalue().endswith("--all would change 1 rule; add --yes to do it\n")
    assert main(["pause", "--all", "--dry-run=client"], screen) == 0
    assert '"suspend": true' in out.getvalue()
    assert all(line.startswith("get") for line in calls.read_text().splitlines())


class Interrupted(Kubectl):
    """A cluster whose user presses Ctrl-C while the first answer is on its way."""

    def __init__(self) -> None:
        super().__init__("none", ["--namespace=prod"])

    def rule(self, _name: str) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()


def test_ctrl_c_ends_the_waiting_alone_and_says_how_to_wait_again() -> None:
    screen, _, err = console()
    with pytest.raises(KeyboardInterrupt):
        follow(Interrupted(), "cpu", screen, 10**9)
    again = "kubectl summaryrule wait cpu --namespace=prod"
    assert (
        err.getvalue() == f"cpu: this ends the waiting, not the backfill; to wait again: {again}\n"
    )
