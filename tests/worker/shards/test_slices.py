"""Which shard's queue hears of a change, and what its slice of the rules shows."""

import asyncio
import uuid
from collections.abc import Iterator
from itertools import count

from summaryrule.shards import shard_of
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.kube.store import Key
from worker.ports import Rule
from worker.queue import Queue
from worker.slices import Slices

SHARDS = 4
KEY = ("default", "hourly-errors")
versions = count(1)


def rule(uid: str, name: str = KEY[1]) -> Rule:
    return {
        "metadata": {
            "namespace": KEY[0],
            "name": name,
            "uid": uid,
            "resourceVersion": str(next(versions)),
        }
    }


def uids(shard: int) -> Iterator[str]:
    """UIDs of rules that belong to the shard."""
    every = (str(uuid.UUID(int=number)) for number in count())
    return (uid for uid in every if shard_of(uid, SHARDS) == shard)


def queue() -> Queue[Key]:
    return Queue(VirtualClock())


def test_a_change_is_told_to_the_rules_shard_and_to_no_other() -> None:
    async def story() -> None:
        slices, first, second = Slices(SHARDS), queue(), queue()
        with slices.followed(1, first) as one, slices.followed(2, second) as two:
            item = rule(next(uids(1)))
            slices.put(item)
            assert (len(first), len(second)) == (1, 0)
            assert (one.get(KEY), two.get(KEY)) == (item, None)
            assert [slices.count(shard) for shard in range(SHARDS)] == [0, 1, 0, 0]

    run_virtually(story())


def test_following_a_shard_begins_with_a_look_at_all_of_its_rules() -> None:
    async def story() -> None:
        slices, waiting, mine = Slices(SHARDS), queue(), uids(3)
        for number in range(5):
            slices.put(rule(next(mine), f"mine-{number}"))
        slices.put(rule(next(uids(0)), "another"))
        with slices.followed(3, waiting):
            assert len(waiting) == 5
            assert slices.depth == 5
        assert slices.depth == 0
        slices.put(rule(next(mine), "later"))
        assert len(waiting) == 5

    run_virtually(story())


def test_a_rule_made_again_under_its_name_goes_from_one_shard_to_the_other() -> None:
    async def story() -> None:
        slices, old, new = Slices(SHARDS), queue(), queue()
        with slices.followed(0, old) as before, slices.followed(1, new) as after:
            slices.put(rule(next(uids(0))))
            old.done(await old.get())
            slices.put(rule(next(uids(1))))
            assert (len(old), len(new)) == (1, 1)
            assert before.get(KEY) is None
            assert after.get(KEY) is not None
            assert (slices.count(0), slices.count(1)) == (0, 1)

    run_virtually(story())


def test_a_deletion_is_told_to_the_shard_that_the_rule_had() -> None:
    async def story() -> None:
        slices, waiting = Slices(SHARDS), queue()
        with slices.followed(2, waiting) as mirror:
            slices.put(rule(next(uids(2))))
            waiting.done(await waiting.get())
            slices.replace({})
            assert len(waiting) == 1
            assert mirror.get(KEY) is None
            assert slices.count(2) == 0

    run_virtually(story())


def test_a_closed_queue_gives_out_nothing_and_waits_for_what_is_worked_on() -> None:
    async def story() -> None:
        waiting = queue()
        waiting.add(KEY)
        waiting.add(("default", "next"))
        key = await waiting.get()
        closing = asyncio.ensure_future(waiting.close())
        getting = asyncio.ensure_future(waiting.get())
        await asyncio.sleep(60)
        assert not closing.done()
        waiting.done(key)
        await asyncio.sleep(60)
        assert closing.done()
        assert not getting.done()
        getting.cancel()

    run_virtually(story())
