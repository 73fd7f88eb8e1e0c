"""The work queue: which rule is reconciled next, and when. As client-go's workqueue.

Level-triggered: a key only says "reconcile this". Any number of reasons that come while it waits,
or while it is reconciled, cause one more reconcile. A key is never in progress twice.
"""

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from runtime.backoff import Backoff
from worker.ports import Clock

_RETRY_DELAYS: Final = (1.0, 300.0)
"""The shortest and the longest delay, in seconds, before a failed reconcile is tried again."""
K = TypeVar("K", bound=Hashable)


def _default_backoff() -> Backoff:
    return Backoff(*_RETRY_DELAYS)


class WorkQueue(Generic[K]):
    """Keys with due times, in seconds of ``clock.monotonic()``. The earliest due comes first."""

    def __init__(self, clock: Clock, backoff: Callable[[], Backoff] = _default_backoff) -> None:
        self._clock = clock
        self._new_backoff = backoff
        self._due: dict[K, float] = {}
        self._reasons: dict[K, str] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._pushes = 0
        self._working: set[K] = set()
        self._again: dict[K, float] = {}
        self._failures: dict[K, Backoff] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Keys that wait, due or not."""
        return len(self._due)

    @property
    def depth(self) -> int:
        """Keys that are due and not yet taken."""
        now = self._clock.monotonic()
        return sum(1 for due in self._due.values() if due <= now)

    def places(self) -> dict[K, int]:
        """The keys that are due and not yet taken, each with the number of keys before it."""
        now = self._clock.monotonic()
        due = [(at, key) for key, at in self._due.items() if at <= now]
        due.sort(key=lambda pair: pair[0])
        return {key: place for place, (_, key) in enumerate(due)}

    def add(self, key: K, delay: float = 0.0, *, reason: str = "changed") -> None:
        """Queue ``key`` in ``delay`` seconds, unless it is queued for an earlier time."""
        due = self._clock.monotonic() + max(delay, 0.0)
        waiting = self._again if key in self._working else self._due
        if key in waiting and waiting[key] <= due:
            return
        waiting[key] = due
        self._reasons[key] = reason
        if waiting is self._due:
            self._push(key, due)

    async def get(self) -> K:
        """Wait for the next key that is due; it is in progress until ``done``."""
        while True:
            self._wake.clear()
            key, wait = self._next()
            if key is not None:
                return key
            # TimeoutError: a key has fallen due.
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def take_reason(self, key: K) -> str:
        """Remove and return the reason for which the key was queued; empty if it has none."""
        return self._reasons.pop(key, "")

    def done(self, key: K) -> None:
        """The reconcile of ``key`` has ended; it waits again if it was added meanwhile."""
        self._working.discard(key)
        due = self._again.pop(key, None)
        if due is not None:
            self._due[key] = due
            self._push(key, due)

    def retry(self, key: K, at_least: float = 0.0) -> float:
        """Queue ``key`` again after its growing delay; return that delay in seconds."""
        backoff = self._failures.setdefault(key, self._new_backoff())
        delay = max(backoff.next(), at_least)
        self.add(key, delay, reason="retry")
        return delay

    def forget(self, key: K) -> None:
        """It succeeded, or it is gone: the delay of the next failure starts small."""
        self._failures.pop(key, None)

    def _push(self, key: K, due: float) -> None:
        self._pushes += 1
        heapq.heappush(self._heap, (due, self._pushes, key))
        self._wake.set()

    def _next(self) -> tuple[K | None, float | None]:
        """A due key, taken; or none and the seconds until one is due (None: no key waits)."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) != due:
                heapq.heappop(self._heap)  # queued for an earlier time since, or taken
                continue
            wait = due - self._clock.monotonic()
            if wait > 0:
                return None, wait
            heapq.heappop(self._heap)
            del self._due[key]
            self._working.add(key)
            return key, None
        return None, None
