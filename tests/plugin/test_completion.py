"""What the shell is offered, by kubectl's contract for plugins."""

import os
import stat
from pathlib import Path

import pytest

from plugin.completion import FILES, NO_FILES, candidates, main


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that knows two rules and writes down what it was asked."""
    program = tmp_path / "kubectl"
    names = "summaryrule.adx-mon.azure.com/cpu\\nsummaryrule.adx-mon.azure.com/memory\\n"
    program.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\nprintf '{names}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KUBECTL", str(program))
    return tmp_path / "asked"


def test_commands_come_first_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["re"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["resume", "retry", NO_FILES]


def test_files_are_left_to_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    for words, last in ((["lint", "a.yaml", ""], FILES), (["lint"], NO_FILES)):
        assert main(words) == 0
        assert capsys.readouterr().out.splitlines()[-1] == last


def test_then_names_of_rules_in_the_namespace_chosen(kubectl: Path) -> None:
    assert list(candidates(["status", "-n", "prod", "c"])) == ["cpu"]
    assert kubectl.read_text().split()[-1] == "--namespace=prod"
    assert list(candidates(["status", "--context=two", ""])) == ["cpu", "memory"]
    assert kubectl.read_text().split()[-1] == "--context=two"


def test_a_name_that_is_given_is_not_offered_again(kubectl: Path) -> None:
    assert list(candidates(["wait", "cpu", ""])) == ["memory"]
    assert kubectl.exists()


def test_flags_are_offered_with_what_they_do(kubectl: Path) -> None:
    offered = dict(line.split("\t") for line in candidates(["backfill", "cpu", "--re"]))
    assert list(offered) == ["--request-id", "--replace", "--request-timeout"]
    assert offered["--replace"] == "end the running backfill and start this one"
    assert [line.split("\t")[0] for line in candidates(["--na"])] == ["--namespace"]
    assert not kubectl.exists()


def test_values_are_offered_where_a_flag_has_a_choice(kubectl: Path) -> None:
    assert list(candidates(["status", "-o", ""])) == ["json", "yaml", "wide", "name"]
    assert list(candidates(["status", "--output=js"])) == ["--output=json"]
    assert list(candidates(["windows", "cpu", "--state", "f"])) == ["failed"]
    assert list(candidates(["backfill", "cpu", "--last", ""])) == []
    assert list(candidates(["-n", "prod", "sta"])) == [
        "status\tshow the state of rules: lag, backfill, problems"
    ]
    assert not kubectl.exists()
    assert list(candidates(["status", "-n", "c"])) == ["cpu"]
    assert kubectl.read_text().split() == ["get", "namespaces", "-o", "name"]
    assert list(candidates(["-n", "prod", "status", ""])) == ["cpu", "memory"]
    assert kubectl.read_text().split()[-1] == "--namespace=prod"


def test_a_cluster_that_cannot_be_asked_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL", os.path.join(os.devnull, "kubectl"))  # noqa: PTH118
    assert list(candidates(["status", ""])) == []
