"""Virtual time: an event loop that never waits, and a clock that reads it.

`asyncio.sleep`, timeouts and timers all run on the loop's own time, so the whole worker lives in
it unchanged. When nothing is ready the loop jumps to the next timer.
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


class NothingLeftToDoError(RuntimeError):
    """Every task waits for something that no timer and no other task will bring."""


class _Jumping(selectors.SelectSelector):
    """Selects without waiting; hands the wait to `jump` instead."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []  # nothing comes from outside, so the system need not be asked


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Jumping(self._jump))

    @property
    def _clock_resolution(self) -> float:
        """How early the loop runs a timer: by the least that a float can tell apart.

        By more, code that waits for the rest of a nanosecond would wait for ever, as only timers
        move this clock; by less, a timer that is due would never run.
        """
        return math.ulp(self._seconds)

    @_clock_resolution.setter
    def _clock_resolution(self, _machines: float) -> None:
        """The machine's own does not matter here."""

    def time(self) -> float:
        return self._seconds

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise NothingLeftToDoError("no timer is set and no task is ready")
        self._seconds += seconds


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """Keeps `worker.ports.Clock` on the running loop's time; `skew` is its error, in seconds."""

    epoch: Instant = EPOCH
    skew: float = 0.0

    def now(self) -> int:
        return self.epoch.ticks + round((self.monotonic() + self.skew) * TICKS_PER_SECOND)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
