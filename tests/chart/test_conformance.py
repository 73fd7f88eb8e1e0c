"""The rendered chart under helm lint, kubeconform and kube-score."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart import schemas
from tests.chart.helm import CHART, Checker, Helm, Object
from tests.chart.test_strict import FOREIGN, VARIANTS

FORGIVEN = {
    "container-image-pull-policy": "an image is pinned by its tag or digest",
    "container-resources": "a CPU limit throttles admission, so there is none",
    "container-ephemeral-storage-request-and-limit": "the root is read-only, scratch is memory",
    "deployment-has-host-podantiaffinity": "topology spread constraints do it, over zones as well",
}
"""kube-score's tests that are not held, each with its reason."""
FORGIVEN_IN = {
    "OpenShift": {"container-security-context-user-group-id": "the SCC assigns user and group"},
    "one replica": {
        "deployment-has-poddisruptionbudget": "one pod cannot keep another up",
        "deployment-replicas": "one replica is what the set asks for",
    },
    "no NetworkPolicy": {"pod-networkpolicy": "the set asks for none"},
}
"""Those that a set of values gives up on purpose."""
ALL_OK = 10
MORE = ("container-ports-check", "container-seccomp-profile")
"""Tests that kube-score runs only when asked."""


@pytest.fixture(scope="module")
def known(api_server: Path, helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the API server's own schemas of every kind that the chart renders."""
    folder = tmp_path_factory.mktemp("schemas")
    objects = [item for values in VARIANTS.values() for item in helm.render(**values)]
    versions = {item["apiVersion"] for item in objects}
    ours = {each for each in versions if not each.startswith(FOREIGN)}
    schemas.write(api_server, ours, folder)
    return folder


def conform(program: Path, known: Path, objects: list[Object]) -> Object:
    place = f"{known}/{schemas.LOCATION}"
    done = subprocess.run(
        [str(program), "-strict", "-summary", "-output=json", f"-schema-location={place}", "-"],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    said: Object = json.loads(done.stdout)
    return said


def native(objects: list[Object]) -> list[Object]:
    return [item for item in objects if not item["apiVersion"].startswith(FOREIGN)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_conforms_to_the_schemas_of_the_api_server(
    checker: Checker, known: Path, helm: Helm, variant: str
) -> None:
    objects = native(helm.render(**VARIANTS[variant]))
    said = conform(checker("kubeconform"), known, objects)
    assert said["resources"] == []
    assert said["summary"]["valid"] == len(objects)


def test_a_field_that_does_not_exist_would_be_found(
    checker: Checker, known: Path, helm: Helm
) -> None:
    objects = native(helm.render())
    (worker,) = [
        each
        for each in objects
        if each["metadata"]["name"].endswith("-worker") and each["kind"] == "Deployment"
    ]
    worker["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    (wrong,) = conform(checker("kubeconform"), known, objects)["resources"]
    assert wrong["status"] == "statusInvalid"
    assert "livenessProb" in wrong["msg"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_chart_lints_strictly_with_both_helms(helm: Helm, helm3: Helm, variant: str) -> None:
    for each in (helm, helm3):
        said = each.run("lint", "--strict", str(CHART), values=VARIANTS[variant])
        assert "1 chart(s) linted, 0 chart(s) failed" in said


@pytest.mark.parametrize("variant", VARIANTS)
def test_kube_score_finds_nothing_that_is_not_forgiven(
    checker: Checker, helm: Helm, variant: str
) -> None:
    said = score(checker("kube-score"), helm.render(**VARIANTS[variant]))
    found = {
        (each["object_meta"]["name"], check["check"]["id"], comment["summary"])
        for each in said
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < ALL_OK
        for comment in check["comments"] or []
        if check["check"]["id"] not in FORGIVEN.keys() | FORGIVEN_IN.get(variant, {}).keys()
    }
    assert found == set()


def score(program: Path, objects: list[Object]) -> list[Object]:
    done = subprocess.run(
        [
            str(program),
            *("score", "--output-format=json", "--kubernetes-version=v1.37"),
            *(f"--enable-optional-test={each}" for each in MORE),
            "-",
        ],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    said: list[Object] = json.loads(done.stdout)
    return said
