"""What a release gives to those who deploy with kustomize: the chart's objects, without hooks."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.helm import NAMESPACE, Helm, Object

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    made = subprocess.run(
        ["make", "-s", "dist-chart", f"DIST={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    return folder


def kubectl(api_server: Path, *words: str) -> str:
    program = str(api_server.parent / "bin" / "kubectl")
    done = subprocess.run(
        [program, f"--kubeconfig={api_server}", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(objects: list[Object]) -> set[tuple[str, str]]:
    return {(item["kind"], item["metadata"]["name"]) for item in objects}


def test_the_manifests_are_those_of_the_chart_but_for_its_hooks(
    api_server: Path, dist: Path, chart: list[Object]
) -> None:
    built = list(yaml.safe_load_all(kubectl(api_server, "kustomize", str(dist / "kustomize"))))
    lasting = [
        each for each in chart if "helm.sh/hook" not in each["metadata"].get("annotations", {})
    ]
    assert names(built) == names(lasting) | {("Namespace", NAMESPACE)}
    labels = [each["metadata"]["labels"] for each in built]
    assert {each["app.kubernetes.io/managed-by"] for each in labels} == {"kustomize"}


def test_the_api_server_takes_all_of_them(api_server: Path, dist: Path) -> None:
    folder = str(dist / "kustomize")
    kubectl(api_server, "apply", "--server-side", "-f", str(dist / "kustomize" / "namespace.yaml"))
    said = kubectl(api_server, "apply", "-k", folder, "--dry-run=server", "--validate=strict")
    assert "deployment.apps/summaryrule-operator-worker created (server dry run)" in said


def test_the_package_renders_what_the_folder_renders(
    dist: Path, helm: Helm, chart: list[Object]
) -> None:
    (package,) = dist.glob("summaryrule-operator-*.tgz")
    text = helm.run("template", "summaryrule-operator", str(package))
    assert [each for each in yaml.safe_load_all(text) if each] == chart
