"""Runs a long command while a person watches: elapsed time, Ctrl-C, its last words.

Used by `golang.py` and `build.py`. On a terminal one line is rewritten; elsewhere (CI) a line is
printed every fifteen seconds.
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

from devstack.child import leashed

QUIET_FOR = 15.0
BLINK = 1.0


def run(what: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> tuple[int, str]:
    """Run `argv` to its end, saying `what` and for how long; give its exit code and output.

    It has a process group of its own, which is killed when this is interrupted.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - go, uv or pip
            leashed(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            code = _wait(process, what, began)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        _line(f"{what}: {'done' if code == 0 else 'failed'} after {_clock(began)}", last=True)
        output.seek(0)
        return code, output.read().decode(errors="replace")


def _wait(process: "subprocess.Popen[bytes]", what: str, began: float) -> int:
    while True:
        _line(f"{what} … {_clock(began)}", last=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(BLINK if sys.stderr.isatty() else QUIET_FOR)


def _clock(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes}:{seconds:02d}"


def _line(text: str, *, last: bool) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K  {text}" + ("\n" if last else ""))
    else:
        sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
