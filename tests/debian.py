"""Installs programs that tests need from Debian's packages, in one process at a time."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path


def find_or_install(package: str, find: Callable[[], str | None]) -> str | None:
    """What ``find`` finds, if need be after an installation of the package by root."""
    found = find()
    if found is not None or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    with (Path(tempfile.gettempdir()) / f"{package}-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find() is None:
            for words in (["update"], ["install", "--no-install-recommends", "--yes", package]):
                command = ["apt-get", "--quiet", *words]
                environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                subprocess.run(command, env=environment, check=False, capture_output=True)
    return find()
