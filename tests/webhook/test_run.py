"""The process: HTTP as it comes, probes, metrics, logs. Real TLS, certificates from files."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webhook.process import (
    JSON_TYPE,
    Client,
    Webhook,
    is_ready,
    sample,
    wait_until,
    webhook,
    write_pair,
)
from tests.webhook.reviews import UID, as_go_writes, review, rule
from tests.webhook.test_admission_review import HOSTILE

GOOD = as_go_writes(review(rule()))
BAD = as_go_writes(review(rule(table="__x", body=".drop table Secrets")))
MOST = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    folder = tmp_path_factory.mktemp("served")
    authority = write_pair(folder / "certs")
    arguments = ("--certificates", "files", "--cert-dir", str(folder / "certs"))
    with webhook(folder, *arguments, bundle=authority.chain.decode) as running:
        wait_until(lambda: is_ready(running))
        yield running


@pytest.fixture
def client(served: Webhook) -> Iterator[Client]:
    with served.client() as client:
        yield client


def test_both_paths_answer_on_one_connection(client: Client) -> None:
    assert client.post("/mutate", GOOD)["allowed"]
    assert client.post("/validate", GOOD) == {
        "uid": UID,
        "allowed": True,
        "auditAnnotations": {"decision": "allowed"},
    }
    refused = client.post("/validate", BAD)
    assert not refused["allowed"]
    assert len(refused["status"]["details"]["causes"]) == 2
    assert client.connections == 1


def test_the_api_servers_timeout_parameter_changes_nothing(client: Client) -> None:
    assert client.post("/validate?timeout=5s", GOOD)["allowed"]


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_body_is_a_bad_request_and_the_connection_lives_on(
    client: Client, path: str, body: bytes
) -> None:
    status, text = client.ask("POST", path, body, {**JSON_TYPE, "Content-Length": str(len(body))})
    assert (status, json.loads(text)["code"]) == (400, 400)
    assert client.post(path, GOOD)["allowed"]
    assert client.connections == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_refused_with_the_one_to_use(client: Client, method: str) -> None:
    assert client.ask(method, "/mutate")[0] == 405
    assert client.headers["allow"] == "POST"


@pytest.mark.parametrize("kind", ["text/plain", "application/yaml", "", "application/jsonp"])
def test_another_content_type_is_refused(client: Client, kind: str) -> None:
    assert client.ask("POST", "/validate", GOOD, {"Content-Type": kind})[0] == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_is_json_however_its_type_is_spelt(client: Client, kind: str) -> None:
    assert client.ask("POST", "/validate", GOOD, {"Content-Type": kind})[0] == 200


def test_a_body_of_three_mebibytes_is_judged_and_one_byte_more_is_refused(client: Client) -> None:
    padding = MOST - len(GOOD)
    assert client.post("/validate", GOOD + b" " * padding)["allowed"]
    assert client.ask("POST", "/validate", GOOD + b" " * (padding + 1), JSON_TYPE)[0] == 413
    assert client.headers["connection"] == "close"


def test_a_body_in_chunks_is_held_to_the_same_limit(client: Client) -> None:
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"  # fmt: skip # noqa: E501
    chunk = b"%x\r\n%s\r\n" % (len(GOOD), GOOD)
    assert client.raw(head + chunk + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    large = b" " * (MOST // 2)
    chunks = b"%x\r\n%s\r\n" % (len(large), large) * 2
    assert client.raw(head + chunks + chunk + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "text",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /validate HTTP/9.9\r\n\r\n",
        b"POST \xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /validate HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_harm_nobody(client: Client, text: bytes) -> None:
    answer = client.raw(text)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert client.post("/validate", GOOD)["allowed"]


def test_two_requests_in_one_packet_get_two_answers(client: Client) -> None:
    one = (
        b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(GOOD), GOOD)
    )
    assert client.raw(one + one).count(b"HTTP/1.1 200 OK") == 2


def test_unknown_paths_are_not_found(client: Client) -> None:
    for path in ("/", "/mutate/", "/docs", "/openapi.json", "/%2e%2e/etc/passwd"):
        assert client.ask("GET", path)[0] == 404


def test_nothing_of_this_was_an_error_of_ours(served: Webhook) -> None:
    levels = {line["level"] for line in served.logs()}
    assert levels <= {"info", "warning"}
    assert not [line for line in served.logs() if "Traceback" in json.dumps(line)]


def test_requests_are_counted_by_path_operation_decision_and_violation(served: Webhook) -> None:
    _, before = served.probe("/metrics")
    with served.client() as client:
        client.post("/mutate", GOOD)
        client.post("/validate", BAD)
        client.post("/validate", as_go_writes(review(rule(), rule(table="T"))))
        client.ask("GET", "/validate")
    _, after = served.probe("/metrics")
    prefix = "summaryrule_webhook"
    for series in (
        f'{prefix}_requests_total{{decision="unchanged",operation="CREATE",path="/mutate"}}',
        f'{prefix}_requests_total{{decision="denied",operation="CREATE",path="/validate"}}',
        f'{prefix}_requests_total{{decision="allowed",operation="UPDATE",path="/validate"}}',
        f'{prefix}_violations_total{{field="spec.table",reason="FieldValueInvalid"}}',
        f'{prefix}_refused_requests_total{{code="405",path="/validate"}}',
        f'{prefix}_request_duration_seconds_count{{path="/mutate"}}',
    ):
        assert sample(after, series) == sample(before, series) + 1, series
    assert sample(after, f"{prefix}_cabundle_in_sync") == 1
    assert sample(after, f"{prefix}_certificate_expiry_timestamp_seconds") > time.time()
    assert sample(after, f"{prefix}_ca_expiry_timestamp_seconds") > time.time()
    assert sample(after, f"{prefix}_requests_in_flight") >= 1
    assert f"{prefix}_build_info{{" in after


def test_a_refusal_is_logged_with_its_reason_and_without_the_objects_text(served: Webhook) -> None:
    with served.client() as client:
        client.post("/validate", BAD)
    line = next(line for line in served.logs() if line["message"] == "denied")
    assert line["uid"] == UID
    assert line["user"] == "alice@example.com"
    assert line["violations"] == ["spec.table: FieldValueInvalid", "spec.body: FieldValueInvalid"]
    assert "Secrets" not in served.log.read_text()


def test_an_address_in_use_is_said_in_one_sentence(served: Webhook, tmp_path: Path) -> None:
    arguments = ("--port", str(served.port), "--certificates", "files", "--cert-dir", ".")
    running = webhook(tmp_path, *arguments, bundle=str)
    with pytest.raises(AssertionError, match="cannot listen on"):
        running.__enter__()


def test_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    authority = write_pair(tmp_path / "certs")
    arguments = ("--certificates", "files", "--cert-dir", str(tmp_path / "certs"))
    with webhook(tmp_path, *arguments, bundle=authority.chain.decode) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(3) == 0
