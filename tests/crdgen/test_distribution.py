"""crdgen's own wheel: what is in it, and that it works where nothing else is installed."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from devstack.binaries.find import resolve
from devstack.binaries.tools import TOOLS
from tests.docs.blocks import blocks
from tests.docs.shell import ROOT

STRANGER = ROOT / "tests/crdgen/stranger"
UV = str(ROOT / "hack/tools/uv")
NEEDED = {"cel-expr-python", "pydantic", "pyyaml"}


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run("make", "--silent", "dist-python", f"DIST={folder}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a virtual environment with crdgen's wheel and what it needs, away from the checkout."""
    folder = tmp_path_factory.mktemp("empty")
    (wheel,) = dist.glob("crdgen-*.whl")
    for command in (
        ("venv", "--quiet", str(folder / "venv")),
        ("pip", "install", "--quiet", "--python", str(folder / "venv"), str(wheel)),
    ):
        done = run(UV, *command, cwd=folder)
        assert done.returncode == 0, done.stderr
    for block in blocks("docs/crdgen.md"):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
    return folder


def test_one_command_makes_a_wheel_of_crdgen_and_one_of_the_operator(dist: Path) -> None:
    crdgen, _, _, operator = sorted(dist.iterdir())
    held = {name.partition("/")[0] for name in zipfile.ZipFile(crdgen).namelist()}
    assert {name.partition("-")[0] for name in held} == {"crdgen"}
    assert not [name for name in zipfile.ZipFile(operator).namelist() if "crdgen" in name]


def test_the_wheel_carries_its_version_its_readme_and_its_types(dist: Path) -> None:
    (path,) = dist.glob("crdgen-*.whl")
    wheel = zipfile.ZipFile(path)
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(metadata).decode()
    needed = {
        line.removeprefix("Requires-Dist: ").partition(">=")[0]
        for line in text.splitlines()
        if line.startswith("Requires-Dist: ")
    }
    assert needed == NEEDED
    assert (ROOT / "crdgen/README.md").read_text(encoding="utf-8") in text
    assert "crdgen/py.typed" in wheel.namelist()


def test_the_readme_begins_with_the_command_that_installs_a_definition() -> None:
    page = (ROOT / "crdgen/README.md").read_text(encoding="utf-8")
    first = next(line for line in page.splitlines() if line.startswith("$ "))
    assert first == "$ crdgen generate my.module:Model | kubectl apply --server-side -f -"


def test_in_an_empty_environment_the_example_of_the_page_works(environment: Path) -> None:
    crdgen = str(environment / "venv/bin/crdgen")
    version = run(crdgen, "--version", cwd=environment)
    assert version.stdout.startswith("crdgen ")
    made = run(crdgen, "generate", "bakery:Oven", "-o", "ovens.yaml", cwd=environment)
    assert (made.returncode, made.stderr) == (0, "")
    checked = run(crdgen, "check", "ovens.yaml", cwd=environment)
    assert "would be accepted" in checked.stdout
    refused = run(crdgen, "validate", "ovens.yaml", "loaf.yaml", cwd=environment)
    assert refused.returncode == 1
    assert "spec.celsius: Invalid value: 900" in refused.stdout


@pytest.mark.e2e
def test_five_commands_lead_from_the_wheel_to_an_applied_definition_and_a_refused_object(
    dist: Path, api_server: Path, tmp_path: Path
) -> None:
    for each in [*STRANGER.glob("fleet.py"), *STRANGER.glob("*.yaml")]:
        (tmp_path / each.name).write_text(each.read_text(encoding="utf-8"), encoding="utf-8")
    kubectl = resolve(lambda _: None, [tool for tool in TOOLS if tool.name == "kubectl"])["kubectl"]
    (wheel,) = dist.glob("crdgen-*.whl")
    commands = f"""
        {UV} venv -q venv && {UV} pip install -q --python venv {wheel}
        venv/bin/crdgen generate fleet:Ship | kubectl apply --server-side -f -
        kubectl wait --for condition=established crd/ships.ferries.example.org
        kubectl apply -f ship.yaml
        kubectl apply -f wreck.yaml
    """
    path = f"{kubectl.parent}:/usr/bin:/bin"
    own = os.environ | {"PATH": path, "KUBECONFIG": str(api_server), "HOME": str(tmp_path)}
    done = [
        subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=tmp_path,
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
        for line in commands.strip().splitlines()
    ]
    assert [each.returncode for each in done] == [0, 0, 0, 0, 1], [each.stderr for each in done]
    refused = done[-1].stderr
    for part in (
        "spec.departures[0].at",
        "spec.drive.kilowatts",
        "spec.decks: Invalid value: keys",
    ):
        assert part in refused


def test_nothing_of_the_operator_is_in_that_environment(environment: Path) -> None:
    done = run(str(environment / "venv/bin/python"), "-c", "import summaryrule", cwd=environment)
    assert "No module named 'summaryrule'" in done.stderr


def test_usage_names_the_program_as_it_was_called(environment: Path) -> None:
    python = str(environment / "venv/bin/python")
    crdgen = str(environment / "venv/bin/crdgen")
    for words, name in (((crdgen,), "crdgen"), ((python, "-m", "crdgen"), "python -m crdgen")):
        assert run(*words, "check", "--help", cwd=environment).stdout.startswith(
            f"usage: {name} check"
        )
