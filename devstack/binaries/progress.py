"""Runs a long command and shows its progress.

On a terminal one line is rewritten every second; elsewhere (CI) a line is printed every 15 seconds.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.parent_death import tie_to_parent

LOG_INTERVAL = 15.0
REFRESH_INTERVAL = 1.0


def run(what: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> tuple[int, str]:
    """Run `argv` to its end, showing `what` and the elapsed time; return exit code and output.

    The command has its own process group, which is killed when this function is interrupted.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - go, uv or pip
            tie_to_parent(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            code = _wait(process, what, started)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _print(f"{what}: {'done' if code == 0 else 'failed'} after {_elapsed(started)}", last=True)
        output.seek(0)
        return code, output.read().decode(errors="replace")


def _wait(process: "subprocess.Popen[bytes]", what: str, started: float) -> int:
    while True:
        _print(f"{what} … {_elapsed(started)}", last=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(REFRESH_INTERVAL if sys.stderr.isatty() else LOG_INTERVAL)


def _elapsed(started: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    return f"{minutes}:{seconds:02d}"


def _print(text: str, *, last: bool) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K  {text}" + ("\n" if last else ""))
    else:
        sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
