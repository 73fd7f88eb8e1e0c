"""The make targets of the stack and of the docs, with a uv that runs this Python.

They run in a copy of the Makefile, so that a stack of this checkout is not touched.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.config import CHECKOUT
from devstack.state_dir import DEFAULT, StateDir

NEW_ENOUGH = '#!/bin/sh\n[ "$1" != --version ] || exec echo uv 99.0.0\n'
UV = """\
# Prints as uv does; runs `uv run … python …` with this Python, on the stack in $STATE.
echo "$@" >> "$LOG"
case "$*" in
    *sync*--quiet*) ;;
    *sync*) echo " + package==1.0" >&2 ;;
    *" python "*) shift 4; exec "$PYTHON" "$@" --state "$STATE" ;;
esac
"""


class Make:
    """Runs make in a copy of the Makefile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "checkout"
        self.state = directory / "state"
        self.uv = directory / "bin" / "uv"
        self.log = directory / "uv.log"
        for name in ("Makefile", "hack/tools/uv", "devstack/no-stack.kubeconfig"):
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, self.directory / name)
        self.uv.parent.mkdir()
        self.replace_uv(UV)

    def replace_uv(self, script: str) -> None:
        self.uv.write_text(f"{NEW_ENOUGH}{script}\n")
        self.uv.chmod(0o755)

    def run(self, *targets: str) -> "subprocess.CompletedProcess[str]":
        return self.bash(f"make {' '.join(targets)}")

    def bash(self, script: str) -> "subprocess.CompletedProcess[str]":
        own = {"PYTHON": sys.executable, "STATE": str(self.state), "LOG": str(self.log)}
        own |= {"PATH": f"{self.uv.parent}:{os.environ['PATH']}", "KUBECONFIG": "/other/cluster"}
        own |= {"LC_ALL": "C"}  # bash warns of a locale that is not installed
        outer = {name: value for name, value in os.environ.items() if "MAKE" not in name}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env={**outer, **own},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


def test_messages_name_make_targets_for_the_default_stack() -> None:
    assert StateDir(DEFAULT).eval_line() == 'eval "$(make -s env)"'
    assert StateDir(DEFAULT).command("down") == "make down"
    refused = str(StateDir(DEFAULT).already_running())
    assert "`make status` shows it, `make down` stops it" in refused


def test_the_first_target_does_not_print_the_list_of_packages(make: Make) -> None:
    done = make.run(".venv")
    assert done.stdout == ""
    assert done.stderr == ("Installing the packages of uv.lock into .venv (about half a minute)\n")


def test_status_without_a_stack_is_one_sentence(make: Make) -> None:
    (make.directory / ".venv").mkdir()
    done = make.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"No stack runs in {make.state}: `python -m devstack up --state {make.state}` starts one.\n"
    )


def test_env_without_a_stack_lets_kubectl_reach_no_cluster(make: Make) -> None:
    done = make.bash('eval "$(make -s env)"; echo "$? $KUBECONFIG"')
    assert done.stdout == f"1 {make.directory}/devstack/no-stack.kubeconfig\n"
    assert done.stderr == (
        f"devstack: no stack runs in {make.state}: `python -m devstack up --state {make.state}` "
        "starts one, --state DIR names another directory; until then kubectl and helm reach no "
        "cluster\n"
    )


@pytest.mark.parametrize("script", ["exit 2", "echo broken >&2; exit 1", "exec /nowhere/uv"])
def test_env_lets_kubectl_reach_no_cluster_when_uv_fails(make: Make, script: str) -> None:
    make.replace_uv(script)
    done = make.bash('eval "$(make -s env)"; echo "$? $KUBECONFIG"')
    assert done.stdout == f"1 {make.directory}/devstack/no-stack.kubeconfig\n"


def test_docs_says_where_the_site_is(make: Make) -> None:
    (make.directory / ".venv").mkdir()
    done = make.run("docs")
    assert done.stdout.splitlines()[-1] == (
        f"The site is in {make.directory}/site: open index.html there, or run make docs-serve "
        "(search needs a server)"
    )


def test_docs_serve_listens_on_loopback(make: Make) -> None:
    (make.directory / ".venv").mkdir()
    assert make.run("docs-serve").returncode == 0
    assert make.run("docs-serve", "DOCS_ADDRESS=127.0.0.1:8123").returncode == 0
    assert [line.rpartition("mkdocs ")[2] for line in make.log.read_text().splitlines()] == [
        "serve --dev-addr 127.0.0.1:8000",
        "serve --dev-addr 127.0.0.1:8123",
    ]
