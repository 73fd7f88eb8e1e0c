"""Virtual time: an event loop that never waits, and a clock that reads its time.

`asyncio.sleep`, timeouts and timers use the time of the loop. The worker therefore runs in it
without changes. When nothing is ready, the loop sets its time to that of the next timer.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from summaryrule.api.instant import TICKS_PER_SECOND, Instant

T = TypeVar("T")
EPOCH = Instant.parse("2026-03-02T00:00:00Z")


class DeadlockError(RuntimeError):
    """Every task waits, and no timer is set."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits; calls `jump` with the time to wait instead."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []  # there is no I/O


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 seconds, and moves only by timers."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_JumpingSelector(self._jump))

    @property
    def _clock_resolution(self) -> float:
        """How early the loop runs a timer: the smallest difference of two floats at this time.

        With a larger value, code that waits for part of a nanosecond would never end, because
        only timers move this clock. With a smaller value, a due timer would never run.
        """
        return math.ulp(self._seconds)

    @_clock_resolution.setter
    def _clock_resolution(self, _machines: float) -> None:
        """Ignore the resolution of the machine's clock."""

    def time(self) -> float:
        return self._seconds

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise DeadlockError("no timer is set and no task is ready")
        self._seconds += seconds


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """Implements `worker.ports.Clock` with the loop's time; `skew` is its error in seconds."""

    epoch: Instant = EPOCH
    skew: float = 0.0

    def now(self) -> int:
        return self.epoch.ticks + round((self.monotonic() + self.skew) * TICKS_PER_SECOND)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
