"""What the server answers: files, JSON and the live stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.plugin.rules import NOW, rule, running
from tests.worker.status_page.views import data, health_server, many, status_page
from worker.kusto.health import EndpointHealth
from worker.status_page.pages import StatusPage

UNKNOWN = EndpointHealth("unknown")


@asynccontextmanager
async def serving(page: StatusPage) -> AsyncIterator[httpx.AsyncClient]:
    server = health_server(page, every=0.02)
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client


async def test_the_three_views_are_one_document_that_loads_its_own_files_only() -> None:
    async with serving(status_page(many(1))) as client:
        for path in ("/", "/rule?namespace=a&name=b", "/worker"):
            page = await client.get(path)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
            assert "unsafe" not in policy
            assert "http:" not in page.text
            assert "https:" not in page.text
        for name in ("app.js", "rules.js", "rule.js", "timeline.js", "worker.js", "dom.js"):
            script = await client.get(f"/static/{name}")
            assert script.headers["content-type"] == "text/javascript; charset=utf-8"
            assert "innerHTML" not in script.text
        assert (await client.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"
        assert (await client.get("/static/../app.py")).status_code == 404


async def test_json_is_served_beside_the_probes() -> None:
    async with serving(status_page(many(3))) as client:
        found = (await client.get("/status.json", params={"search": "rule-00001"})).json()
        assert [item["name"] for item in found["items"]] == ["rule-00001"]
        assert found["at"] == str(NOW)
        process = (await client.get("/worker.json")).json()
        assert (process["identity"], process["queue"]) == ("worker-0", 0)
        assert (await client.post("/status.json")).status_code == 405
        assert (await client.head("/events")).status_code == 405
        assert (await client.get("/healthz")).status_code == 200


LEASE = {
    "holderIdentity": "worker-1",
    "acquireTime": "2026-11-24T08:00:00.250000Z",
    "renewTime": "2026-11-24T10:29:50.000000Z",
    "leaseDurationSeconds": 15,
}


@pytest.mark.parametrize(
    ("lease", "leader"),
    [
        (LEASE, {"identity": "worker-1", "since": "2026-11-24T08:00:00Z"}),
        ({**LEASE, "renewTime": "2026-11-24T10:29:45Z"}, None),
        ({**LEASE, "holderIdentity": ""}, None),
        ({}, None),
    ],
)
def test_a_standby_says_who_leads_unless_the_lease_has_expired(
    lease: dict[str, object], leader: dict[str, str] | None
) -> None:
    found = data(status_page([], lease=lease, leads=False), path="/worker.json")
    assert (found["leads"], found["leader"]) == (False, leader)


def test_the_worker_view_has_the_windows_in_flight_and_the_slots_of_each_endpoint() -> None:
    window = {"operationId": "o-1", "start": "2026-11-24T05:00:00Z", "end": "2026-11-24T06:00:00Z"}
    busy = rule("a", schedule={"inFlight": [window]}, backfill=running(inFlight=[window, {}]))
    found = data(status_page([busy, rule("b")]), path="/worker.json")
    assert found["windowsInFlight"] == 2
    assert found["slots"] == {"http://127.0.0.1:8080": {"taken": 1, "limit": 4, "waiting": 0}}
    assert found["leader"] == {"identity": "worker-0", "since": None}


async def test_a_stream_sends_the_data_and_again_only_when_it_has_changed() -> None:
    rules = [rule("cpu")]
    async with (
        serving(status_page(rules)) as client,
        client.stream("GET", "/events?show=all") as reply,
    ):
        assert reply.headers["content-type"] == "text/event-stream"
        events = (line async for line in reply.aiter_lines() if line.startswith("data: "))
        first = json.loads((await anext(events)).removeprefix("data: "))
        assert first["rules"] == 1
        assert "lag" not in first["items"][0]
        await asyncio.sleep(0.2)
        rules.append(rule("memory"))
        second = json.loads((await anext(events)).removeprefix("data: "))
        assert [item["name"] for item in second["items"]] == ["cpu", "memory"]


async def test_probes_are_answered_beside_as_many_viewers_as_there_may_be() -> None:
    async with serving(status_page(many(1))) as client:

        async def watch() -> int:
            async with client.stream("GET", "/events") as reply:
                await anext(reply.aiter_lines())
                await asyncio.sleep(0.5)
                return reply.status_code

        viewers = [asyncio.create_task(watch()) for _ in range(40)]
        await asyncio.sleep(0.3)
        assert (await client.get("/healthz")).status_code == 200
        codes = await asyncio.gather(*viewers)
        assert codes.count(200) == 32
        assert codes.count(503) == 8


def test_each_endpoint_is_shown_with_its_state_and_cause() -> None:
    failing = EndpointHealth(
        "failing", NOW, "connection refused", "client-secret", has_token=True, throttled=NOW
    )
    page = status_page([], {"https://a.example": failing, "https://b.example": UNKNOWN})
    assert data(page)["endpoints"] == [
        {
            "url": "https://a.example",
            "trouble": "connection refused",
            "state": "failing",
            "since": str(NOW),
            "identity": "client-secret",
            "throttled": str(NOW),
        },
        {
            "url": "https://b.example",
            "trouble": None,
            "state": "unknown",
            "since": None,
            "identity": None,
            "throttled": None,
        },
    ]


async def test_a_viewer_that_has_left_makes_room_at_once() -> None:
    async with serving(status_page(many(1))) as client:
        for _ in range(100):
            async with client.stream("GET", "/events") as reply:
                assert reply.status_code == 200
                await anext(reply.aiter_lines())
            await asyncio.sleep(0.005)
