"""Who works on which shard and when, on in-memory Leases and virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.lease.cut import Cut
from tests.worker.simulation.fates import Fates
from tests.worker.simulation.kube import MemoryLeases
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.lease import Leases, Timing
from worker.shards import Hold, Shards

LEASE = "summaryrule-operator-worker"
TIMING = Timing()
SETTLED = 12.0
"""Seconds in which a handful of live workers have come to hold what they should."""


@dataclass
class Floor:
    """What the workers of one test work on, and that they keep out of each other's way."""

    leases: Leases = field(default_factory=MemoryLeases)
    dice: Random = field(default_factory=lambda: Random(0))
    working: dict[tuple[int, int], str] = field(default_factory=dict)
    moves: int = 0

    @asynccontextmanager
    async def worker(
        self, name: str, shards: int = 4, leases: Leases | None = None
    ) -> AsyncIterator[Shards]:
        """A worker, until the block's end, which it is told by a cancel."""
        mine = Shards(
            leases or self.leases, LEASE, shards, name, VirtualClock(), draw=self.dice.random
        )

        async def work(hold: Hold) -> None:
            await self._work(name, shards, hold)

        task = asyncio.ensure_future(mine.run(work))
        try:
            yield mine
        finally:
            assert not task.done(), task
            task.cancel()
            await asyncio.wait({task})

    async def _work(self, name: str, shards: int, hold: Hold) -> None:
        place = (shards, hold.shard)
        hold.ensure()
        assert place not in self.working
        assert all(others == shards for others, _ in self.working)
        self.working[place] = name
        self.moves += 1
        try:
            while not hold.leaving.is_set():
                hold.ensure()
                await asyncio.sleep(self.dice.uniform(0, 2))
        finally:
            del self.working[place]

    def held(self) -> dict[str, int]:
        return dict(Counter(self.working.values()))

    def counts(self) -> list[int]:
        return sorted(self.held().values(), reverse=True)


