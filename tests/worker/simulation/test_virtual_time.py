"""Virtual time: nothing waits, timers keep their order, and a deadlock is an error."""

import asyncio
import time

import pytest

from tests.worker.simulation.virtual import DeadlockError, VirtualClock, run_virtually


def test_a_year_passes_at_once() -> None:
    began = time.monotonic()

    async def year() -> tuple[float, int]:
        clock = VirtualClock()
        before = clock.now()
        await asyncio.sleep(365 * 86400)
        return clock.monotonic(), clock.now() - before

    assert run_virtually(year()) == (365 * 86400, 365 * 86400 * 10_000_000)
    assert time.monotonic() - began < 1


def test_timers_fire_in_order_and_timeouts_work() -> None:
    order: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def main() -> None:
        await asyncio.gather(after(3, "c"), after(1, "a"), after(2, "b"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)

    run_virtually(main())
    assert order == ["a", "b", "c"]


def test_a_deadlock_is_an_error() -> None:
    async def deadlock() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError):
        run_virtually(deadlock())
