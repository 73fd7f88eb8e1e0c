"""Which words of `worker plan` are files, and what is said where there is no cluster to ask."""

from pathlib import Path

import pytest

from worker.__main__ import main
from worker.rule_sources import is_file

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


def test_the_mode_that_was_removed_is_refused_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "rule.yaml", "--mode=backfill"])
    said = capsys.readouterr().err
    assert "'backfill' was removed" in said
    assert "run the backfill with a second rule" in said


THEIRS = """\
metadata:
  name: cpu
  annotations: {adx-mon.azure.com/owner: adx-exporter}
spec: {interval: 1 day, backfill: {requestId: a}}
"""


def test_a_rule_of_another_owner_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(f"apiVersion: adx-mon.azure.com/v1\nkind: SummaryRule\n{THEIRS}")
    assert main(["plan", str(file)]) == 0
    assert "held: NotOurs: the rule belongs to 'adx-exporter'" in capsys.readouterr().out
    assert main(["plan", str(file), "--adopt-owner=adx-exporter"]) == 0
    assert "held: Malformed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--kusto-endpoint=Other=https://other.example.net", "NoEndpoint"),
        ("--no-adopt-unowned", "NotOurs"),
        ("--mode=all", "cpu: 1 interval"),
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


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1 / 0 == 1", "INVALID_ARGUMENT: divide by zero"),
        (
            "{many}.all(a, {many}.all(b, a + b > 0))".format(many="[" + "1," * 200 + "]"),
            "Iteration budget exceeded",
        ),
    ],
)
def test_an_expression_that_fails_while_it_runs_holds_the_rule(
    expression: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rule.yaml"
    spec = f"criteriaExpression: '{expression}', body: T"
    file.write_text(RULE.replace("body: T", spec), encoding="utf-8")
    assert main(["plan", str(file)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "cpu: 0 interval and 0 backfill windows due",
        f"  held: CriteriaExpressionError: criteria expression error: {why}",
    ]


def test_a_plan_of_a_file_reads_it_as_kubectl_does_and_skips_other_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "built.yaml"
    backfill = "{start: 2026-11-23T00:00:00Z, end: 2026-11-23T04:00:00Z}"
    rule = RULE.replace("interval: 1h", f"interval: 1h, backfill: {backfill}")
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: cpu-svc}\n"
    file.write_text(f"{service}---\n{rule}", encoding="utf-8")
    assert main(["plan", str(file), "--now", "2026-11-24T06:30:00Z"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("cpu: 1 interval and 4 backfill windows due\n")
    assert said.err == (
        f"worker plan: {file}: skipped 1 object of another kind: v1 Service cpu-svc\n"
    )
    file.write_text(service, encoding="utf-8")
    assert main(["plan", str(file)]) == 2


@pytest.mark.parametrize("name", ["CPU", "cpu_hourly", "-cpu", "a..b", "c" * 254])
def test_a_plan_says_which_name_the_server_would_refuse(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE.replace("name: cpu", f"name: {name}"), encoding="utf-8")
    assert main(["plan", str(file), "--now", "2026-11-24T06:30:00Z"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{name}: 0 interval and 0 backfill windows due"
    assert second.startswith(f'  held: Malformed: metadata.name: Invalid value: "{name}": ')


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
