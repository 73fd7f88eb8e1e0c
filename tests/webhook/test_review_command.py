"""``webhook review``: exit codes and both forms of output."""

import json
from pathlib import Path

import pytest
import yaml

from tests.webhook.reviews import NOW, Json, rule
from webhook.__main__ import main


def write(path: Path, *documents: Json) -> str:
    path.write_text(yaml.safe_dump_all(documents), "utf-8")
    return str(path)


def test_a_good_rule_is_admitted_and_shown_as_it_would_be_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill = {"start": "2026-11-10T00:30:00Z", "end": "2026-11-11T00:00:00Z"}
    path = write(tmp_path / "rule.yaml", rule(ingestionDelay=None, backfill=backfill))
    assert main(["review", path, "--now", NOW, "--user", "bob", "-o", "json"]) == 0
    (verdict,) = json.loads(capsys.readouterr().out)
    assert list(verdict) == ["name", "allowed", "violations", "warnings", "object"]
    assert (verdict["name"], verdict["allowed"]) == ("hourly-cpu-usage", True)
    assert verdict["violations"] == []
    assert verdict["object"]["spec"]["ingestionDelay"] == "0s"
    assert verdict["object"]["spec"]["backfill"]["start"] == "2026-11-10T00:00:00Z"
    assert "bob" in verdict["object"]["metadata"]["annotations"].values()
    assert any(
        "from 2026-11-10T00:30:00Z to 2026-11-10T00:00:00Z" in w for w in verdict["warnings"]
    )


def test_both_stages_are_judged_schema_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "rule.yaml", rule(interval=3600, criteriaExpression="a b"))
    assert main(["review", path, "--now", NOW, "-o", "json"]) == 1
    (verdict,) = json.loads(capsys.readouterr().out)
    assert [each["field"] for each in verdict["violations"]] == [
        "spec.interval",
        "spec.criteriaExpression",
    ]


def test_text_reads_as_kubectl_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "rules.yaml", rule(table="__x"), rule(table="__x", body=".show tables"))
    assert main(["review", path, "--now", NOW]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('The SummaryRule "hourly-cpu-usage" is invalid: spec.table: Invalid')
    assert lines[1] == 'The SummaryRule "hourly-cpu-usage" is invalid: '
    assert lines[2].startswith("* spec.table: Invalid value: ")
    assert lines[3].startswith("* spec.body: Invalid value: ")


def test_an_object_too_large_for_the_annotation_of_kubectl_apply_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = ",".join(f'"{number:08}"' for number in range(28_000))
    body = f"T | where Timestamp between (_startTime .. _endTime) | where x !in ({listed})"
    path = write(tmp_path / "rule.yaml", rule(body=body))
    assert main(["review", path, "--now", NOW]) == 0
    (warning, _) = capsys.readouterr().out.splitlines()
    assert warning.startswith("Warning: metadata.annotations: the object has 364,")
    assert warning.endswith("at most 262,144; use kubectl apply --server-side")


def test_a_body_that_etcd_cannot_hold_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "rule.yaml", rule(body="T" * 1_600_000))
    assert main(["review", path, "--now", NOW]) == 1
    assert "spec.body: Too long: may not be more than 1048576 bytes" in capsys.readouterr().out


def test_an_update_is_judged_against_what_is_stored(tmp_path: Path) -> None:
    backfill = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    old = write(tmp_path / "old.yaml", rule(backfill=backfill))
    new = write(tmp_path / "new.yaml", rule(backfill=backfill, interval="2h"))
    assert main(["review", new, "--now", NOW]) == 1
    assert main(["review", new, "--now", NOW, "--old", old]) == 0


def test_a_rendered_chart_is_reviewed_and_its_other_objects_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "telemetry"}}
    built = write(tmp_path / "built.yaml", namespace, rule(interval="1d"))
    alone = write(tmp_path / "alone.yaml", namespace)
    assert main(["review", built, alone, "--now", NOW]) == 1
    said = capsys.readouterr()
    assert said.out.startswith('The SummaryRule "hourly-cpu-usage" is invalid: spec.interval: ')
    skipped = "skipped 1 object of another kind: v1 Namespace telemetry"
    assert said.err.splitlines() == [
        f"webhook review: {path}: {skipped}" for path in (built, alone)
    ]
    assert main(["review", alone, "--now", NOW]) == 2
    assert "expected adx-mon.azure.com/v1 SummaryRule, found v1" in capsys.readouterr().err


def test_a_name_that_the_server_would_refuse_is_refused_in_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = rule() | {"metadata": {"name": "Daily_Totals"}}
    assert main(["review", write(tmp_path / "named.yaml", named), "--now", NOW]) == 1
    assert capsys.readouterr().out.startswith(
        'The SummaryRule "Daily_Totals" is invalid: metadata.name: Invalid value: "Daily_Totals":'
        " a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-'"
    )
    unnamed = rule() | {"metadata": {}}
    assert main(["review", write(tmp_path / "unnamed.yaml", unnamed), "--now", NOW]) == 1
    assert "metadata.name: Required value: name or generateName" in capsys.readouterr().out


def test_a_prefix_stands_for_the_name_that_the_server_makes_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = rule() | {"metadata": {"generateName": "daily-totals-"}}
    assert main(["review", write(tmp_path / "good.yaml", good), "--now", NOW]) == 0
    assert capsys.readouterr().out == "SummaryRule 'daily-totals-' would be admitted\n"
    bad = rule() | {"metadata": {"generateName": "Daily-"}}
    assert main(["review", write(tmp_path / "bad.yaml", bad), "--now", NOW]) == 1
    assert 'metadata.generateName: Invalid value: "Daily-"' in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["review", "/nonexistent.yaml"], ["review", "/etc/passwd"]],
)
def test_what_cannot_be_judged_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("webhook review: ")


@pytest.mark.parametrize(
    "arguments",
    [[], ["review"], ["review", "x", "--now", "yesterday"], ["serve", "--drain", "1d"]],
)
def test_bad_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_serving_from_files_needs_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert main(["serve", "--certificates", "files"]) == 2
    assert "--cert-dir" in capsys.readouterr().err
    assert main(["serve", "--certificates", "self"]) == 2
    assert "no API server is configured" in capsys.readouterr().err
