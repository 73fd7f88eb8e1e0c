"""Growing delays with jitter, for retries."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Delays in seconds that double from ``first`` to ``most``, each drawn from its upper half.

    The jitter spreads callers that failed at the same moment. The lower bound keeps the load on a
    service that is down low.
    """

    first: float
    most: float
    draw: Callable[[], float] = random.random
    failures: int = 0

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        # 2**30 is past any sensible ratio, and keeps the power from overflowing a float.
        whole = min(self.most, self.first * float(2 ** min(self.failures, 30)))
        self.failures += 1
        return whole * (0.5 + self.draw() / 2)

    def reset(self) -> None:
        """Forget the failures: the next delay is ``first`` again."""
        self.failures = 0
