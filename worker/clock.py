"""The real clock, wired in ``worker.__main__``; a simulation passes its own."""

import time

from summaryrule.api.instant import Instant

# NB: Linux's CLOCK_MONOTONIC stands still while the machine is suspended, so a leader that wakes
# up would believe in a Lease that others took long ago. CLOCK_BOOTTIME goes on.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """Keeps ``worker.ports.Clock`` with the machine's clocks."""

    def now(self) -> int:
        """Ticks of 100 ns since 0001-01-01T00:00:00Z."""
        return Instant.from_unix_ns(time.time_ns()).ticks

    def monotonic(self) -> float:
        """Seconds since the machine's boot, suspends included."""
        return time.clock_gettime(_STEADY)
