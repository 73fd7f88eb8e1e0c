"""The wall clock and the monotonic clock of the machine."""

import time
from typing import Final

from summaryrule.api.instant import Instant

# NB: Linux's CLOCK_MONOTONIC stands still while the machine is suspended, so a leader that wakes
# up would trust a Lease that expired long ago. CLOCK_BOOTTIME goes on.
_MONOTONIC_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> Instant:
    """The current time, to 100 ns."""
    return Instant.from_unix_ns(time.time_ns())


class SystemClock:
    """The machine's clocks as an object that a test can replace."""

    def now(self) -> int:
        """Ticks of 100 ns since 0001-01-01T00:00:00Z."""
        return now().ticks

    def monotonic(self) -> float:
        """Seconds since the machine's boot, suspends included."""
        return time.clock_gettime(_MONOTONIC_CLOCK)
