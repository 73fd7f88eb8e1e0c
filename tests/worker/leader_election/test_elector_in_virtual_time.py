"""Who leads and when, on in-memory Leases and virtual time: hours of it in milliseconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import LeaseLost
from tests.worker.leader_election.disconnect import Disconnect
from tests.worker.simulation.faults import Faults
from tests.worker.simulation.kube import MemoryLeases
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.leader_election import LeaderElector, Leadership, Leases, Timing

LEASE = "summaryrule-operator-worker"
TIMING = Timing()


def elector(leases: Leases, identity: str, clock: VirtualClock | None = None) -> LeaderElector:
    return LeaderElector(leases, LEASE, identity, clock or VirtualClock(), timing=TIMING)


async def forever(_leadership: Leadership) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def running(coroutine: Awaitable[None]) -> AsyncIterator["asyncio.Future[None]"]:
    task = asyncio.ensure_future(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


def virtually(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    run_virtually(main())


def test_one_of_two_candidates_leads() -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        first, second = elector(leases, "first"), elector(leases, "second")
        async with running(first.run(forever)), running(second.run(forever)):
            for _ in range(300):
                await asyncio.sleep(1)
                assert [first.is_leader, second.is_leader].count(True) == 1

    virtually(scenario)


def test_a_leader_that_ends_cleanly_hands_over_within_a_retry() -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        second = elector(leases, "second")
        async with running(elector(leases, "first").run(forever)) as leading:
            await asyncio.sleep(5)
            async with running(second.run(forever)):
                await asyncio.sleep(5)
                assert not second.is_leader
                assert second.lease["holderIdentity"] == "first"
                leading.cancel()
                await asyncio.sleep(TIMING.retry + 0.1)
                assert second.is_leader
                assert second.lease["holderIdentity"] == "second"

    virtually(scenario)


def test_a_candidate_logs_once_why_it_does_not_lead(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        line = Disconnect(leases)
        async with running(elector(leases, "first").run(forever)):
            await asyncio.sleep(1)
            async with running(elector(line, "second").run(forever)):
                await asyncio.sleep(60)
                line.is_cut = True
                await asyncio.sleep(60)

    with caplog.at_level("INFO", "worker.leader_election"):
        virtually(scenario)
    assert [text for text in caplog.messages if text.startswith("not leading")] == [
        f"not leading: first holds the Lease {LEASE}",
        f"not leading: the Lease {LEASE} was not taken: no answer in time",
    ]


def test_work_that_returns_ends_the_run_and_gives_the_lease_up() -> None:
    async def scenario() -> None:
        async def brief(_leadership: Leadership) -> None:
            await asyncio.sleep(7)

        leases = MemoryLeases()
        await elector(leases, "first").run(brief)
        lease = await leases.read(LEASE, within=1)
        assert lease is not None
        assert lease["spec"]["holderIdentity"] == ""

    virtually(scenario)


def test_the_lease_is_given_up_only_after_the_work_has_ended() -> None:
    async def scenario() -> None:
        leases, holders = MemoryLeases(), []

        async def slow_to_stop(_leadership: Leadership) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(30)
                lease = await leases.read(LEASE, within=1)
                holders.append(lease and lease["spec"]["holderIdentity"])

        async with running(elector(leases, "first").run(slow_to_stop)):
            await asyncio.sleep(5)
        assert holders == ["first"]

    virtually(scenario)


def test_a_leader_that_is_cancelled_twice_still_waits_for_its_work_to_end() -> None:
    async def scenario() -> None:
        leases, ended = MemoryLeases(), []

        async def slow_to_stop(_leadership: Leadership) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(30)
                ended.append(asyncio.get_running_loop().time())

        leading = asyncio.ensure_future(elector(leases, "first").run(slow_to_stop))
        await asyncio.sleep(5)
        leading.cancel()
        await asyncio.sleep(1)
        leading.cancel()
        await asyncio.wait({leading})
        assert leading.cancelled()
        assert ended == [35]

    virtually(scenario)


@pytest.mark.parametrize("hangs_past_deadline", [False, True], ids=["times out", "hangs for ever"])
def test_a_leader_whose_renewals_hang_stops_before_another_starts(
    hangs_past_deadline: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        line = Disconnect(leases)
        line.hangs_past_deadline = hangs_past_deadline
        ended, began = [], []
        loop = asyncio.get_running_loop()

        async def first_work(_leadership: Leadership) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(loop.time())

        async def second_work(_leadership: Leadership) -> None:
            began.append(loop.time())
            await asyncio.Event().wait()

        async with (
            running(elector(line, "first").run(first_work)) as first,
            running(elector(leases, "second").run(second_work)),
        ):
            await asyncio.sleep(20.5)
            line.is_cut = True
            await asyncio.sleep(60)
            assert isinstance(first.exception(), LeaseLost)
        assert 20.5 < ended[0] <= 20.5 + TIMING.renew_deadline
        assert ended[0] < began[0] <= 20.5 + TIMING.duration + 2 * TIMING.retry

    virtually(scenario)


def test_a_short_cut_costs_no_leadership() -> None:
    async def scenario() -> None:
        line = Disconnect(MemoryLeases())
        first = elector(line, "first")
        async with running(first.run(forever)):
            await asyncio.sleep(5)
            line.is_cut = True
            await asyncio.sleep(5)
            line.is_cut = False
            await asyncio.sleep(60)
            assert first.is_leader

    virtually(scenario)


def test_a_renewal_whose_reply_was_lost_costs_no_leadership() -> None:
    async def scenario() -> None:
        faults = Faults(lost_reply=0.15, random=Random(7))
        leader = elector(MemoryLeases(faults), "first")
        async with running(leader.run(forever)):
            await asyncio.sleep(30)
            assert leader.is_leader
            await asyncio.sleep(300)
            assert leader.is_leader

    virtually(scenario)


def test_ensure_refuses_once_the_deadline_has_passed_without_the_loop_having_run() -> None:
    async def scenario() -> None:
        clock = VirtualClock()
        leadership = Leadership(clock, clock.monotonic() + 10)
        leadership.check()
        # A stopped process: time passes, and no task has had a turn to cancel the work.
        await asyncio.sleep(10)
        with pytest.raises(LeaseLost):
            leadership.check()

    virtually(scenario)


def test_work_that_sees_the_loss_in_a_task_group_ends_as_lease_lost() -> None:
    async def scenario() -> None:
        async def grouped(leadership: Leadership) -> None:
            async with asyncio.TaskGroup() as tasks:
                leadership.revoke()
                tasks.create_task(asyncio.sleep(0))
                leadership.check()

        with pytest.raises(LeaseLost):
            await elector(MemoryLeases(), "first").run(grouped)

    virtually(scenario)


def test_what_the_work_raises_comes_out_and_the_lease_is_free() -> None:
    async def scenario() -> None:
        async def broken(_leadership: Leadership) -> None:
            raise ZeroDivisionError

        leases = MemoryLeases()
        with pytest.raises(ZeroDivisionError):
            await elector(leases, "first").run(broken)
        lease = await leases.read(LEASE, within=1)
        assert lease is not None
        assert lease["spec"]["holderIdentity"] == ""

    virtually(scenario)


def test_a_leader_whose_lease_was_taken_by_hand_stops_at_the_next_renewal() -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        first = elector(leases, "first")
        async with running(first.run(forever)) as leading:
            await asyncio.sleep(5)
            lease = await leases.read(LEASE, within=1)
            assert lease is not None
            await leases.replace(lease, lease["spec"] | {"holderIdentity": "x"}, within=1)
            await asyncio.sleep(TIMING.retry + 0.1)
            assert isinstance(leading.exception(), LeaseLost)

    virtually(scenario)


def test_a_wrong_wall_clock_changes_nothing() -> None:
    async def scenario() -> None:
        leases = MemoryLeases()
        first = elector(leases, "first", VirtualClock(skew=-86400))
        second = elector(leases, "second", VirtualClock(skew=86400))
        async with running(first.run(forever)):
            await asyncio.sleep(3)
            async with running(second.run(forever)):
                await asyncio.sleep(120)
                assert (first.is_leader, second.is_leader) == (True, False)

    virtually(scenario)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_two_leaders_never_act_at_once_whatever_the_faults(seed: int) -> None:
    async def scenario() -> None:
        random = Random(seed)
        faults = Faults(
            random=random,
            refused_before=0.2,
            lost_reply=0.2,
            hang=0.05,
            max_latency=random.uniform(0, 6),
        )
        leases, acting = MemoryLeases(faults), set[str]()

        def work(name: str) -> Callable[[Leadership], Awaitable[None]]:
            async def act(leadership: Leadership) -> None:
                while True:
                    leadership.check()
                    assert not acting - {name}
                    acting.add(name)
                    try:
                        await asyncio.sleep(random.uniform(0, 1))
                    finally:
                        acting.discard(name)

            return act

        async def candidate(name: str) -> None:
            while True:
                try:
                    await elector(leases, f"{name}-{random.random()}").run(work(name))
                except LeaseLost:
                    await asyncio.sleep(random.uniform(0, 3))

        async with running(candidate("a")) as a, running(candidate("b")) as b:
            await asyncio.sleep(600)
            assert not a.done()
            assert not b.done()

    virtually(scenario)


@pytest.mark.parametrize("wrong", [(15, 15, 2), (15, 10, 10), (15, 10, 0)])
def test_a_timing_that_could_split_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="retry < renew deadline < duration"):
        Timing(*wrong)
