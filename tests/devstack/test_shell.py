"""What `up`, `env` and `down` print for a shell, tried in a shell, on the real control plane."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.config import CHECKOUT
from tests.devstack.terminal import Terminal

WITHOUT_UV = "/usr/bin:/bin"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Yield a stack whose directory has a space in its name."""
    terminal = Terminal(tmp_path_factory.mktemp("stack") / "with space")
    terminal.up()
    yield terminal
    terminal.run("down")


def bash(script: str, directory: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", script],
        cwd=directory,
        env={"HOME": str(directory), "PATH": WITHOUT_UV, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_line_that_up_prints_works_without_uv_and_in_any_directory(
    running: Terminal, tmp_path: Path
) -> None:
    first, line = running.printed.splitlines()
    assert first.startswith("The stack is up (")
    done = bash(f"{line}\necho $?\nkubectl config current-context", tmp_path)
    assert (done.stdout, done.stderr) == ("0\nsummaryrule-devstack\n", "")


def test_the_commands_of_the_pages_work_after_the_eval(running: Terminal, tmp_path: Path) -> None:
    line = running.printed.splitlines()[1]
    rule = CHECKOUT / "examples" / "hourly-error-rate.yaml"
    commands = (
        f"python -m worker plan {rule} --now 2026-11-24T06:00:00Z",
        f"python -m webhook review {rule} --now 2026-11-24T06:00:00Z",
        "summaryrule-worker --help",
        "summaryrule-webhook --help",
        "kubectl summaryrule --help",
    )
    for command in commands:
        done = bash(f"{line}\n{command}", tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout


@pytest.mark.parametrize("command", ["kubectl get namespaces", "helm list", "kubectl apply -f x"])
def test_after_an_env_without_a_stack_kubectl_and_helm_do_not_reach_another_cluster(
    running: Terminal, tmp_path: Path, command: str
) -> None:
    (tmp_path / "x").write_text('{"apiVersion": "v1", "kind": "Namespace", "metadata": {}}')
    stopped = Terminal(tmp_path / "stopped").argv("env")
    env = {
        "PATH": f"{running.state / 'bin'}:{WITHOUT_UV}",
        "KUBECONFIG": str(running.state / "kubeconfig"),
        "KUSTO_ENDPOINT": "http://other",
    }
    assert bash("kubectl get namespaces", tmp_path, **env).returncode == 0
    script = f'eval "$({" ".join(stopped)})"\necho "$? $KUSTO_ENDPOINT"\n{command}'
    done = bash(script, tmp_path, **env)
    assert done.stdout == "1 \n"
    assert done.returncode != 0
    said, refused = done.stderr.splitlines()
    assert said.startswith(f"devstack: no stack runs in {tmp_path / 'stopped'}: ")
    assert said.endswith("; until then kubectl and helm reach no cluster")
    assert "no-stack-runs--make-up-starts-one" in refused


def test_a_second_up_names_the_commands_that_show_and_stop_the_stack(running: Terminal) -> None:
    refused = running.run("up").stderr
    for command in ("status", "down"):
        assert f"`python -m devstack {command} --state '{running.state}'`" in refused


def test_down_says_which_variables_to_unset(terminal: Terminal, tmp_path: Path) -> None:
    terminal.up()
    exports = terminal.run("env").stdout
    line = terminal.run("down").stdout.splitlines()[-1]
    shown = "env | grep -E '^(KUBECONFIG|KUSTO_)'"
    assert bash(f"{exports}\n{shown}", tmp_path).stdout
    assert bash(f"{exports}\n{line}\n{shown}", tmp_path, KUSTO_DATABASE="T").stdout == ""


def test_down_without_a_stack_names_them_only_where_they_are_set(terminal: Terminal) -> None:
    assert terminal.run("down").stdout == f"No stack ran in {terminal.state}.\n"
    ours = {"KUBECONFIG": str(terminal.state / "kubeconfig")}
    assert "unset KUBECONFIG" in terminal.run("down", env=os.environ | ours).stdout


def test_status_without_a_stack_can_be_no_error(terminal: Terminal) -> None:
    assert terminal.run("status").returncode == 1
    assert terminal.run("status", "--allow-stopped").returncode == 0
