"""Latency and random faults for the calls of an in-memory adapter."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from runtime.errors import Ambiguous, Conflict, Temporary, Throttled, Unreachable

T = TypeVar("T")


@dataclass(slots=True)
class Faults:
    """The probability of each fault per call, from 0 to 1.

    `max_latency` is in seconds. At `until`, in seconds of loop time, the faults end.
    """

    random: Random = field(default_factory=lambda: Random(0))
    refused_before: float = 0.0
    lost_reply: float = 0.0
    throttled: float = 0.0
    conflict: float = 0.0
    hang: float = 0.0
    max_latency: float = 0.0
    until: float = float("inf")

    async def call(self, call: Callable[[], T], *, writes: bool) -> T:
        """Run `call` with latency and faults, and return its result.

        It awaits before and after `call`. A cancel can therefore come before or after its effect.
        `writes` says whether a lost reply is ambiguous.
        """
        await self._wait(writes=writes)
        self._before(writes=writes)
        result = call()
        await self._wait(writes=writes)
        self._after(writes=writes)
        return result

    async def _wait(self, *, writes: bool) -> None:
        await asyncio.sleep(self.random.uniform(0, self.max_latency) if self.max_latency else 0)
        if self._occurs(self.hang):
            await asyncio.sleep(60)
            raise (Ambiguous if writes else Unreachable)("no answer in time")

    def _before(self, *, writes: bool) -> None:
        if writes and self._occurs(self.conflict):
            raise Conflict("another client changed the object")
        if self._occurs(self.throttled):
            raise Throttled("asks for fewer calls", self.random.uniform(1, 30))
        if self._occurs(self.refused_before):
            raise self.random.choice([Temporary, Unreachable])("503, nothing was done")

    def _after(self, *, writes: bool) -> None:
        if self._occurs(self.lost_reply):
            raise (Ambiguous if writes else Unreachable)(
                "the connection was closed before the reply"
            )

    def _occurs(self, probability: float) -> bool:
        has_ended = asyncio.get_running_loop().time() >= self.until
        return not has_ended and probability > 0 and self.random.random() < probability
