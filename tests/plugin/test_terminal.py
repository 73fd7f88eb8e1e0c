"""Every command on terminals of 80 and 160 columns, in a pipe, without cluster, without permission.

The goldens are what a person sees: `python -m tests.plugin.test_terminal` writes them again.
"""

import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from runtime.version import installed_version
from tests.docs.shell import ROOT
from tests.tmux import terminal

GOLDENS = ROOT / "tests/golden/plugin"
SCREENS = {
    "terminal-80": 80,
    "terminal-160": 160,
    "pipe": 0,
    "no-cluster": 0,
    "no-permission": 80,
    "no-permission-160": 160,
    "no-permission-pipe": 0,
}
"""The goldens, each with the columns of its terminal; 0 is a pipe."""
LIMIT_SECONDS = 120.0
RULE = """\
apiVersion: adx-mon.azure.com/v1
kind: SummaryRule
metadata: {name: cpu}
spec: {database: D, table: T, interval: 1d, body: T | count}
"""


def shown(screen: str, folder: Path) -> str:
    """What all commands print."""
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.plugin.answering_kubectl "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "rule.yaml").write_text(RULE)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "KUBECTL": str(program),
        "ANSWERS": screen,
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        "HOME": str(folder),
        "USER": "ada",
    }
    ended = folder / "ended"
    words = [sys.executable, "-m", "tests.plugin.terminal_session", str(ended)]
    columns = SCREENS[screen]
    if columns:
        text = in_tmux(words, columns, env, folder, ended)
    else:
        done = subprocess.run(
            words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        text = done.stdout.decode()
    return text.rstrip("\n").replace(installed_version(), "VERSION") + "\n"


def in_tmux(words: list[str], columns: int, env: dict[str, str], folder: Path, ended: Path) -> str:
    with terminal(words, columns, 50, env, folder) as run:
        until = time.monotonic() + LIMIT_SECONDS
        while not ended.exists():
            assert time.monotonic() < until, run("capture-pane", "-p")
            time.sleep(0.1)
        return run("capture-pane", "-p", "-S", "-")


@pytest.mark.parametrize("screen", SCREENS)
def test_every_command_shows_what_it_is_known_to_show(screen: str, tmp_path: Path) -> None:
    golden = (GOLDENS / f"{screen}.txt").read_text(encoding="utf-8")
    assert shown(screen, tmp_path).splitlines() == golden.splitlines()


def write() -> None:
    """Write the goldens."""
    GOLDENS.mkdir(exist_ok=True)
    for screen in SCREENS:
        with tempfile.TemporaryDirectory() as folder:
            text = shown(screen, Path(folder))
        (GOLDENS / f"{screen}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
