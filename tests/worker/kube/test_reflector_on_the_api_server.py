"""The reflector on a real API server: both ways to list, changes, and a compacted history."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.backoff import Backoff
from runtime.errors import Refused
from runtime.kube.client import KubeClient
from tests.worker.contract.rules_world import CONTRACT_RULES, NAMESPACE, World, rule
from tests.worker.eventually import eventually
from worker.kube.reflector import Reflector
from worker.kube.store import Key, Store

PATH = CONTRACT_RULES.collection(NAMESPACE)


class OldServer(KubeClient):
    """A server without streaming lists (before 1.32): it refuses them with 422."""

    def __init__(self, api: KubeClient) -> None:
        self._api = api
        self.request = api.request  # type: ignore[method-assign]

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if "sendInitialEvents" in query:
            raise Refused("sendInitialEvents is forbidden for watch", "Invalid")
        async with self._api.stream(path, query, silence=silence) as chunks:
            yield chunks


@pytest.fixture(params=["streaming list", "paged list"])
def either(request: pytest.FixtureRequest, api: KubeClient) -> KubeClient:
    return api if request.param == "streaming list" else OldServer(api)


@asynccontextmanager
async def mirroring(
    api: KubeClient, changed: Callable[[Key], None] = lambda _: None, **options: Any
) -> AsyncIterator[Reflector]:
    reflector = Reflector(
        api, PATH, Store(changed), backoff=Backoff(0.01, 0.1), draw=lambda: 0.1, **options
    )
    task = asyncio.create_task(reflector.run())
    try:
        await asyncio.wait_for(reflector.synced.wait(), 20)
        yield reflector
    finally:
        task.cancel()
        await asyncio.wait({task})


def fresh() -> str:
    return f"mirrored-{uuid.uuid4().hex[:12]}"


async def test_it_holds_what_is_there_with_its_metadata(
    either: KubeClient, server_world: World
) -> None:
    created = await server_world.create(rule(fresh()))
    async with mirroring(either) as reflector:
        held = reflector.store.get((NAMESPACE, created["metadata"]["name"]))
    assert held is not None
    assert held["metadata"] == created["metadata"]
    assert held["metadata"]["managedFields"]
    assert held["spec"] == created["spec"]


async def test_it_follows_creation_change_and_deletion(
    either: KubeClient, server_world: World
) -> None:
    name = fresh()
    changes: list[Key] = []
    async with mirroring(either, changes.append) as reflector:
        key = (NAMESPACE, name)
        await server_world.create(rule(name))
        await eventually(lambda: reflector.store.get(key) is not None)
        await server_world.edit(name, {"spec": {"interval": "2h"}})
        await eventually(
            lambda: (reflector.store.get(key) or {"spec": {}})["spec"].get("interval") == "2h"
        )
        await server_world.delete(name)
        await eventually(lambda: reflector.store.get(key) is None)
    assert changes.count(key) == 3


async def test_a_watch_that_the_server_ends_is_opened_again_without_a_gap(
    api: KubeClient, server_world: World
) -> None:
    name, opened = fresh(), []

    class Short(KubeClient):
        def __init__(self) -> None:
            self.request = api.request  # type: ignore[method-assign]

        @asynccontextmanager
        async def stream(
            self, path: str, query: Mapping[str, str], *, silence: float
        ) -> AsyncIterator[AsyncIterator[bytes]]:
            opened.append(query)
            brief = {**query, "timeoutSeconds": "1"}
            async with api.stream(path, brief, silence=silence) as chunks:
                yield chunks

    async with mirroring(Short()) as reflector:
        await eventually(lambda: len(opened) >= 3)
        await server_world.create(rule(name))
        await eventually(lambda: reflector.store.get((NAMESPACE, name)) is not None)
    assert sum("sendInitialEvents" in query for query in opened) == 1


async def test_a_version_that_is_gone_makes_it_list_again(
    api: KubeClient, server_world: World
) -> None:
    name = fresh()
    stale = Reflector(api, PATH, Store(lambda _: None), backoff=Backoff(0.01, 0.1))
    stale._version = "1"  # noqa: SLF001 - a version that etcd has compacted or never had
    task = asyncio.create_task(stale.run())
    await server_world.create(rule(name))
    await eventually(lambda: stale.store.get((NAMESPACE, name)) is not None)
    task.cancel()
    await asyncio.wait({task})


async def test_hundreds_of_rules_arrive_whole(either: KubeClient, server_world: World) -> None:
    names = [fresh() for _ in range(620)]
    for start in range(0, len(names), 40):
        await asyncio.gather(*(server_world.create(rule(n)) for n in names[start : start + 40]))
    async with mirroring(either) as reflector:
        missing = [name for name in names if reflector.store.get((NAMESPACE, name)) is None]
    assert missing == []
