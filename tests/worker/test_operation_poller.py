"""How often a database is polled when it does not answer, in virtual time."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from runtime.errors import OperatorError, Throttled, Unreachable
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Operation, RunningOperation
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.kube.store import Key
from worker.observations import ObservationStore
from worker.operation_poller import OperationPoller

KEY = ("n", "r")


class Failing:
    """Fails polls of `Down` until its time; keeps the part of `worker.ports.Kusto` polled."""

    def __init__(self, error: OperatorError, until: float, ends: float = 0.0) -> None:
        self.asked: list[float] = []
        self._error, self._until, self._ends = error, until, ends

    def endpoint(self, database: str) -> str | None:
        return f"https://{database}"

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        raise NotImplementedError

    async def cancel(self, database: str, operation: str) -> bool:
        raise NotImplementedError

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        raise NotImplementedError

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        raise NotImplementedError

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        raise NotImplementedError

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        raise NotImplementedError

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return {one: Operation(one, "Completed") for one in ids if database == "Down"}

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        assert database == "Down"
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        await asyncio.sleep(0)
        if now < self._until:
            raise self._error
        state = "Completed" if now >= self._ends else "InProgress"
        return {one: Operation(one, state) for one in ids}


def told_after(error: OperatorError, until: float) -> float:
    """When the rule hears of its operation, which ended long ago."""

    async def scenario() -> float:
        clock, told = VirtualClock(), asyncio.Event()

        def notify(key: Key) -> None:
            assert key == KEY
            told.set()

        poller = OperationPoller(Failing(error, until), ObservationStore(), clock, notify)
        poller.track(KEY, (RunningOperation("Down", "op", Instant(clock.now())),))
        running = asyncio.create_task(poller.run())
        await told.wait()
        running.cancel()
        return asyncio.get_running_loop().time()

    return run_virtually(scenario())


def test_a_database_that_is_back_is_noticed_within_seconds_however_long_its_endpoint_rests() -> (
    None
):
    assert told_after(Unreachable("it is left alone for now", 55.0), until=12.0) <= 12 + 5.1


@pytest.mark.parametrize(("asked", "kept"), [(20.0, 20.0), (3600.0, 60.0)])
def test_a_throttled_poll_waits_as_long_as_it_is_asked_to_up_to_a_minute(
    asked: float, kept: float
) -> None:
    assert told_after(Throttled("fewer calls", asked), until=0.2) == pytest.approx(kept, abs=0.5)


def polls_of(seconds: float, usual: str | None, *, until: float) -> list[float]:
    """When an operation is asked about that ends after so many seconds."""

    async def scenario() -> list[float]:
        clock = VirtualClock()
        kusto = Failing(Throttled("", 0.0), 0.0, ends=seconds)
        poller = OperationPoller(kusto, ObservationStore(), clock, lambda _key: None)
        known = None if usual is None else Duration.parse(usual)
        poller.track(KEY, (RunningOperation("Down", "op", Instant(clock.now()), known),))
        running = asyncio.create_task(poller.run())
        await asyncio.sleep(until)
        running.cancel()
        return kusto.asked

    return run_virtually(scenario())


def test_an_operation_is_asked_about_closely_only_when_it_should_end() -> None:
    asked = polls_of(60.0, "10s", until=12.0)
    assert min(asked) == pytest.approx(5.0)
    close = [at for at in asked if 8.0 <= at <= 12.0]
    assert 6 <= len(close) <= 10
    assert len(asked) == len(close) + 1


def test_an_operation_of_a_second_is_seen_within_a_tenth_of_one() -> None:
    asked = polls_of(1.0, "1s", until=1.2)
    assert len(asked) <= 9
    assert min(at for at in asked if at >= 1.0) <= 1.06


def test_an_operation_of_which_nothing_is_known_is_asked_about_ever_more_rarely() -> None:
    asked = polls_of(600.0, None, until=100.0)
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert asked[0] == pytest.approx(0.1)
    assert all(later >= gap - 0.01 for gap, later in pairwise(gaps))
    assert gaps[-1] == pytest.approx(5.0)


def test_a_short_operation_is_not_kept_waiting_by_a_long_one_of_its_database() -> None:
    async def scenario() -> list[float]:
        clock = VirtualClock()
        kusto = Failing(Throttled("", 0.0), 0.0, ends=1e9)
        poller = OperationPoller(kusto, ObservationStore(), clock, lambda _key: None)
        long, short = Duration.parse("1h"), Duration.parse("1s")
        poller.track(KEY, (RunningOperation("Down", "long", Instant(clock.now()), long),))
        running = asyncio.create_task(poller.run())
        await asyncio.sleep(1)
        poller.track(("n", "s"), (RunningOperation("Down", "short", Instant(clock.now()), short),))
        await asyncio.sleep(2)
        running.cancel()
        return kusto.asked

    assert min(run_virtually(scenario())) == pytest.approx(1.8)
