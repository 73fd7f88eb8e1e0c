"""What happens to each call of an in-memory adapter: latency, and one of three faults."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from worker.errors import Ambiguous, Conflict, Temporary, Throttled, Unreachable

T = TypeVar("T")


@dataclass(slots=True)
class Faults:
    """Chances in [0, 1] a call; all 0 is a faultless world. `until` ends the faults, in seconds
    of loop time, so that a simulation can ask whether things converge afterwards.
    """

    dice: Random = field(default_factory=lambda: Random(0))
    refused_before: float = 0.0
    lost_reply: float = 0.0
    throttled: float = 0.0
    conflict: float = 0.0
    hang: float = 0.0
    slowest: float = 0.0
    until: float = float("inf")

    async def meet(self, call: Callable[[], T], *, writes: bool) -> T:
        """Carry out `call`, or not, and answer, or not. Both ends are awaits, so a cancel can
        fall before the call's effect or after it.
        """
        await self._wait(writes=writes)
        self._before(writes=writes)
        result = call()
        await self._wait(writes=writes)
        self._after(writes=writes)
        return result

    async def _wait(self, *, writes: bool) -> None:
        await asyncio.sleep(self.dice.uniform(0, self.slowest) if self.slowest else 0)
        if self._strikes(self.hang):
            await asyncio.sleep(60)
            raise (Ambiguous if writes else Unreachable)("no answer in time")

    def _before(self, *, writes: bool) -> None:
        if writes and self._strikes(self.conflict):
            raise Conflict("somebody else was faster")
        if self._strikes(self.throttled):
            raise Throttled("asks for fewer calls", self.dice.uniform(1, 30))
        if self._strikes(self.refused_before):
            raise self.dice.choice([Temporary, Unreachable])("503, nothing was carried out")

    def _after(self, *, writes: bool) -> None:
        if self._strikes(self.lost_reply):
            raise (Ambiguous if writes else Unreachable)("the connection broke before the reply")

    def _strikes(self, chance: float) -> bool:
        calm = asyncio.get_running_loop().time() >= self.until
        return not calm and chance > 0 and self.dice.random() < chance
