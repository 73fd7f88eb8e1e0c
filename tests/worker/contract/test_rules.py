"""The contract of `worker.ports.Rules`, on the real API server and on the in-memory one."""

import uuid
from typing import Any

import pytest

from runtime.errors import Conflict, NotFound
from summaryrule.api.constants import FIELD_MANAGER
from tests.worker.contract.rules_world import NAMESPACE, World, rule
from worker.ports import RawRule


@pytest.fixture
def name() -> str:
    return f"rule-{uuid.uuid4().hex[:12]}"


BACKFILL = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}


def owned_by_worker(item: RawRule) -> list[dict[str, Any]]:
    return [
        one["fieldsV1"]
        for one in item["metadata"]["managedFields"]
        if one["manager"] == FIELD_MANAGER and "subresource" not in one
    ]


async def test_get_returns_the_object_as_stored(world: World, name: str) -> None:
    created = await world.create(rule(name))
    assert await world.rules.get(NAMESPACE, name) == created


async def test_get_of_a_rule_that_is_not_there_is_not_found(world: World, name: str) -> None:
    with pytest.raises(NotFound):
        await world.rules.get(NAMESPACE, name)


async def test_patch_status_makes_the_status_read_as_wanted(world: World, name: str) -> None:
    item = await world.create(rule(name))
    wanted = {"phase": "Running", "windowsDone": 3, "inFlight": [{"start": "a"}]}
    item = await world.rules.patch_status(item, wanted)
    assert item["status"] == wanted
    assert (await world.rules.get(NAMESPACE, name))["status"] == wanted


async def test_patch_status_removes_the_fields_that_are_no_longer_wanted(
    world: World, name: str
) -> None:
    item = await world.create(rule(name))
    before = {"phase": "Running", "windowsDone": 3, "schedule": {"cursor": "a"}}
    item = await world.rules.patch_status(item, before)
    item = await world.rules.patch_status(item, {"windowsDone": 4, "schedule": {}})
    assert item["status"] == {"windowsDone": 4, "schedule": {}}