def virtually(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    run_virtually(main())


def test_one_shard_is_the_one_lease_and_nothing_else() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a", shards=1), floor.worker("b", shards=1):
            await asyncio.sleep(60)
            assert floor.counts() == [1]
            leases = await floor.leases.read_all(within=1)
            assert [*leases] == [LEASE]
            assert leases[LEASE]["spec"]["holderIdentity"] in floor.held()
            assert "annotations" not in leases[LEASE]["metadata"]

    virtually(story)


def test_workers_that_start_together_share_the_shards_evenly() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a"), floor.worker("b"), floor.worker("c"):
            await asyncio.sleep(SETTLED)
            assert floor.counts() == [2, 1, 1]

    virtually(story)


def test_one_worker_alone_holds_every_shard() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a") as only:
            await asyncio.sleep(SETTLED)
            assert floor.held() == {"a": 4}
            assert all(only.leads(shard) for shard in range(4))

    virtually(story)


def test_a_worker_that_comes_is_left_its_share_and_then_nothing_moves() -> None:
    async def story() -> None:
        floor = Floor()
        async with AsyncExitStack() as workers:
            for number, shares in enumerate([[8], [4, 4], [3, 3, 2], [2, 2, 2, 2]]):
                await workers.enter_async_context(floor.worker(f"worker-{number}", shards=8))
                await asyncio.sleep(SETTLED)
                assert floor.counts() == shares
            moves = floor.moves
            assert moves == 8 + 4 + 2 + 2
            await asyncio.sleep(300)
            assert floor.moves == moves

    virtually(story)


def test_more_workers_than_shards_leave_some_in_waiting() -> None:
    async def story() -> None:
        floor = Floor()
        async with AsyncExitStack() as workers:
            for number in range(3):
                await workers.enter_async_context(floor.worker(f"worker-{number}", shards=2))
            await asyncio.sleep(SETTLED)
            assert floor.counts() == [1, 1]

    virtually(story)


def test_a_worker_that_ends_hands_its_shards_over_within_seconds() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a"), floor.worker("b"):
            async with floor.worker("c"):
                await asyncio.sleep(SETTLED)
                assert len(floor.held()) == 3
            await asyncio.sleep(2 * TIMING.retry + 1)
            assert floor.counts() == [2, 2]

    virtually(story)


def test_the_shards_of_a_worker_that_is_cut_off_are_taken_once_it_has_stopped() -> None:
    async def story() -> None:
        floor = Floor()
        line = Cut(floor.leases)
        async with floor.worker("a", leases=line), floor.worker("b"):
            await asyncio.sleep(SETTLED)
            assert floor.held() == {"a": 2, "b": 2}
            line.is_cut = True
            await asyncio.sleep(TIMING.renew_deadline)
            assert floor.held() == {"b": 2}
            await asyncio.sleep(TIMING.duration - TIMING.renew_deadline + 3 * TIMING.retry)
            assert floor.held() == {"b": 4}
            line.is_cut = False
            await asyncio.sleep(SETTLED)
            assert floor.counts() == [2, 2]

    virtually(story)


def test_a_shard_is_left_only_when_what_was_begun_there_is_finished() -> None:
    async def story() -> None:
        leases, finished = MemoryLeases(), []

        async def slow(hold: Hold) -> None:
            await hold.leaving.wait()
            await asyncio.sleep(20)
            lease = await leases.read(f"{LEASE}-{hold.shard}", within=1)
            finished.append(lease and lease["spec"]["holderIdentity"])

        floor = Floor(leases)
        old = asyncio.ensure_future(Shards(leases, LEASE, 4, "old", VirtualClock()).run(slow))
        await asyncio.sleep(SETTLED)
        async with floor.worker("new"):
            await asyncio.sleep(20)
            assert floor.held() == {}
            await asyncio.sleep(SETTLED)
            assert floor.held() == {"new": 2}
            assert finished == ["old", "old"]
            old.cancel()
            await asyncio.wait({old})

    virtually(story)


def test_workers_of_another_number_wait_until_the_last_has_gone() -> None:
    async def story() -> None:
        floor = Floor()
        async with AsyncExitStack() as new:
            async with floor.worker("old-a", shards=4):
                async with floor.worker("old-b", shards=4):
                    await asyncio.sleep(SETTLED)
                    for name, shards in (("new-a", 3), ("new-b", 3), ("single", 1)):
                        await new.enter_async_context(floor.worker(name, shards))
                    await asyncio.sleep(60)
                    assert floor.held() == {"old-a": 2, "old-b": 2}
                await asyncio.sleep(60)
                assert floor.held() == {"old-a": 4}
            await asyncio.sleep(TIMING.duration + SETTLED)
            assert len({shards for shards, _ in floor.working}) == 1
            assert "old-a" not in floor.held()
            assert floor.held()

    virtually(story)


def test_workers_of_shards_wait_for_a_single_worker_and_begin_when_it_ends() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a", shards=4), floor.worker("b", shards=4):
            await asyncio.sleep(SETTLED)
        async with floor.worker("single", shards=1):
            await asyncio.sleep(TIMING.duration + SETTLED)
            assert floor.held() == {"single": 1}
            async with floor.worker("c", shards=4):
                await asyncio.sleep(60)
                assert floor.held() == {"single": 1}

    virtually(story)


def test_what_the_work_raises_comes_out_and_the_leases_are_free() -> None:
    async def story() -> None:
        async def broken(hold: Hold) -> None:
            await asyncio.sleep(hold.shard)
            raise ZeroDivisionError

        leases = MemoryLeases()
        try:
            await Shards(leases, LEASE, 2, "a", VirtualClock()).run(broken)
        except* ZeroDivisionError:
            pass
        held = await leases.read_all(within=1)
        assert {held[f"{LEASE}-{shard}"]["spec"]["holderIdentity"] for shard in (0, 1)} == {""}

    virtually(story)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_two_workers_act_on_a_rule_whatever_the_faults_and_numbers(seed: int) -> None:
    async def story() -> None:
        dice = Random(seed)
        fates = Fates(
            dice=dice, refused_before=0.1, lost_reply=0.1, hang=0.03, slowest=dice.uniform(0, 3)
        )
        floor = Floor(MemoryLeases(fates), dice)

        async def slot(number: int) -> None:
            life = 0
            while True:
                life += 1
                name = f"worker-{number}-{dice.choice([0, life])}"
                async with floor.worker(name, dice.choice([4, 4, 4, 3, 1])):
                    await asyncio.sleep(dice.uniform(1, 150))
                await asyncio.sleep(dice.uniform(0, 30))

        slots = [asyncio.ensure_future(slot(number)) for number in range(3)]
        await asyncio.sleep(500)
        assert not any(each.done() for each in slots), slots
        assert floor.moves
        for each in slots:
            each.cancel()
        await asyncio.wait(slots)

    virtually(story)


def test_a_worker_acts_on_nothing_once_the_roster_is_lost() -> None:
    async def story() -> None:
        floor = Floor()
        async with floor.worker("a"):
            await asyncio.sleep(SETTLED + 1)
            assert floor.held() == {"a": 4}
            roster = await floor.leases.read(LEASE, within=1)
            assert roster is not None
            await floor.leases.replace(roster, roster["spec"] | {"holderIdentity": "x"}, within=1)
            await asyncio.sleep(TIMING.retry + 0.1)
            assert floor.held() == {}

    virtually(story)


def test_a_slow_api_server_costs_many_workers_nothing() -> None:
    async def story() -> None:
        dice = Random(3)
        floor = Floor(MemoryLeases(Fates(dice=dice, slowest=0.25)), dice)
        async with AsyncExitStack() as workers:
            for name in "abcdefgh":
                await workers.enter_async_context(floor.worker(name, shards=8))
            await asyncio.sleep(60)
            assert floor.counts() == [1] * 8
            moves = floor.moves
            await asyncio.sleep(300)
            assert floor.moves == moves

    virtually(story)


def test_workers_of_another_number_begin_once_the_roster_has_expired() -> None:
    async def story() -> None:
        floor = Floor()
        async with AsyncExitStack() as old:
            for name in "abc":
                await old.enter_async_context(floor.worker(name, shards=4))
            await asyncio.sleep(SETTLED)
        async with floor.worker("next", shards=3):
            await asyncio.sleep(TIMING.duration + SETTLED)
            assert floor.held() == {"next": 3}

    virtually(story)
