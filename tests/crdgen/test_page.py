"""docs/crdgen.md does what it says: its files are written and its commands run, in order."""

import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import Block, blocks
from tests.docs.shell import ROOT

PAGE = "docs/crdgen.md"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(folder), "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def test_every_block_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    for block in blocks(PAGE):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            commands(block, tmp_path)
        elif block.language == "python":
            done = run([sys.executable, "-c", block.text], tmp_path)
            assert done.returncode == 0, done.stderr


def commands(block: Block, folder: Path) -> None:
    codes = []
    for each in block.commands():
        done = run(["/bin/sh", "-c", each.text], folder)
        assert done.returncode in {0, 1}, done.stderr
        codes.append(done.returncode)
        assert not each.shown or done.stdout.splitlines() == each.shown
    assert max(codes) == block.exit, block.text


def test_the_page_names_every_command() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for command in ("generate", "check", "diff", "validate", "reference"):
        assert f"$ crdgen {command} " in text
