"""Which words of `worker plan` are files, and what is said where there is no cluster to ask."""

from pathlib import Path

import pytest

from worker.__main__ import main
from worker.preview import is_file

RULE = """\
apiVersion: adx-mon.azure.com/v1
kind: SummaryRule
metadata: {name: cpu}
spec: {database: D, table: T, body: T, interval: 1h}
"""


@pytest.mark.parametrize("word", ["-", "rule.yaml", "a.yml", "a.json", "./cpu", "dir/cpu"])
def test_what_looks_like_a_file_is_one(word: str) -> None:
    assert is_file(word)


def test_a_file_that_is_there_is_one_and_a_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cpu").write_text(RULE, encoding="utf-8")
    assert is_file("cpu")
    assert not is_file("cpu-hourly")
    assert not is_file("cpu.hourly")


def test_a_plan_says_how_many_windows_are_due_and_that_their_time_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE, encoding="utf-8")
    assert main(["plan", str(file), "--now", "2026-11-24T06:30:00Z"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "cpu: 1 interval and 0 backfill windows due"
    assert second == "  interval estimate: unknown (no operation of this rule has ended yet)"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--kusto-endpoint=Other=https://other.example.net", "NoEndpoint"),
        ("--no-adopt-unowned", "NotOurs"),
        ("--mode=backfill", "cpu: 0 interval and 0 backfill windows due"),
        ("--label=region=eastus", "cpu: 1 interval"),
    ],
)
def test_a_plan_takes_the_options_of_a_run_that_decide(
    option: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE, encoding="utf-8")
    assert main(["plan", str(file), "--now", "2026-11-24T06:30:00Z", option]) == 0
    assert said in capsys.readouterr().out


def test_a_name_without_a_cluster_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    assert main(["plan", "cpu-hourly"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "worker plan: no API server is configured: there is no /nowhere/config;"
        " mount a ServiceAccount token or set KUBECONFIG\n"
    )
