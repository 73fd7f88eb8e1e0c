"""A terminal for tests: a program in tmux, whose screen can be read."""

import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import debian

SETTINGS = "set -g history-limit 50000\nset -g remain-on-exit on\n"


@contextmanager
def terminal(
    words: list[str], columns: int, rows: int, env: Mapping[str, str], folder: Path
) -> Iterator[Callable[..., str]]:
    """Run a program in a terminal of this size, in `folder`; give a function for tmux commands."""
    path = debian.find_or_install("tmux", lambda: shutil.which("tmux"))
    if path is None:
        pytest.fail("this test needs tmux: install it")
    (folder / "tmux.conf").write_text(SETTINGS)
    tmux = [path, "-u", "-S", str(folder / "socket"), "-f", str(folder / "tmux.conf")]

    def run(*command: str) -> str:
        done = subprocess.run(
            [*tmux, *command], cwd=folder, env=dict(env), capture_output=True, text=True, check=True
        )
        return done.stdout

    size = ("-x", str(columns), "-y", str(rows))
    run("new-session", "-d", *size, f"{shlex.join(words)}; exec sleep 600")
    try:
        yield run
    finally:
        run("kill-server")
