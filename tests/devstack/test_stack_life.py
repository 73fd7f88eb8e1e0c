"""The life cycle of a stack through its command line, on the real etcd and kube-apiserver."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from azure.kusto.data import KustoClient

from tests.devstack.terminal import Terminal, eventually, processes_of

CONTROL_PLANE = ["etcd", "kube-apiserver"]
KEYS = ["name", "pid", "address", "log", "healthy", "restarts"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Yield a stack that runs in a directory with a long name that has spaces."""
    terminal = Terminal(tmp_path_factory.mktemp("stack") / ("a long name " * 12).strip())
    terminal.up()
    yield terminal
    assert terminal.run("down").returncode == 0
    assert processes_of(terminal.state) == []


def test_up_returns_when_every_process_is_healthy(running: Terminal) -> None:
    status = running.status()
    assert list(status) == CONTROL_PLANE
    for entry in status.values():
        assert list(entry) == KEYS
        assert entry["healthy"]
        assert entry["restarts"] == 0
        assert psutil.pid_exists(entry["pid"])
        assert Path(entry["log"]).stat().st_size > 0
    assert running.run("status").returncode == 0


def test_env_makes_a_shell_use_this_stacks_kubectl(running: Terminal) -> None:
    exports = running.run("env").stdout
    asked = "kubectl version -o yaml && kubectl auth whoami -o name && which helm"
    output = subprocess.run(
        ["bash", "-euc", f"{exports}\n{asked}"], capture_output=True, text=True, check=True
    ).stdout
    assert output.count("gitVersion: v1.37.2") == 2
    assert str(running.state / "bin" / "helm") in output


def test_what_the_api_server_does_is_in_the_audit_log(running: Terminal) -> None:
    exports = running.run("env").stdout
    subprocess.run(["bash", "-euc", f"{exports}\nkubectl create ns audited"], check=True)
    lines = (running.state / "logs" / "audit.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [
        (event["user"]["username"], event["responseStatus"]["code"])
        for event in events
        if event["verb"] == "create" and event["objectRef"].get("name") == "audited"
    ] == [("devstack-admin", 201)]


def test_keys_and_kubeconfig_are_this_users_alone(running: Terminal) -> None:
    secrets = [running.state / "kubeconfig", *(running.state / "pki").glob("*.key")]
    assert len(secrets) == 6
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


def test_a_second_up_in_the_same_directory_is_refused_and_changes_nothing(
    running: Terminal,
) -> None:
    again = running.run("up")
    assert again.returncode == 2
    assert "a stack runs in" in again.stderr
    assert "--state DIR" in again.stderr
    assert running.run("status").returncode == 0


def test_two_stacks_run_side_by_side_and_down_stops_one(
    running: Terminal, terminal: Terminal
) -> None:
    terminal.up()
    addresses = [
        entry["address"] for each in (running, terminal) for entry in each.status().values()
    ]
    assert len(set(addresses)) == 4
    done = terminal.run("down")
    assert done.returncode == 0
    assert processes_of(terminal.state) == []
    assert not terminal.state.exists()
    assert terminal.run("status", "-o", "json").stdout == "[]\n"
    assert running.run("status").returncode == 0


def test_a_killed_supervisor_kills_its_children_and_the_next_up_starts_a_new_stack(
    terminal: Terminal,
) -> None:
    terminal.up()
    before = terminal.status()
    terminal.supervisor().kill()
    eventually(lambda: processes_of(terminal.state) == [], "the end of all processes")
    assert terminal.run("status").returncode == 1
    assert terminal.run("env").returncode == 2
    (terminal.state / "logs" / "old.log").touch()
    terminal.up()
    assert terminal.status()["etcd"]["pid"] != before["etcd"]["pid"]
    assert not (terminal.state / "logs" / "old.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_up_leaves_nothing(terminal: Terminal, number: signal.Signals) -> None:
    starting = terminal.start("up", "--without", "kusto,chart")
    etcd = terminal.state / "logs" / "etcd.log"
    eventually(etcd.exists, "a start of etcd")
    starting.send_signal(number)
    _, stderr = starting.communicate(timeout=60)
    assert "Traceback" not in stderr
    eventually(lambda: processes_of(terminal.state) == [], "the end of all processes")
    eventually(lambda: not terminal.state.exists(), "the end of the directory")


def test_a_stack_ends_with_the_process_that_started_it(terminal: Terminal) -> None:
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
    eventually(lambda: processes_of(terminal.state) == [], "the end of all processes")
    assert not terminal.state.exists()


def test_a_killed_child_is_reported_with_what_to_do(terminal: Terminal) -> None:
    terminal.up()
    for name in reversed(CONTROL_PLANE):
        psutil.Process(terminal.status()[name]["pid"]).kill()
        eventually(lambda name=name: terminal.status()[name]["pid"] is None, f"the end of {name}")  # type: ignore[misc]
        output = terminal.run("status")
        assert output.returncode == 1
        assert f"{name} has ended" in output.stdout
        assert "The objects of this cluster are lost." in output.stdout
        assert f"`python -m devstack down --state {terminal.state}`" in output.stdout


def test_a_killed_kusto_endpoint_is_restarted_with_its_data(terminal: Terminal) -> None:
    terminal.up(without="chart")
    before = terminal.status()["kusto"]
    with KustoClient(before["address"]) as client:
        client.execute_mgmt("Telemetry", ".create table T (Value: long)")
        client.execute_mgmt("Telemetry", ".ingest inline into table T <| 7")
    psutil.Process(before["pid"]).kill()
    eventually(lambda: terminal.status()["kusto"]["restarts"] == 1, "a restart of kusto")
    eventually(lambda: bool(terminal.status()["kusto"]["healthy"]), "a healthy kusto")
    after = terminal.status()["kusto"]
    assert after["pid"] != before["pid"]
    with KustoClient(after["address"]) as client:
        rows = client.execute("Telemetry", "T").primary_results[0]
    assert [row["Value"] for row in rows] == [7]


def test_a_busy_port_is_named_with_what_to_do(terminal: Terminal) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        refused = terminal.run("up", "--port", f"kube-apiserver={port}")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == (
        f"devstack: port {port} for kube-apiserver cannot be used on 127.0.0.1 (Address already in "
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


def test_a_directory_that_is_not_a_stacks_is_left_alone(terminal: Terminal) -> None:
    terminal.state.mkdir()
    precious = terminal.state / "thesis.txt"
    precious.touch()
    for command in ("up", "down"):
        refused = terminal.run(command)
        assert refused.returncode == 2
        assert "holds files that are not a stack's" in refused.stderr
    assert precious.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--without", "etcd"], "a stack can run without kusto, chart, webhook, worker only"),
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
