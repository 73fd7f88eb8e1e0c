"""How often a database is polled when it does not answer, in virtual time."""

import asyncio
from collections.abc import Iterable

import pytest

from summaryrule.instant import Instant
from summaryrule.observed import Operation
from summaryrule.plan import Flying
from tests.worker.simulation.virtual import VirtualClock, run_virtually
from worker.errors import Throttled, Unreachable, WorkerError
from worker.kube.store import Key
from worker.ledger import Ledger
from worker.poller import Poller

KEY = ("n", "r")


class Failing:
    """Fails polls of `Down` until its time; keeps the part of `worker.ports.Kusto` polled."""

    def __init__(self, error: WorkerError, until: float) -> None:
        self.asked: list[float] = []
        self._error, self._until = error, until

    def endpoint(self, database: str) -> str | None:
        return f"https://{database}"

    async def submit(self, database: str, command: str) -> str:
        raise NotImplementedError

    async def cancel(self, database: str, operation: str) -> bool:
        raise NotImplementedError

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
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
        return {one: Operation(one, "Completed") for one in ids}


def told_after(error: WorkerError, until: float) -> float:
    """When the rule hears of its operation, which ended long ago."""

    async def story() -> float:
        clock, told = VirtualClock(), asyncio.Event()

        def notify(key: Key) -> None:
            assert key == KEY
            told.set()

        poller = Poller(Failing(error, until), Ledger(), clock, notify)
        poller.track(KEY, (Flying("Down", "op", Instant(clock.now())),))
        running = asyncio.create_task(poller.run())
        await told.wait()
        running.cancel()
        return asyncio.get_running_loop().time()

    return run_virtually(story())


def test_a_database_that_is_back_is_noticed_within_seconds_however_long_its_endpoint_rests() -> (
    None
):
    assert told_after(Unreachable("it is left alone for now", 55.0), until=12.0) <= 12 + 5.1


@pytest.mark.parametrize(("asked", "kept"), [(20.0, 20.0), (3600.0, 60.0)])
def test_a_throttled_poll_waits_as_long_as_it_is_asked_to_up_to_a_minute(
    asked: float, kept: float
) -> None:
    assert told_after(Throttled("fewer calls", asked), until=0.2) == pytest.approx(kept, abs=0.5)
