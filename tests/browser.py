"""Chromium for tests of pages: found, or installed from Debian, and driven by Playwright."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

VARIABLE = "CHROMIUM"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The program that the variable CHROMIUM names, or one that is on PATH."""
    named = os.environ.get(VARIABLE)
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


def find_or_install() -> str:
    """The path of Chromium, from Debian's package if there is none and this user may install it.

    The test fails, with what to do, where there is none to be had.
    """
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        found = _install()
    if found is None:
        pytest.fail(f"this test needs Chromium: install it, or set {VARIABLE} to its path")
    return found


def _install() -> str | None:
    """Install Debian's package, in one process at a time."""
    with (Path(tempfile.gettempdir()) / "chromium-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find() is None:
            for words in (["update"], ["install", "--no-install-recommends", "--yes", "chromium"]):
                command = ["apt-get", "--quiet", *words]
                environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                subprocess.run(command, env=environment, check=False, capture_output=True)
    return find()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    path = find_or_install()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()
