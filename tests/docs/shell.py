"""Runs what a page or an example tells its reader to type, in a namespace of its own.

Used by the tests of docs/ and of examples/. The shell is the reader's: bash, with this checkout's
`python`, `charts` and `examples`, and the stack's kubectl and helm.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from devstack.stack import Stack

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
_END = "\x1e"


@dataclass(frozen=True, slots=True)
class Ran:
    """A command, what it printed on both streams, and its exit code."""

    command: str
    printed: str
    code: int


@dataclass(frozen=True, slots=True)
class Shell:
    """Bash in `folder`, where this checkout's folders are to be seen."""

    folder: Path
    env: dict[str, str]

    def run(self, commands: Sequence[str]) -> list[Ran]:
        """Run them one after the other in one bash, until one has no end."""
        done = subprocess.run(
            ["bash", "-c", "\n".join(_marked(commands))],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        parts = done.stdout.split(_END)
        assert len(parts) == 2 * len(commands) + 1, f"{commands}: {done.stdout}"
        return [
            Ran(command, parts[2 * number], int(parts[2 * number + 1]))
            for number, command in enumerate(commands)
        ]


def _marked(commands: Sequence[str]) -> Iterator[str]:
    for command in commands:
        yield command
        yield f"printf '{_END}%s{_END}' $?"


def offline(folder: Path, environ: Mapping[str, str] = os.environ) -> Shell:
    """Give a shell that knows no cluster."""
    for name in ("charts", "examples", "docs"):
        (folder / name).symlink_to(ROOT / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)])
    # NB: bash warns of a locale that is not installed, and speaks the language of one that is.
    return Shell(folder, {**environ, "PATH": path, "PYTHONPATH": str(ROOT), "LC_ALL": "C"})


def on_the_stack(
    stack: Stack, folder: Path, namespace: str, environ: Mapping[str, str] | None = None
) -> Shell:
    """Give a shell whose kubectl speaks to `namespace` of the stack, which is made.

    `environ` is what `stack.env()` gives. A thread hands it in: pytest changes this process's
    environment while tests run.
    """
    shell = offline(folder, environ or stack.env())
    config = yaml.safe_load(stack.kubeconfig.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    kubeconfig = folder / ".kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    places = {f"HELM_{kind}_HOME": str(folder / ".helm") for kind in ("CACHE", "CONFIG", "DATA")}
    env = {**shell.env, "KUBECONFIG": str(kubeconfig), **places}
    made = Shell(folder, env).run([f"kubectl create namespace {namespace}"])
    assert made[0].code == 0, made
    return Shell(folder, env)