async def test_patch_status_changes_neither_spec_nor_generation(world: World, name: str) -> None:
    created = await world.create(rule(name))
    item = await world.rules.patch_status(created, {"phase": "Running"})
    assert item["spec"] == created["spec"]
    assert item["metadata"]["generation"] == 1
    assert item["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]


async def test_a_status_that_reads_so_already_is_not_written(world: World, name: str) -> None:
    item = await world.rules.patch_status(await world.create(rule(name)), {"phase": "Running"})
    assert await world.rules.patch_status(item, {"phase": "Running"}) is item


async def test_patch_status_of_a_rule_that_changed_is_a_conflict(world: World, name: str) -> None:
    read = await world.create(rule(name))
    await world.edit(name, {"spec": {"interval": "2h"}})
    with pytest.raises(Conflict):
        await world.rules.patch_status(read, {"phase": "Running"})
    assert "status" not in await world.rules.get(NAMESPACE, name)


async def test_patch_of_a_rule_that_changed_is_a_conflict(world: World, name: str) -> None:
    read = await world.create(rule(name))
    await world.rules.patch_status(read, {"phase": "Running"})
    with pytest.raises(Conflict):
        await world.rules.patch(read, {"spec": {"interval": "2h"}})


async def test_patch_of_a_rule_that_was_made_again_is_a_conflict(world: World, name: str) -> None:
    read = await world.create(rule(name))
    await world.delete(name)
    await world.create(rule(name))
    with pytest.raises(Conflict):
        await world.rules.patch_status(read, {"phase": "Running"})


async def test_patch_of_a_rule_that_is_gone_is_not_found(world: World, name: str) -> None:
    read = await world.create(rule(name))
    await world.delete(name)
    with pytest.raises(NotFound):
        await world.rules.patch(read, {"spec": {"interval": "2h"}})


async def test_patch_never_touches_status(world: World, name: str) -> None:
    item = await world.rules.patch_status(await world.create(rule(name)), {"phase": "Running"})
    item = await world.rules.patch(item, {"spec": {"interval": "2h"}, "status": {"phase": "x"}})
    assert item["spec"]["interval"] == "2h"
    assert item["status"] == {"phase": "Running"}


async def test_a_patch_of_spec_raises_the_generation_and_one_of_annotations_does_not(
    world: World, name: str
) -> None:
    item = await world.create(rule(name))
    item = await world.rules.patch(item, {"metadata": {"annotations": {"a": "b"}}})
    assert item["metadata"]["generation"] == 1
    item = await world.rules.patch(item, {"spec": {"interval": "2h"}})
    assert item["metadata"]["generation"] == 2


async def test_null_in_a_patch_removes_the_field(world: World, name: str) -> None:
    item = await world.create(rule(name, backfill=BACKFILL))
    item = await world.rules.patch(item, {"spec": {"backfill": None}})
    assert "backfill" not in item["spec"]


async def test_a_patch_that_changes_nothing_keeps_the_version(world: World, name: str) -> None:
    item = await world.create(rule(name))
    again = await world.rules.patch(item, {"spec": {"interval": "1h"}})
    assert again["metadata"]["resourceVersion"] == item["metadata"]["resourceVersion"]


async def test_a_later_version_is_a_greater_number(world: World, name: str) -> None:
    item = await world.create(rule(name))
    later = await world.rules.patch(item, {"spec": {"interval": "2h"}})
    assert int(later["metadata"]["resourceVersion"]) > int(item["metadata"]["resourceVersion"])


async def test_a_rule_with_a_finalizer_goes_when_the_finalizer_does(
    world: World, name: str
) -> None:
    item = await world.create(rule(name))
    item = await world.rules.patch(item, {"metadata": {"finalizers": ["contract.test/hold"]}})
    await world.delete(name)
    item = await world.rules.get(NAMESPACE, name)
    assert "deletionTimestamp" in item["metadata"]
    await world.rules.patch(item, {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        await world.rules.get(NAMESPACE, name)


async def test_the_worker_owns_what_it_changed_and_nothing_else(world: World, name: str) -> None:
    await world.apply(rule(name, backfill=BACKFILL))
    item = await world.rules.get(NAMESPACE, name)
    later = {"backfill": BACKFILL | {"start": "2026-01-01T06:00:00Z"}}
    item = await world.rules.patch(item, {"spec": later})
    assert owned_by_worker(item) == [{"f:spec": {"f:backfill": {"f:start": {}}}}]


async def test_applying_over_a_field_that_the_worker_owns_is_a_conflict(
    world: World, name: str
) -> None:
    manifest = rule(name, backfill=BACKFILL)
    await world.apply(manifest)
    item = await world.rules.get(NAMESPACE, name)
    await world.rules.patch(item, {"spec": {"backfill": {"start": "2026-01-01T06:00:00Z"}}})
    with pytest.raises(Conflict):
        await world.apply(manifest)


async def test_after_the_worker_gave_its_ownership_up_the_same_apply_passes(
    world: World, name: str
) -> None:
    manifest = rule(name, backfill=BACKFILL)
    await world.apply(manifest)
    item = await world.rules.get(NAMESPACE, name)
    item = await world.rules.patch(item, {"spec": {"backfill": {"start": "2026-01-01T06:00:00Z"}}})
    others = [one for one in item["metadata"]["managedFields"] if one["manager"] != FIELD_MANAGER]
    body = {"metadata": {"managedFields": others}, "spec": {"backfill": {"operationId": "op"}}}
    item = await world.rules.patch(item, body)
    assert owned_by_worker(item) == [{"f:spec": {"f:backfill": {"f:operationId": {}}}}]
    applied = await world.apply(manifest)
    assert applied["spec"]["backfill"] == BACKFILL | {"operationId": "op"}


async def test_applying_the_same_manifest_with_force_takes_the_field_back(
    world: World, name: str
) -> None:
    manifest = rule(name, backfill=BACKFILL)
    await world.apply(manifest)
    item = await world.rules.get(NAMESPACE, name)
    await world.rules.patch(item, {"spec": {"backfill": {"start": "2026-01-01T06:00:00Z"}}})
    applied = await world.apply(manifest, force=True)
    assert applied["spec"]["backfill"] == BACKFILL
    assert owned_by_worker(applied) == []


async def test_an_apply_without_backfill_removes_the_one_it_had_applied(
    world: World, name: str
) -> None:
    await world.apply(rule(name, backfill=BACKFILL))
    applied = await world.apply(rule(name))
    assert "backfill" not in applied["spec"]
