"""Which key is worked on next, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backoff import Backoff
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.workqueue import WorkQueue


def scenario(test: Callable[[WorkQueue[str]], Awaitable[None]]) -> None:
    async def main() -> None:
        queue = WorkQueue[str](VirtualClock(), lambda: Backoff(1, 60, draw=lambda: 1.0))
        await test(queue)

    run_virtually(main())


def now() -> float:
    return asyncio.get_running_loop().time()


def test_the_earliest_due_comes_first() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("late", 20)
        queue.add("soon", 5)
        queue.add("now")
        assert [await queue.get() for _ in range(3)] == ["now", "soon", "late"]
        assert now() == 20

    scenario(test)


def test_a_key_that_waits_is_there_once_and_at_its_earliest_time() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        for delay in (30, 10, 20, 10):
            queue.add("rule", delay)
        assert len(queue) == 1
        assert await queue.get() == "rule"
        assert now() == 10
        assert len(queue) == 0

    scenario(test)


def test_a_key_that_is_due_has_its_place_and_one_that_is_taken_has_none() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        for key, delay in (("later", 20), ("second", 1), ("first", 0), ("third", 2)):
            queue.add(key, delay)
        await asyncio.sleep(5)
        assert queue.places() == {"first": 0, "second": 1, "third": 2}
        assert await queue.get() == "first"
        assert queue.places() == {"second": 0, "third": 1}

    scenario(test)


def test_a_key_has_the_reason_of_its_earliest_time() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("rule", 30, reason="due")
        queue.add("rule", 10, reason="operation")
        queue.add("rule", 20)
        assert await queue.get() == "rule"
        assert [queue.take_reason("rule"), queue.take_reason("rule")] == ["operation", ""]

    scenario(test)


def test_a_key_in_work_is_not_given_to_another_and_comes_back_once() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("rule")
        assert await queue.get() == "rule"
        for _ in range(5):
            queue.add("rule")
        queue.add("other", 3)
        assert await queue.get() == "other"
        queue.done("rule")
        assert await queue.get() == "rule"
        queue.done("rule")
        assert len(queue) == 0

    scenario(test)


def test_a_delay_asked_for_during_the_work_counts_from_then() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("rule")
        await queue.get()
        queue.add("rule", 10)
        await asyncio.sleep(4)
        queue.done("rule")
        await queue.get()
        assert now() == 10

    scenario(test)


def test_one_that_waits_for_a_key_wakes_when_it_is_added() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        async def add_later() -> None:
            await asyncio.sleep(7)
            queue.add("rule")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(add_later())
            queue.add("far", 100)
            assert await queue.get() == "rule"
            assert now() == 7

    scenario(test)


def test_retries_wait_longer_each_time_until_forgotten() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        assert [queue.retry("rule") for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert queue.retry("other") == 1
        queue.forget("rule")
        assert queue.retry("rule") == 1
        assert queue.retry("rule", at_least=45) == 45

    scenario(test)


def test_depth_counts_what_is_due() -> None:
    async def test(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("b")
        queue.add("c", 60)
        assert (queue.depth, len(queue)) == (2, 3)

    scenario(test)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_ask_is_lost_and_no_key_is_worked_on_twice_at_once(seed: int) -> None:
    """Level-triggered: after the last ask for a key, it is worked on at least once more."""

    async def test(queue: WorkQueue[str]) -> None:
        dice = Random(seed)
        asked: dict[str, float] = {}
        seen: dict[str, float] = {}
        working: set[str] = set()

        async def work() -> None:
            while True:
                key = await queue.get()
                assert key not in working
                working.add(key)
                seen[key] = now()
                await asyncio.sleep(dice.uniform(0, 3))
                working.discard(key)
                queue.done(key)

        workers = [asyncio.create_task(work()) for _ in range(3)]
        for _ in range(200):
            key = dice.choice("abcdef")
            queue.add(key, dice.choice([0, 0, 1, 5]))
            asked[key] = now()
            await asyncio.sleep(dice.uniform(0, 1))
        await asyncio.sleep(60)
        assert all(seen[key] >= asked[key] for key in asked)
        assert len(queue) == 0
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)

    scenario(test)
