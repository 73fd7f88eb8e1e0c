"""The views of one rule and of one window."""

import gzip
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs, urlsplit

from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import window_token
from summaryrule.api.windows import Window
from tests.plugin.rules import condition, rule, running
from tests.worker.status_page.views import OWNER, data, status_page

FAILED = {
    "start": "2026-11-24T05:00:00Z",
    "end": "2026-11-24T06:00:00Z",
    "error": "no table",
    "token": "t0",
}
NAMED = "namespace=default&name=cpu"


def scheduled(**status: Any) -> dict[str, Any]:
    made = rule(**{"schedule": {"cursor": "2026-11-24T10:00:00Z", "failed": [FAILED]}, **status})
    made["metadata"] |= {"creationTimestamp": "2026-11-24T02:30:00Z", "uid": "u-1"}
    return made


def commands(found: dict[str, Any]) -> list[str]:
    return [each["command"] for each in found["commands"]]


def test_a_rule_is_shown_with_its_conditions_and_their_remedies() -> None:
    held = condition(OWNER, "NoEndpoint", "no endpoint is configured")
    found = data(status_page([scheduled(conditions=[held])]), NAMED, "/rule.json")
    assert found["found"]
    assert found["conditions"][0]["reason"] == "NoEndpoint"
    assert "kusto.endpoints" in found["conditions"][0]["remedy"]
    assert found["spec"]["body"].startswith("CPU | where")
    assert [lane["kind"] for lane in found["lanes"]] == ["schedule"]
    failing = condition(OWNER, "WindowFailed", "1 windows failed")
    found = data(status_page([scheduled(conditions=[failing])]), NAMED, "/rule.json")
    assert "kubectl summaryrule retry cpu -n default --all" in found["conditions"][0]["remedy"]
    assert found["remedy"] == found["conditions"][0]["remedy"]


def test_each_problem_has_its_remedy_and_the_endpoint_of_the_rule_is_named() -> None:
    failing = condition(OWNER, "WindowFailed", "1 windows failed")
    columns = condition("QueryValid", "ColumnsDiffer", "write tostring(Requests)")
    found = data(status_page([scheduled(conditions=[failing, columns])]), NAMED, "/rule.json")
    assert [each["reason"] for each in found["summary"]["problems"]] == [
        "WindowFailed",
        "ColumnsDiffer",
    ]
    assert "new spec.table" in found["remedies"]["ColumnsDiffer"]
    assert found["endpoint"] == "https://c.example"


def test_a_rule_that_there_is_not_is_said() -> None:
    assert not data(status_page([]), NAMED, "/rule.json")["found"]
    assert not data(status_page([]), f"{NAMED}&at=2026-11-24T05:00:00Z", "/window.json")["found"]


def test_commands_fit_what_can_be_done_now() -> None:
    page = status_page([scheduled()])
    assert commands(data(page, NAMED, "/rule.json")) == [
        "kubectl summaryrule retry cpu -n default --all",
        "kubectl summaryrule backfill cpu -n default --last 7d --wait",
        "kubectl summaryrule pause cpu -n default --schedule",
        "kubectl summaryrule explain cpu -n default",
    ]
    paused = scheduled(schedule={"cursor": "2026-11-24T10:00:00Z"}, backfill=running())
    paused["spec"] |= {"suspend": True, "backfill": {"suspend": True}}
    assert commands(data(status_page([paused]), NAMED, "/rule.json")) == [
        "kubectl summaryrule resume cpu -n default",
        "kubectl summaryrule cancel cpu -n default",
        "kubectl summaryrule resume cpu -n default --schedule",
        "kubectl summaryrule explain cpu -n default",
    ]


def test_a_window_is_shown_with_its_error_its_command_and_what_to_do() -> None:
    page = status_page([scheduled()])
    found = data(page, f"{NAMED}&lane=0&at=2026-11-24T05:30:00Z", "/window.json")
    assert (found["state"], found["error"], found["token"]) == ("failed", "no table", "t0")
    assert (found["start"], found["end"]) == ("2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z")
    assert found["queryEnd"] == "2026-11-24T05:59:59.9999999Z"
    assert "let _startTime=datetime(2026-11-24T05:00:00Z);" in found["command"]
    assert 'let _region="eastus";' in found["command"]
    assert commands(found) == [
        "kubectl summaryrule retry cpu -n default --window 2026-11-24T05:00:00Z",
        "kubectl summaryrule skip cpu -n default --window 2026-11-24T05:00:00Z",
    ]


def test_a_window_opens_in_the_web_editor_with_its_query() -> None:
    page = status_page([scheduled()])
    found = data(page, f"{NAMED}&at=2026-11-24T05:30:00Z", "/window.json")
    link = urlsplit(found["queryLink"])
    assert (link.hostname, link.path) == ("c.example", "/Telemetry")
    packed = parse_qs(link.query)["query"][0]
    assert gzip.decompress(b64decode(packed)).decode().endswith(scheduled()["spec"]["body"])
    rows = gzip.decompress(b64decode(parse_qs(urlsplit(found["rowsLink"]).query)["query"][0]))
    assert b"extent_tags() has 'ingest-by:t0'" in rows


def test_a_window_that_nothing_covers_is_offered_a_backfill() -> None:
    page = status_page([scheduled()])
    found = data(page, f"{NAMED}&at=2026-11-20T05:30:00Z", "/window.json")
    assert found["state"] == "not covered"
    between = "--start 2026-11-20T05:00:00Z --end 2026-11-20T06:00:00Z"
    assert commands(found) == [f"kubectl summaryrule backfill cpu -n default {between}"]


def test_a_window_of_a_rule_that_cannot_be_read_says_why() -> None:
    broken = scheduled()
    broken["spec"]["body"] = 3
    found = data(status_page([broken]), f"{NAMED}&at=2026-11-24T05:30:00Z", "/window.json")
    assert "spec.body" in found["malformed"]
    assert "command" not in found


def test_a_window_needs_a_time() -> None:
    found = data(status_page([scheduled()]), f"{NAMED}&at=yesterday", "/window.json")
    assert "RFC 3339" in found["error"]
    assert not data(
        status_page([scheduled()]), f"{NAMED}&lane=7&at=2026-11-24T05:30:00Z", "/window.json"
    )["found"]


def test_a_window_in_mode_replace_is_shown_with_the_tags_and_the_token_of_its_run() -> None:
    past = running(requestKey="k1", requestedStart="2026-11-20T00:00:00Z")
    made = scheduled(backfill=past)
    made["spec"]["writeMode"] = "Replace"
    query = f"{NAMED}&lane=1&at=2026-11-22T05:30:00Z"
    found = data(status_page([made]), query, "/window.json")
    start = Instant.parse("2026-11-22T05:00:00Z")
    window = Window(start, Instant.parse("2026-11-22T06:00:00Z"))
    token = window_token(parse_rule(made), window, "k1")
    assert found["token"] == token
    assert f"drop-by:summaryrule/default/cpu/{start}/{token}" in found["command"]
