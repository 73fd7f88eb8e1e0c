"""A folder in the place of the image's root: the Dockerfile's own steps, carried out in it.

No image registry is needed, and nothing is simulated: COPY copies from a clean export of what
.dockerignore lets through, RUN runs the very command. The differences are three. Absolute paths of
ENV, WORKDIR and COPY lie below the folder; the base image is the interpreter that the tests run
on; and what the base would hold besides is this machine's.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.image.dockerfile import ROOT, Step

UV = ROOT / "hack" / "tools" / "uv"
_WAY_TO_THE_INDEX = {
    *("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"),
    *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT"),
    *("UV_CONFIG_FILE", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_CACHE_DIR", "UV_NATIVE_TLS"),
}


class Place:
    """What stands for a container in which a Dockerfile's stage is built, below ``root``."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root = root
        self.context = context
        self.work = root
        self.ran: list[str] = []
        self.env = base(root / "base")

    def path(self, absolute: str) -> Path:
        """Where an absolute path of the image lies."""
        return self.root / absolute.lstrip("/")

    def carry_out(self, steps: list[Step]) -> None:
        """Take the steps in order; those that only describe the image change nothing here."""
        for step in steps:
            act = {"RUN": self._run, "COPY": self._copy, "ENV": self._set, "WORKDIR": self._enter}
            if step.keyword in act:
                act[step.keyword](step)

    def _run(self, step: Step) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", step.text],
            cwd=self.work,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {step.text}\n{done.stdout}{done.stderr}"
        self.ran.append(step.text)

    def _copy(self, step: Step) -> None:
        words = step.words
        source = self.context
        if words[0].startswith("--from="):
            words, source = words[1:], self.root
        *names, target = words
        into = self.path(target) if target.startswith("/") else self.work / target
        for name in names:
            found = source / name.lstrip("/")
            if found.is_dir():
                if found.resolve() != into.resolve():
                    shutil.copytree(found, into, symlinks=True)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)

    def _set(self, step: Step) -> None:
        for name, value in step.pairs.items():
            local = str(self.path(value)) if value.startswith("/opt/") else value
            self.env[name] = local.replace("$PATH", self.env["PATH"])

    def _enter(self, step: Step) -> None:
        self.work = self.path(step.text)
        self.work.mkdir(parents=True, exist_ok=True)


def base(folder: Path) -> dict[str, str]:
    """The environment of the base image: an interpreter with pip, and no uv.

    A virtual environment of its own in ``folder``, so that it does not matter what this machine's
    interpreter has installed, or whether it has pip at all. Of this machine's environment it keeps
    only the way to the package index.
    """
    subprocess.run(
        [UV, "venv", "--quiet", "--seed", "--python", sys.executable, folder], cwd=ROOT, check=True
    )
    env = {name: value for name, value in os.environ.items() if name.upper() in _WAY_TO_THE_INDEX}
    return {**env, "PATH": os.pathsep.join([str(folder / "bin"), "/usr/bin", "/bin"])}


def export(folder: Path) -> Path:
    """The build context: what a clean checkout would have."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        source = ROOT / name
        if source.is_file() and lets_through(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


def lets_through(name: str) -> bool:
    """Whether .dockerignore, as ours is written (``*``, then ``!`` lines), lets a file through."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    return any(name == each or name.startswith(f"{each}/") for each in allowed)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file and folder below."""
    found = {}
    for path in folder.rglob("*"):
        known = path.lstat()
        found[str(path.relative_to(folder))] = (known.st_size, known.st_mtime_ns)
    return found


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
