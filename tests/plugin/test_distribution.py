"""The plugin's own distribution: its content, and that krew's archive installs and works."""

import hashlib
import os
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.docs.shell import ROOT

DOWNLOADS = "https://downloads.example.com/v1"
RULE = """\
apiVersion: adx-mon.azure.com/v1
kind: SummaryRule
metadata: {name: cpu}
spec: {database: D, table: T, interval: 1d, body: T | count}
"""
NEEDED = {"cel-expr-python", "pydantic", "pyyaml"}
FOREIGN = {"azure", "fastapi", "kubernetes", "duckdb", "uvicorn", "worker", "webhook", "crdgen"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    words = ("make", "--silent", "krew", f"DIST={folder}", f"DOWNLOADS={DOWNLOADS}/")
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_has_the_plugin_and_what_it_imports(dist: Path) -> None:
    (path,) = dist.glob("kubectl_summaryrule-*.whl")
    wheel = zipfile.ZipFile(path)
    folders = {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()}
    assert folders == {"plugin", "runtime", "summaryrule", "kubectl_summaryrule"}
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(metadata).decode()
    needed = [line for line in text.splitlines() if line.startswith("Requires-Dist: ")]
    assert {line.split()[1].partition(">")[0] for line in needed} == NEEDED
    (operator,) = dist.glob("summaryrule_operator-*.whl")
    assert operator.name.split("-")[1] == path.name.split("-")[1], "the version"


def test_the_manifest_names_the_archive_and_its_digest(dist: Path) -> None:
    manifest = yaml.safe_load((dist / "krew.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]
    assert platform["uri"] == f"{DOWNLOADS}/kubectl-summaryrule.tar.gz"
    archive = (dist / "kubectl-summaryrule.tar.gz").read_bytes()
    assert platform["sha256"] == hashlib.sha256(archive).hexdigest()
    assert manifest["metadata"]["name"] == "summaryrule"
    with tarfile.open(dist / "kubectl-summaryrule.tar.gz") as content:
        members = {each.name.removeprefix("./"): each for each in content}
    assert members[platform["bin"]].mode & stat.S_IXUSR, "krew links it and runs it"
    assert "LICENSE" in members, "krew's index takes no plugin without one"


def test_the_unpacked_archive_installs_itself_once_and_works(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(dist / "kubectl-summaryrule.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "rule.yaml").write_text(RULE)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "kubectl-summaryrule")  # as krew puts it on PATH
    env = {**os.environ, "PYTHONPATH": ""}
    words = [str(link), "lint", "rule.yaml"]
    first, second = (
        subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert "installing its packages, the first time only" in first.stderr
    assert second.stderr == ""
    assert (first.returncode, second.returncode) == (1, 1)
    assert first.stdout == second.stdout
    assert 'rule.yaml: cpu: spec.interval: Invalid value: "1d"' in second.stdout
    (packages,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    assert not FOREIGN & {each.name for each in packages.iterdir()}


def test_the_target_says_what_it_needs() -> None:
    done = subprocess.run(
        ["make", "--silent", "krew"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "name the URL under which dist/ is published" in done.stderr
