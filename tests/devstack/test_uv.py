"""Which uv `hack/tools/uv` runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "hack" / "tools" / "uv"


def pinned() -> str:
    found = re.search(r"^version=(\S+)", SCRIPT.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def program(folder: Path, name: str, version: str) -> None:
    """Write a uv that says its name, and its version when asked."""
    folder.mkdir(parents=True)
    (folder / "uv").write_text(
        f'#!/bin/sh\n[ "$1" != --version ] || exec echo "{version}"\necho {name} "$@"\n'
    )
    (folder / "uv").chmod(0o755)


@pytest.mark.parametrize(
    ("on_path", "taken"),
    [
        (f"uv {pinned()}", "on-path"),
        (f"uv {pinned()} (0a1b2c3d4 2026-11-01 x86_64-unknown-linux-gnu)", "on-path"),
        (f"uv {pinned()}0", "on-path"),
        ("uv 99.0.0", "on-path"),
        ("uv 0.4.30", "cached"),
        ("", "cached"),
    ],
)
def test_the_uv_on_path_is_taken_when_it_is_new_enough(
    tmp_path: Path, on_path: str, taken: str
) -> None:
    program(tmp_path / "cache" / f"uv-{pinned()}" / "bin", "cached", "")
    program(tmp_path / "bin", "on-path", on_path)
    path = os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"])
    env = {"PATH": path, "SUMMARYRULE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [SCRIPT, "run", "a b"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{taken} run a b\n"
