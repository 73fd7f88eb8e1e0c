"""docs/crdgen.md does what it says: its files are written and its commands run, in order."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "crdgen.md"
_BLOCK = re.compile(r"^```(\w+) *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its attributes and its text."""

    language: str
    attributes: dict[str, str]
    text: str


def blocks() -> Iterator[Block]:
    for language, words, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        pairs = [word.partition("=") for word in words.split()]
        yield Block(language, {name: value for name, _, value in pairs}, text)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}:{folder}"
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def test_every_block_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    for block in blocks():
        if "file" in block.attributes:
            (tmp_path / block.attributes["file"]).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            commands(block, tmp_path)
        elif "run" in block.attributes:
            done = run([sys.executable, "-c", block.text], tmp_path)
            assert done.returncode == 0, done.stderr


def commands(block: Block, folder: Path) -> None:
    shown = [line for line in block.text.splitlines() if not line.startswith("$ ")]
    printed: list[str] = []
    codes = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            command = line[2:].replace("python ", f"{sys.executable} ", 1)
            done = run(["/bin/sh", "-c", command], folder)
            assert done.returncode in {0, 1}, done.stderr
            codes.append(done.returncode)
            printed += done.stdout.splitlines()
    assert max(codes) == int(block.attributes.get("exit", 0)), block.text
    assert not shown or printed == shown


def test_the_page_names_every_command() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for command in ("generate", "check", "diff", "validate", "reference"):
        assert f"python -m crdgen {command} " in text
