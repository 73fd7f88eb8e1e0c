"""`kubectl summaryrule query`, against an endpoint that answers what it is given."""

import io
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from plugin import kusto_query
from plugin.cli import parse
from plugin.commands.query import query
from plugin.console import Console
from plugin.kubectl import Kubectl, PluginError, UsageError
from plugin.kusto_query import run_query
from tests.plugin.rules import rule

HOUR = ["--window", "2026-11-20T04:10:00Z"]


class Cluster(Kubectl):
    """A cluster with one rule."""

    def __init__(self) -> None:
        super().__init__("none", [])
        self.held = rule()

    def rule(self, name: str) -> dict[str, Any]:
        assert name == "cpu"
        return self.held


class Endpoint(ThreadingHTTPServer):
    """Answers each request with `answer`, and keeps the last body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, Any] = (200, {})
        self.body: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def give(self, columns: list[str], *rows: Any) -> None:
        named = [{"ColumnName": name, "ColumnType": "string"} for name in columns]
        self.answer = 200, {"Tables": [{"Columns": named, "Rows": list(rows)}]}


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers = dict(self.headers)
        assert self.path == "/v1/rest/query"
        code, answer = self.server.answer
        self.send_response(code)
        if code == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()
        self.wfile.write(
            answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        )

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    served = Endpoint()
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    monkeypatch.setenv("KUSTO_ENDPOINT", served.url)
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def asked(*words: str, cluster: Cluster | None = None) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    args = parse(["query", "cpu", *words])
    args.name = "cpu"
    assert query(cluster or Cluster(), args, Console(out, err)) == 0
    return out.getvalue(), err.getvalue()


def test_the_rows_of_the_window_are_a_table(endpoint: Endpoint) -> None:
    endpoint.give(["Host", "Tags"], ["a\x1b[31m", {"k": [1]}], [None, True])
    out, err = asked(*HOUR)
    assert out.splitlines() == ["Host     Tags", 'a [31m   {"k": [1]}', "         true"]
    assert err == "cpu: 2 rows of window [2026-11-20T04:00:00Z, 2026-11-20T05:00:00Z)\n"
    assert endpoint.body["db"] == "Telemetry"
    assert endpoint.body["csl"].splitlines()[:2] == [
        "let _startTime=datetime(2026-11-20T04:00:00Z);",
        "let _endTime=datetime(2026-11-20T04:59:59.9999999Z);",
    ]
    assert endpoint.body["properties"]["Options"]["request_readonly"] is True
    assert "Authorization" not in endpoint.headers


def test_more_rows_than_the_limit_are_said_to_be_there(endpoint: Endpoint) -> None:
    endpoint.give(["N"], *([n] for n in range(9)))
    out, err = asked("--limit", "2", "-o", "json")
    assert json.loads(out) == [{"N": 0}, {"N": 1}]
    assert err.endswith("; there are more: --limit shows them\n")
    assert endpoint.body["properties"]["Options"]["query_take_max_records"] == 3


def test_the_query_alone_needs_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUSTO_ENDPOINT", raising=False)
    out, err = asked("--kql", "--cluster-label", "region=west", *HOUR)
    assert out.splitlines()[2:] == [
        'let _region="west";',
        "CPU | where Timestamp between (_startTime .. _endTime) | count",
    ]
    assert err == ""
    with pytest.raises(UsageError, match="name the Kusto endpoint"):
        asked()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, {"error": {"@message": "SEM0100:\n no table"}}), "HTTP 400: SEM0100: no table"),
        ((400, "no JSON"), "HTTP 400: no JSON"),
        ((302, ""), "HTTP 302: Found"),
        ((200, "<html>"), "gives no usable answer"),
        ((200, []), "it has no table"),
        (
            (200, {"Tables": [{"Columns": [], "Rows": [[], {"Exceptions": ["E"]}]}]}),
            "failed after 1 row: ",
        ),
    ],
)
def test_a_query_that_fails_says_what_the_endpoint_says(
    endpoint: Endpoint, answer: tuple[int, Any], said: str
) -> None:
    endpoint.answer = answer
    with pytest.raises(PluginError, match=said):
        asked()


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with pytest.raises(PluginError, match=r"http://127.0.0.1:1 gives no usable answer"):
        run_query("http://127.0.0.1:1", "D", "T", max_rows=1)


@pytest.mark.parametrize(
    "url", ["http://kusto.example", "ftp://127.0.0.1", "kusto.example", "https://", "https://u@h"]
)
def test_an_endpoint_that_must_not_get_a_token_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a Kusto endpoint"):
        run_query(url, "D", "T", max_rows=1)


def az(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "az"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_https_gets_the_token_of_the_users_own_login(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"accessToken": "t0ken"}'
    az(tmp_path, f"echo \"$@\" > {tmp_path}/words; echo '{said}'", monkeypatch)
    monkeypatch.setattr(kusto_query, "LOOPBACK", frozenset())
    monkeypatch.setattr(kusto_query, "_parse_endpoint", urlsplit)  # no TLS behind this port
    endpoint.give(["N"], [1])
    assert run_query(f"{endpoint.url}/", "D", "T", max_rows=1).rows == [[1]]
    assert endpoint.headers["Authorization"] == "Bearer t0ken"
    words = (tmp_path / "words").read_text().split()
    assert words == ["account", "get-access-token", "--resource", endpoint.url, "--output", "json"]


def test_without_a_login_the_message_is_that_of_az(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    az(tmp_path, "echo 'Please run az login' >&2; exit 1", monkeypatch)
    with pytest.raises(PluginError, match="az gives no token: Please run az login"):
        run_query("https://kusto.example", "D", "T", max_rows=1)
    (tmp_path / "az").unlink()
    with pytest.raises(PluginError, match="az is not on PATH: install the Azure CLI"):
        run_query("https://kusto.example", "D", "T", max_rows=1)


def test_an_interval_that_cannot_be_read_is_named() -> None:
    broken = Cluster()
    broken.held["spec"]["interval"] = "1d"
    with pytest.raises(PluginError, match=r"spec.interval of the rule is not valid: '1d'"):
        asked(cluster=broken)
