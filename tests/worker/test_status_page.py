"""The status page: what a person sees of the worker, and what nobody can put into it."""

import json
import re
import time
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tests.plugin.rules import NOW, condition, rule, running
from worker.health_server import HealthServer
from worker.kusto.health import EndpointHealth
from worker.metrics import Metrics
from worker.status_page import ROWS, PageQuery, StatusPage, routes

OWNER = "summaryrule.adx-mon.azure.com"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
VOID = {"meta", "input", "br", "img"}


class Clock:
    def now(self) -> int:
        return NOW.ticks

    def monotonic(self) -> float:
        return 0.0


def board(
    rules: Iterable[Any], endpoints: Mapping[str, EndpointHealth] | None = None
) -> StatusPage:
    known = endpoints or {"http://127.0.0.1:8080": EndpointHealth("answering", NOW)}
    return StatusPage(list(rules), Clock(), "worker-0", lambda: True, lambda: known)


def html(shown: StatusPage, query: str = "") -> str:
    return routes(shown)["/"](query)[2].decode()


def data(shown: StatusPage, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(routes(shown)["/status.json"](query)[2])
    return found


class Reader(HTMLParser):
    """Fails where tags do not close in order; keeps every tag, attribute and piece of text."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.text = list[str](), list[str](), list[str]()
        self.attributes = list[tuple[str, str | None]]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def many(count: int) -> list[dict[str, Any]]:
    return [rule(f"rule-{number:05}", backfill=running()) for number in range(count)]


def test_the_page_shows_each_rule_with_its_lag_backfill_and_problem() -> None:
    late = {"cursor": "2026-11-24T10:00:00Z", "lastDone": "2026-11-24T10:00:00Z"}
    held = condition(OWNER, "NoEndpoint", "no endpoint is configured")
    past = running(lastError="Throttled: later")
    page = html(board([rule(schedule=late, backfill=past, conditions=[held])]))
    text = " ".join(read(page).text)
    for words in ("default/cpu", "30m ago", "Running", "237/552", "about 12m30s left", "Throttled"):
        assert words in text
    assert "no endpoint is configured" in text
    assert '<progress max="100" value="42"' in page


def test_nothing_that_a_rule_or_an_endpoint_says_becomes_markup() -> None:
    evil = rule(
        EVIL,
        backfill=running(phase=EVIL, lastError=EVIL),
        conditions=[condition(OWNER, EVIL, EVIL)],
    )
    evil["metadata"]["namespace"] = EVIL
    evil["spec"] |= {"database": EVIL, "table": EVIL, "interval": EVIL}
    reader = read(
        html(
            board([evil], {EVIL: EndpointHealth("failing", NOW, EVIL)}),
            "search=%3Cscript%3E%22%27&show=%22%3E",
        )
    )
    assert not {"script", "img", "link", "iframe", "object"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    wanted = read(html(board([evil], {EVIL: EndpointHealth("failing", NOW, EVIL)}))).text
    assert sum("<script>" in piece for piece in wanted) >= 6


def test_the_page_asks_nothing_of_the_network() -> None:
    page = html(board(many(3)))
    assert "default-src 'none'" in page
    assert not re.search(
        r"(src|@import|url\()", page.replace("default-src", "").replace("style-src", "")
    )
    links = {value for name, value in read(page).attributes if name in {"href", "action"}}
    assert all(str(link).startswith(("?", "status.json?")) for link in links)


def test_a_search_and_a_kind_choose_rules_and_the_counts_are_of_all() -> None:
    held = rule("held", conditions=[condition(OWNER, "NoEndpoint", "none")])
    shown = board([held, rule("quiet"), rule("busy", backfill=running())])
    assert [row["name"] for row in data(shown, "show=problem")["items"]] == ["held"]
    assert [row["name"] for row in data(shown, "show=backfill")["items"]] == ["busy"]
    found = data(shown, "search=default/q")
    assert [row["name"] for row in found["items"]] == ["quiet"]
    assert (found["rules"], found["backfills"], found["troubled"], found["matched"]) == (3, 1, 1, 1)


def test_pages_hold_a_bounded_number_of_rules_and_lead_to_each_other() -> None:
    shown = board(many(2 * ROWS + 1))
    first, last = html(shown), data(shown, "page=3")
    assert 'rel="next"' in first
    assert 'rel="prev"' not in first
    assert len(last["items"]) == 1
    assert data(shown, "page=999999")["page"] == 3


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "99999999999999999999", ""])
def test_a_page_that_there_is_not_is_the_nearest_one(page: str) -> None:
    assert PageQuery.parse(f"page={page}").page in {0, 1}
    assert data(board(many(1)), f"page={page}")["page"] == 1


def test_a_query_of_any_length_or_shape_is_answered() -> None:
    shown = board(many(1))
    for query in ("&" * 4_000, "search=" + "x" * 6_000, "a=1&" * 50, "%", "=&;", "search=%ff"):
        assert read(html(shown, query)).tags


def test_it_loads_anew_until_told_to_stop() -> None:
    shown = board(many(1))
    assert 'http-equiv="refresh"' in html(shown)
    assert 'http-equiv="refresh"' not in html(shown, "refresh=off")


def test_objects_that_are_no_rules_are_shown_too() -> None:
    broken: list[dict[str, Any]] = [{"metadata": {"name": "x"}, "spec": None, "status": 3}, {}]
    assert data(board(broken))["rules"] == 2
    assert "There are no rules yet." in html(board([]))


def test_an_endpoint_that_is_left_alone_is_named_with_the_cause() -> None:
    shown = board(
        [],
        {
            "https://a.example": EndpointHealth("failing", NOW, "connection refused"),
            "https://b.example": EndpointHealth("answering", NOW),
            "https://c.example": EndpointHealth("unknown", identity="az-login", has_token=True),
        },
    )
    text = " ".join(read(html(shown)).text)
    assert f"▲ https://a.example fails since {NOW}: connection refused" in text
    assert f"● https://b.example answers since {NOW}" in text
    assert "○ https://c.example was not asked yet (login: az-login)" in text
    assert data(shown)["endpoints"][0] == {
        "url": "https://a.example",
        "trouble": "connection refused",
        "state": "failing",
        "since": str(NOW),
        "identity": None,
    }


def test_ten_thousand_rules_cost_a_fraction_of_a_second() -> None:
    shown = board(many(10_000))
    began = time.process_time()
    page = html(shown, "search=rule&page=7")
    assert time.process_time() - began < 0.5
    assert len(page) < 100_000


async def test_page_and_json_are_served_beside_the_probes() -> None:
    async with (
        HealthServer(
            "127.0.0.1",
            0,
            live=lambda: None,
            ready=lambda: None,
            metrics=Metrics().exposition,
            pages=routes(board(many(3))),
        ) as health,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{health.port}") as client,
    ):
        page = await client.get("/", params={"search": "rule-00001"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default/rule-00001" in page.text
        assert "default/rule-00002" not in page.text
        assert (await client.get("/status.json")).json()["at"] == str(NOW)
        assert (await client.post("/")).status_code == 405


def test_a_rule_that_waits_in_the_queue_says_how_many_are_ahead() -> None:
    unseen, seen = rule("a"), rule("b")
    unseen["status"] = {}
    queue = {("default", "a"): 7, ("default", "b"): 0}
    shown = StatusPage([unseen, seen], Clock(), "worker-0", lambda: True, dict, lambda: queue)
    first, second = data(shown)["items"]
    assert (first["reason"], first["ahead"], second["ahead"]) == ("Queued", 7, 0)
    assert first["message"] == "the rule waits in the work queue; rules ahead of it: 7"
    assert "rules ahead: 7" in html(shown)
    assert data(board([rule()]))["items"][0]["ahead"] is None
