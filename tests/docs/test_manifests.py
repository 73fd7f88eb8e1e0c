"""Every YAML block is taken by what it is for: admission, the chart, the API server."""

import json
import time
from pathlib import Path

import pytest
import yaml

from devstack import binaries
from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.chart.helm import Helm
from tests.docs.clock import READ, TOLD
from tests.docs.manifests import Manifest, manifests
from tests.docs.shell import on_the_stack
from webhook.__main__ import main as webhook

_NEVER_APPLIED = {"Kustomization": "read by kubectl, not by the API server"}


def written(rules: list[Manifest], folder: Path) -> Path:
    folder.mkdir()
    for number, each in enumerate(rules):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(each.rule(number)))
    return folder


def rules(now: Instant) -> list[Manifest]:
    return [each for each in manifests(now) if each.is_rule]


@pytest.mark.parametrize("at", READ)
def test_every_rule_passes_review_but_those_that_are_there_to_be_refused(
    at: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rules(READ[at])
    files = map(str, written(found, tmp_path / "rules").iterdir())
    webhook(["review", *files, "--now", str(READ[at]), "-o", "json"])
    printed = capsys.readouterr().out
    verdicts = {each["name"].rpartition("-")[2]: each for each in json.loads(printed)}
    wrong = [
        (each.block.page, verdicts[str(number)]["violations"])
        for number, each in enumerate(found)
        if verdicts[str(number)]["allowed"] == (each.block.mark == "refused")
    ]
    assert found
    assert wrong == []


def test_the_api_server_takes_the_same_rules(stack: Stack, tmp_path: Path) -> None:
    found = rules(Instant.from_unix_ns(time.time_ns()))
    folder = written(found, tmp_path / "rules")
    shell = on_the_stack(stack, tmp_path, "docs-manifests")
    [ran, _] = shell.run(
        [
            f"kubectl create --dry-run=server -o name -f {folder}",
            "kubectl delete namespace docs-manifests --wait=false",
        ]
    )
    taken = {name.rpartition("-")[2] for name in ran.printed.split() if "/" in name}
    refused = {str(n) for n, each in enumerate(found) if each.block.mark == "refused"}
    assert {str(number) for number in range(len(found))} - taken == refused, ran.printed


def test_the_chart_takes_every_values_file(tmp_path: Path) -> None:
    found = [each for each in manifests(TOLD) if each.is_values]
    helm = Helm(binaries.resolve(print)["helm"], tmp_path)
    assert found
    assert all(helm.render(**each.object) for each in found)


def test_other_objects_are_taken_by_the_api_server(stack: Stack, tmp_path: Path) -> None:
    others = [each.object for each in manifests(TOLD) if not (each.is_rule or each.is_values)]
    applied = [each for each in others if each["kind"] not in _NEVER_APPLIED]
    if not applied:
        pytest.skip("no page has any")
    (tmp_path / "others.yaml").write_text(yaml.safe_dump_all(applied))
    shell = on_the_stack(stack, tmp_path, "docs-others")
    [ran, _] = shell.run(
        [
            "kubectl apply --dry-run=server -f others.yaml",
            "kubectl delete namespace docs-others --wait=false",
        ]
    )
    assert ran.code == 0, ran.printed
