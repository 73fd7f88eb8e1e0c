"""What a watch can bring besides events, played by a small server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from runtime.backoff import Backoff
from runtime.kube.client import KubeClient
from tests.worker.eventually import eventually
from tests.worker.misbehaving import Misbehaving, Script, cut, hang, reply, stream
from worker.kube.reflector import Reflector
from worker.kube.store import Key, Store

PATH = "/apis/contract.test/v1/rules"
HTML = b"<html>\n<head><title>502 Bad Gateway</title></head>\n<body>nginx</body>\n</html>\n"


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": str(version)}}


def event(kind: str, body: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind, "object": body}) + b"\n"


def end_of_list(version: int) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"}
    metadata = {"resourceVersion": str(version), "annotations": annotations}
    return event("BOOKMARK", {"metadata": metadata})


def listed(*items: dict[str, Any], version: int) -> bytes:
    return b"".join(event("ADDED", one) for one in items) + end_of_list(version)


def status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": "too old"}


A, B = item("a", 1), item("b", 2)


@asynccontextmanager
async def mirroring(
    *scripts: Script, silence: float = 5.0
) -> AsyncIterator[tuple[Reflector, Misbehaving, list[Key]]]:
    changes: list[Key] = []
    async with Misbehaving(*scripts) as server:
        client = ApiClient(Configuration(host=server.url))
        reflector = Reflector(
            KubeClient(client),
            PATH,
            Store(changes.append),
            silence=silence,
            backoff=Backoff(0.01, 0.05),
            draw=lambda: 0.01,
        )
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector, server, changes
        finally:
            task.cancel()
            await asyncio.wait({task})
            await client.close()  # type: ignore[no-untyped-call]
    assert task.cancelled()


def versions(server: Misbehaving) -> list[str]:
    """The resourceVersion of each watch, empty for a streaming list."""
    lines = [request.split(b" ")[1].decode() for request in server.requests]
    return [line.partition("resourceVersion=")[2].partition("&")[0] for line in lines]


def names(reflector: Reflector) -> set[str]:
    return {one["metadata"]["name"] for one in reflector.store}


async def test_a_list_replaces_the_store_only_when_it_is_whole() -> None:
    half = stream(event("ADDED", B))
    whole = stream(listed(A, version=5), then_hang=True)
    async with mirroring(half, whole) as (reflector, _, changes):
        await asyncio.wait_for(reflector.synced.wait(), 5)
        assert names(reflector) == {"a"}
        assert changes == [("n", "a")]


async def test_events_split_anywhere_are_put_together() -> None:
    body = listed(A, B, version=5)
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    async with mirroring(stream(*pieces, then_hang=True)) as (reflector, _, _changes):
        await asyncio.wait_for(reflector.synced.wait(), 5)
        assert names(reflector) == {"a", "b"}


async def test_a_410_inside_the_watch_lists_again() -> None:
    first = stream(listed(A, version=5), event("ERROR", status(410, "Expired")))
    second = stream(listed(B, version=9), then_hang=True)
    async with mirroring(first, second) as (reflector, server, _):
        await eventually(lambda: names(reflector) == {"b"})
        assert versions(server) == ["", ""]


async def test_a_410_at_the_door_lists_again() -> None:
    first = stream(listed(A, version=5))
    gone = reply(410, msgspec.json.encode(status(410, "Expired")))
    second = stream(listed(B, version=9), then_hang=True)
    async with mirroring(first, gone, second) as (reflector, server, _):
        await eventually(lambda: names(reflector) == {"b"})
        assert versions(server) == ["", "5", ""]


async def test_a_410_in_the_middle_of_a_paged_list_starts_the_list_again() -> None:
    refused = reply(422, msgspec.json.encode(status(422, "Invalid")))
    page = {"metadata": {"resourceVersion": "7", "continue": "next"}, "items": [A]}
    last = {"metadata": {"resourceVersion": "9"}, "items": [B]}
    gone = reply(410, msgspec.json.encode(status(410, "Expired")))
    scripts = [refused, reply(200, msgspec.json.encode(page)), gone]
    scripts += [reply(200, msgspec.json.encode(last)), stream(then_hang=True)]
    async with mirroring(*scripts) as (reflector, server, _):
        await eventually(lambda: names(reflector) == {"b"})
        await eventually(lambda: versions(server)[-1] == "9")


async def test_html_with_status_200_is_an_error_and_loses_nothing() -> None:
    page, later = stream(HTML), event("MODIFIED", item("a", 6))
    again = stream(later, then_hang=True)
    async with mirroring(stream(listed(A, version=5)), page, again) as (reflector, server, _):
        await eventually(
            lambda: (reflector.store.get(("n", "a")) or A)["metadata"]["resourceVersion"] == "6"
        )
        assert versions(server)[:2] == ["", "5"]


async def test_a_gateways_502_backs_off_and_comes_back() -> None:
    bad = reply(502, HTML, "text/html")
    async with mirroring(bad, bad, cut, stream(listed(A, version=5), then_hang=True)) as (
        reflector,
        server,
        _,
    ):
        await asyncio.wait_for(reflector.synced.wait(), 5)
        assert len(server.requests) == 4


async def test_a_watch_that_hangs_after_it_brought_something_goes_on_from_there() -> None:
    first = stream(listed(A, version=5), event("MODIFIED", item("a", 6)), then_hang=True)
    second = stream(event("ADDED", item("b", 8)), then_hang=True)
    async with mirroring(first, second, hang, silence=0.2) as (reflector, server, _):
        await eventually(lambda: names(reflector) == {"a", "b"})
        assert versions(server)[:2] == ["", "6"]


async def test_a_watch_that_brought_nothing_at_all_is_not_believed() -> None:
    """A resourceVersion that the server has not reached yet makes it wait without a word."""
    first, silent = stream(listed(A, version=500)), stream(then_hang=True)
    again = stream(listed(B, version=7), then_hang=True)
    async with mirroring(first, silent, again, silence=0.2) as (reflector, server, _):
        await eventually(lambda: names(reflector) == {"b"})
        assert versions(server)[:3] == ["", "500", ""]


async def test_a_bookmark_moves_the_version_on() -> None:
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "40"}})
    async with mirroring(stream(listed(A, version=5), bookmark), stream(then_hang=True)) as (
        _reflector,
        server,
        _,
    ):
        await eventually(lambda: versions(server)[1:2] == ["40"])


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered() -> None:
    scripts = [stream(listed(A, version=5)), stream()]
    async with mirroring(*scripts) as (_reflector, server, _):
        await asyncio.sleep(0.5)
        assert 3 < len(server.requests) < 40


async def test_what_vanished_between_two_lists_is_told() -> None:
    first = stream(listed(A, B, version=5), event("ERROR", status(410, "Expired")))
    second = stream(listed(B, version=9), then_hang=True)
    async with mirroring(first, second) as (reflector, _, changes):
        await eventually(lambda: names(reflector) == {"b"})
        assert sorted(changes) == [("n", "a"), ("n", "a"), ("n", "b")]


def test_a_write_that_the_watch_has_not_brought_yet_is_kept() -> None:
    changes: list[Key] = []
    store = Store(changes.append)
    store.put(item("a", 1))
    store.put(item("a", 5))
    store.put(item("a", 3))
    assert store.get(("n", "a")) == item("a", 5)
    store.remove(item("a", 4))
    assert store.get(("n", "a")) == item("a", 5)
    store.remove(item("a", 6))
    assert store.get(("n", "a")) is None
    assert len(changes) == 3
