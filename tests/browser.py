"""Chromium for tests of pages: found, or installed from Debian, and driven by Playwright."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

VARIABLE = "CHROMIUM"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APT = (
    ("apt-get", "--quiet", "update"),
    ("apt-get", "--quiet", "install", "--no-install-recommends", "--yes", "chromium"),
)
DOWNLOAD = (sys.executable, "-m", "playwright", "install", "chromium")


def find() -> str | None:
    """The program that the variable CHROMIUM names, one on PATH, or one that was downloaded."""
    named = os.environ.get(VARIABLE)
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None) or _downloaded()


def find_or_install() -> str:
    """The path of Chromium, installed if there is none.

    It is Debian's package if this user may install it, else Playwright's own download. The test
    fails, with what to do, where there is none to be had.
    """
    return (
        find()
        or _install()
        or pytest.fail(f"this test needs Chromium: install it, or set {VARIABLE} to its path")
    )


def _downloaded() -> str | None:
    """The newest of Playwright's downloads (Playwright docs, "Managing browser binaries")."""
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright"
    found = Path(cache).glob("chromium-*/chrome-linux*/chrome")
    return max(map(str, found), default=None)


def _install() -> str | None:
    """Install Chromium, in one process at a time."""
    with (Path(tempfile.gettempdir()) / "chromium-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_root = os.geteuid() == 0 and shutil.which("apt-get") is not None
        for command in [*(APT if is_root else ()), DOWNLOAD]:
            if find() is None:
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
