"""The content of the image as it lies in a folder, and ways to run something of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.image.place import Place

VENV = "/opt/summaryrule"


@dataclass(frozen=True, slots=True)
class Image:
    """The environment that the Dockerfile made below ``place``."""

    place: Place

    @property
    def venv(self) -> Path:
        """Where /opt/summaryrule lies."""
        return self.place.path(VENV)

    @property
    def python(self) -> Path:
        """What `python` is in the image."""
        return self.venv / "bin" / "python"

    def run(self, *words: str, feed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with the image's environment, found on its PATH, in an empty folder."""
        (self.place.root / "empty").mkdir(exist_ok=True)
        return subprocess.run(
            ["/usr/bin/env", *words],
            cwd=self.place.root / "empty",
            env=self.place.env,
            input=feed,
            capture_output=True,
            text=True,
            check=False,
        )

    def python_says(self, code: str) -> str:
        """Run a line of Python; what it printed."""
        done = self.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
