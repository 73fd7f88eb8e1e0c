"""Events as people see them: one object for one thing said, its count rising."""

import uuid
from typing import Any

from runtime.clock import SystemClock
from runtime.kube.client import EVENTS, KubeClient
from tests.worker.contract.rules_world import NAMESPACE, World, rule
from worker.kube.events import KubeEventRecorder
from worker.ports import RawRule


async def a_rule(world: World) -> RawRule:
    return await world.create(rule(f"evented-{uuid.uuid4().hex[:12]}"))


async def events_of(api: KubeClient, item: RawRule) -> list[dict[str, Any]]:
    query = {"fieldSelector": f"involvedObject.uid={item['metadata']['uid']}"}
    reply = await api.request("GET", EVENTS.collection(NAMESPACE), query=query)
    found: list[dict[str, Any]] = reply["items"]
    return found


async def test_the_same_thing_said_again_raises_the_count(
    api: KubeClient, server_world: World
) -> None:
    item = await a_rule(server_world)
    events = KubeEventRecorder(api, SystemClock())
    for _ in range(3):
        await events.emit(item, "Warning", "WindowFailed", "window 2026-01-01T00:00:00Z failed")
    [event] = await events_of(api, item)
    assert event["count"] == 3
    assert event["type"] == "Warning"
    assert event["reason"] == "WindowFailed"
    assert event["involvedObject"]["name"] == item["metadata"]["name"]


async def test_another_worker_goes_on_counting_the_same_event(
    api: KubeClient, server_world: World
) -> None:
    item = await a_rule(server_world)
    for _ in range(2):
        await KubeEventRecorder(api, SystemClock()).emit(
            item, "Normal", "BackfillStarted", "720 windows"
        )
    [event] = await events_of(api, item)
    assert event["count"] == 2


async def test_different_things_are_different_events(api: KubeClient, server_world: World) -> None:
    item = await a_rule(server_world)
    events = KubeEventRecorder(api, SystemClock())
    await events.emit(item, "Normal", "BackfillStarted", "720 windows")
    await events.emit(item, "Normal", "BackfillCompleted", "720 windows")
    assert {event["reason"] for event in await events_of(api, item)} == {
        "BackfillStarted",
        "BackfillCompleted",
    }


async def test_an_event_that_the_server_dropped_begins_anew(
    api: KubeClient, server_world: World
) -> None:
    item = await a_rule(server_world)
    events = KubeEventRecorder(api, SystemClock())
    await events.emit(item, "Normal", "BackfillStarted", "720 windows")
    [event] = await events_of(api, item)
    await api.request("DELETE", EVENTS.item(NAMESPACE, event["metadata"]["name"]))
    await events.emit(item, "Normal", "BackfillStarted", "720 windows")
    [event] = await events_of(api, item)
    assert event["count"] == 1


async def test_a_message_of_any_length_and_shape_is_stored_on_one_line(
    api: KubeClient, server_world: World
) -> None:
    item = await a_rule(server_world)
    await KubeEventRecorder(api, SystemClock()).emit(item, "Warning", "WindowFailed", "ü\n" * 2000)
    [event] = await events_of(api, item)
    assert "\n" not in event["message"]
    assert len(event["message"].encode()) <= 1024


async def test_a_name_of_the_longest_kind_fits(api: KubeClient, server_world: World) -> None:
    item = await server_world.create(rule("a" * 236 + uuid.uuid4().hex[:17]))
    await KubeEventRecorder(api, SystemClock()).emit(item, "Normal", "BackfillStarted", "x")
    assert len(await events_of(api, item)) == 1


async def test_an_event_that_cannot_be_stored_stops_nobody(
    api: KubeClient, server_world: World
) -> None:
    item = await a_rule(server_world)
    nowhere = item | {"metadata": item["metadata"] | {"namespace": "no-such-namespace"}}
    await KubeEventRecorder(api, SystemClock()).emit(nowhere, "Normal", "BackfillStarted", "x")
