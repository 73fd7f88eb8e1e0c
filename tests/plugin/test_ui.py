"""`kubectl summaryrule ui`, with a kubectl that forwards to a server of its own."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.plugin.rules import lease, rule

KUBECTL = """\
#!{python}
import http.server, json, sys
words, answers = sys.argv[1:], json.load(open({answers!r}))
if words[0] == "port-forward":
    assert "--namespace=operator" in words, words
    assert words[1] == "pod/worker-0" and words[2].endswith(":9090"), words
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    print(f"Forwarding from 127.0.0.1:{{server.server_port}} -> 9090", flush=True)
    server.serve_forever()
code, text = answers[words[1]]
print(text, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
POD = {"spec": {"containers": [{"ports": [{"name": "http", "containerPort": 9090}]}]}}


class Shell:
    """A user's shell with this kubectl on its PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, tuple[int, str]] = {}
        self._write("kubectl", KUBECTL.format(python=sys.executable, answers=str(folder / "all")))
        self._write("browser", f'#!/bin/sh\necho "$1" > {folder}/opened\n')

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        (self.folder / "all").write_text(json.dumps(self.answers))
        without = {"BROWSER", "DISPLAY", "WAYLAND_DISPLAY"}
        env = {name: value for name, value in os.environ.items() if name not in without}
        return subprocess.Popen(
            [sys.executable, "-m", "plugin", "ui", *words],
            env={**env, "KUBECTL": str(self.folder / "kubectl"), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def led(holder: str) -> tuple[int, str]:
    listed = json.loads(lease(1, holder)[1])
    for each in listed["items"]:
        each["metadata"] = {"namespace": "operator"}
    return 0, json.dumps(listed)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.answers = {
        "leases.coordination.k8s.io": led("worker-0"),
        "pod": (0, json.dumps(POD)),
        "summaryrules.adx-mon.azure.com": (0, json.dumps(rule())),
    }
    return made


def url_of(running: subprocess.Popen[Any]) -> str:
    assert running.stdout is not None
    return str(running.stdout.readline()).strip()


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_reached_until_ctrl_c_which_ends_the_forwarding(
    shell: Shell, interrupt: signal.Signals
) -> None:
    running = shell.start()
    url = url_of(running)
    assert httpx.get(url, timeout=10).status_code == 200
    running.send_signal(interrupt)
    assert running.wait(10) == 0
    assert "Traceback" not in running.communicate()[1]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=10)


def test_the_browser_is_opened_at_the_page_of_the_rule(shell: Shell) -> None:
    running = shell.start("sr/cpu", BROWSER=str(shell.folder / "browser"))
    url = url_of(running)
    assert url.endswith("/rule?namespace=default&name=cpu")
    opened = shell.folder / "opened"
    until = time.monotonic() + 10
    while not opened.exists() or not opened.read_text():
        assert time.monotonic() < until, "no browser was opened"
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=10)
    assert opened.read_text().strip() == url


@pytest.mark.parametrize(
    ("asked", "answer", "said"),
    [
        ("pod", (1, 'Error (NotFound): pods "x"'), "leader worker-0 is not a pod in namespace op"),
        ("pod", (1, "pods is forbidden"), "pods is forbidden"),
        ("leases.coordination.k8s.io", (1, "leases is forbidden"), "leads is unknown: leases is"),
        ("leases.coordination.k8s.io", (0, '{"items": []}'), "no worker has led yet"),
    ],
)
def test_why_there_is_no_page_is_said(
    shell: Shell, asked: str, answer: tuple[int, str], said: str
) -> None:
    shell.answers |= {"deployments.apps": (0, '{"items": []}'), asked: answer}
    out, err = (running := shell.start()).communicate(timeout=20)
    assert (running.returncode, out) == (1, "")
    (line,) = err.splitlines()
    assert said in line


def test_two_names_are_bad_usage(shell: Shell) -> None:
    running = shell.start("cpu", "memory")
    assert "name one rule" in running.communicate(timeout=20)[1]
    assert running.returncode == 2
