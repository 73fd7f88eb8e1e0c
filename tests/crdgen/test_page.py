"""docs/crdgen.md does what it says: its files are written and its commands run, in order."""

import subprocess
import sys
from pathlib import Path

import pytest

from devstack.binaries.find import resolve
from devstack.binaries.tools import TOOLS
from tests.docs.blocks import Block, blocks
from tests.docs.shell import ROOT

PAGE = "docs/crdgen.md"


def run(
    command: list[str], folder: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    own = {"PYTHONPATH": str(folder), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=own | (env or {})
    )


def test_every_block_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    for block in blocks(PAGE):
        if "kubectl" not in block.text:
            do(block, tmp_path)


@pytest.mark.e2e
def test_the_page_ends_on_a_cluster(tmp_path: Path, api_server: Path) -> None:
    kubectl = resolve(lambda _: None, [tool for tool in TOOLS if tool.name == "kubectl"])["kubectl"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").symlink_to(kubectl)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {"PATH": path, "KUBECONFIG": str(api_server), "HOME": str(tmp_path)}
    try:
        for block in blocks(PAGE):
            do(block, tmp_path, env)
    finally:
        run(["kubectl", "delete", "crd", "ovens.bakery.example.com"], tmp_path, env)


def do(block: Block, folder: Path, env: dict[str, str] | None = None) -> None:
    if block.title:
        (folder / block.title).write_text(block.text, encoding="utf-8")
    elif block.language == "console":
        commands(block, folder, env)
    elif block.language == "python":
        done = run([sys.executable, "-c", block.text], folder, env)
        assert done.returncode == 0, done.stderr


def commands(block: Block, folder: Path, env: dict[str, str] | None) -> None:
    codes = []
    for each in block.commands():
        done = run(["/bin/sh", "-c", each.text], folder, env)
        assert done.returncode in {0, 1}, done.stderr
        codes.append(done.returncode)
        assert not each.shown or (done.stdout + done.stderr).splitlines() == each.shown
    assert max(codes) == block.exit, block.text


def test_the_page_names_every_command() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for command in ("generate", "check", "diff", "validate", "reference"):
        assert f"$ crdgen {command} " in text
