"""A stack's life as a person at a terminal sees it, on the real etcd and kube-apiserver."""

import shlex
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.devstack.terminal import Terminal, eventually, processes_of

CONTROL_PLANE = ["etcd", "kube-apiserver"]
KEYS = ["name", "pid", "address", "log", "healthy", "restarts"]


def test_up_returns_when_every_process_is_healthy(terminal: Terminal) -> None:
    terminal.up()
    status = terminal.status()
    assert list(status) == CONTROL_PLANE
    for entry in status.values():
        assert list(entry) == KEYS
        assert entry["healthy"]
        assert entry["restarts"] == 0
        assert psutil.pid_exists(entry["pid"])
        assert Path(entry["log"]).stat().st_size > 0
    assert terminal.run("status").returncode == 0


def test_env_makes_a_shell_use_this_stacks_kubectl(terminal: Terminal) -> None:
    terminal.up()
    exports = terminal.run("env").stdout
    asked = "kubectl version -o yaml && kubectl auth whoami -o name && which helm"
    said = subprocess.run(
        ["bash", "-euc", f"{exports}\n{asked}"], capture_output=True, text=True, check=True
    ).stdout
    assert said.count("gitVersion: v1.37.2") == 2
    assert str(terminal.state / "bin" / "helm") in said


def test_down_leaves_no_process_and_no_file(terminal: Terminal) -> None:
    terminal.up()
    done = terminal.run("down")
    assert done.returncode == 0
    assert not terminal.state.exists()
    assert processes_of(terminal.state) == []
    assert terminal.run("status", "-o", "json").stdout == "[]\n"


def test_two_stacks_run_side_by_side(terminal: Terminal, tmp_path: Path) -> None:
    other = Terminal(tmp_path / "other state")
    terminal.up()
    other.up()
    try:
        addresses = [
            entry["address"] for each in (terminal, other) for entry in each.status().values()
        ]
        assert len(set(addresses)) == 4
    finally:
        assert other.run("down").returncode == 0
    assert terminal.run("status").returncode == 0


def test_a_second_up_in_the_same_folder_is_refused_and_harms_nothing(terminal: Terminal) -> None:
    terminal.up()
    again = terminal.run("up")
    assert again.returncode == 2
    assert "runs in" in again.stderr
    assert "--state DIR" in again.stderr
    assert terminal.run("status").returncode == 0


def test_killing_the_supervisor_takes_its_children_along(terminal: Terminal) -> None:
    terminal.up()
    terminal.supervisor().kill()
    eventually(lambda: processes_of(terminal.state) == [], "an end of all processes")
    assert terminal.run("status").returncode == 1
    assert terminal.run("env").returncode == 2


def test_up_cleans_what_a_crash_left(terminal: Terminal) -> None:
    terminal.up()
    before = terminal.status()
    terminal.supervisor().kill()
    eventually(lambda: processes_of(terminal.state) == [], "an end of all processes")
    (terminal.state / "logs" / "old.log").touch()
    terminal.up()
    assert terminal.status()["etcd"]["pid"] != before["etcd"]["pid"]
    assert not (terminal.state / "logs" / "old.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_up_that_is_stopped_half_way_leaves_nothing(
    terminal: Terminal, number: signal.Signals
) -> None:
    starting = terminal.start("up", "--without", "kusto,chart")
    etcd = terminal.state / "logs" / "etcd.log"
    eventually(etcd.exists, "a start of etcd")
    starting.send_signal(number)
    _, complaint = starting.communicate(timeout=60)
    assert "Traceback" not in complaint
    eventually(lambda: processes_of(terminal.state) == [], "an end of all processes")
    eventually(lambda: not terminal.state.exists(), "an end of the folder")


def test_a_stack_on_a_lead_ends_with_a_parent_that_is_killed(terminal: Terminal) -> None:
    program = (
        "import sys, signal, pathlib\n"
        "from devstack.stack import Stack\n"
        "Stack.start(pathlib.Path(sys.argv[1]), without=frozenset({'kusto', 'chart'}))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(terminal.state)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.communicate()
    eventually(lambda: processes_of(terminal.state) == [], "an end of all processes")
    assert not terminal.state.exists()


@pytest.mark.parametrize("name", CONTROL_PLANE)
def test_a_killed_child_is_reported_with_what_to_do(terminal: Terminal, name: str) -> None:
    terminal.up()
    psutil.Process(terminal.status()[name]["pid"]).kill()
    eventually(lambda: terminal.status()[name]["pid"] is None, f"news of {name}")
    said = terminal.run("status")
    assert said.returncode == 1
    assert f"{name} has ended" in said.stdout
    assert "`python -m devstack down`" in said.stdout


def test_a_busy_port_is_named_with_what_to_do(terminal: Terminal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        refused = terminal.run("up", "--port", f"kube-apiserver={port}")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == (
        f"devstack: port {port} for kube-apiserver cannot be had on 127.0.0.1 (Address already in "
        f"use): free it, or leave --port kube-apiserver={port} out to get a free one"
    )
    assert not terminal.state.exists()


def test_a_child_that_cannot_start_is_named_with_the_end_of_its_log(
    terminal: Terminal, tmp_path: Path
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    broken = assets / "etcd"
    broken.write_text("#!/bin/sh\necho cannot do this\nexit 3\n")
    broken.chmod(0o755)
    refused = terminal.run("up", env={"KUBEBUILDER_ASSETS": str(assets)})
    assert refused.returncode == 2
    log = terminal.state / "logs" / "etcd.log"
    assert refused.stderr.splitlines()[-1] == (
        f"devstack: etcd ended with exit code 3; its log is {log} and ends: cannot do this"
    )
    assert log.read_text() == "cannot do this\n"


def test_a_folder_that_is_not_a_stacks_is_left_alone(terminal: Terminal) -> None:
    terminal.state.mkdir()
    precious = terminal.state / "thesis.txt"
    precious.touch()
    for command in ("up", "down"):
        refused = terminal.run(command)
        assert refused.returncode == 2
        assert "is not a stack's" in refused.stderr or "not a stack's" in refused.stderr
    assert precious.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--without", "etcd"], "a stack can do without kusto, chart, webhook, worker only"),
        (["--port", "webhook=1"], "write NAME=N"),
        (["--port", "etcd=70000"], "N 1 to 65535"),
    ],
)
def test_a_wrong_option_says_what_to_write(
    terminal: Terminal, options: list[str], sentence: str
) -> None:
    refused = terminal.run("up", *options)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_folder_may_have_a_long_name_with_spaces(tmp_path: Path) -> None:
    typed = Terminal(tmp_path / ("a long name " * 12).strip())
    typed.up()
    exports = typed.run("env").stdout
    assert shlex.quote(str(typed.state / "kubeconfig")) in exports
    assert typed.run("down").returncode == 0
