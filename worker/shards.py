"""Which rules this process may work on: it holds the Lease of one shard of them, or of several.

``worker.serve`` and the simulation call ``Shards.run``. One shard is one ``Elector`` and no more.
With several, each worker

1.  is on the roster (``worker.roster``) while it takes part. It holds nothing of workers that count
    other shards than it does, which hold the roster's Lease themselves;
2.  takes free shards, and leaves shards to others, until it holds what ``summaryrule.shards.quota``
    gives it. All see the same Leases, so all come to quotas that fit. No shard is ever taken away:
    it is left, by a worker that has finished what it began there;
3.  acts on a rule only while both Leases last, its shard's and the roster's. The renew deadline of
    either cancels the work.

Why so, and what was weighed: docs/decisions/0030.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from summaryrule.shards import quota, weight
from worker.backoff import Backoff
from worker.errors import LeaseLost, WorkerError
from worker.lease import Elector, Leadership, Leases, Timing
from worker.ports import Clock
from worker.roster import Roster

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hold:
    """What the work on a shard is given: whether it may act, and when it should come to an end."""

    shard: int
    leases: tuple[Leadership, ...]
    leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def ensure(self) -> None:
        """Call before each side effect.

        Raises:
            LeaseLost: a renew deadline has passed.
        """
        for each in self.leases:
            each.ensure()


Work = Callable[[Hold], Awaitable[None]]
"""The work on one shard: until it is cancelled, or ``leaving`` is set and it comes to an end."""


def names(lease: str, shards: int) -> list[str]:
    """The names of the shards' Leases; that of an only shard is ``lease`` itself."""
    return [lease] if shards == 1 else [f"{lease}-{shard}" for shard in range(shards)]


class Shards:
    """This worker's part of the shards; ``identity`` as for ``Elector``."""

    def __init__(
        self,
        leases: Leases,
        lease: str,
        shards: int,
        identity: str,
        clock: Clock,
        *,
        timing: Timing | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._leases, self._identity = leases, identity
        self._timing = timing or Timing()
        self._pause = self._new_pause(draw)
        self._holds: dict[int, Hold] = {}
        self._electors = [
            Elector(leases, name, identity, clock, timing=timing, backoff=self._new_pause(draw))
            for name in names(lease, shards)
        ]
        self._roster = Roster(
            leases,
            lease,
            f"{shards} shards",
            identity,
            clock,
            timing=timing,
            backoff=self._new_pause(draw),
        )

    def __len__(self) -> int:
        return len(self._electors)

    @property
    def is_leader(self) -> bool:
        """Whether this worker may act on any rules right now."""
        return any(self.leads(shard) for shard in range(len(self)))

    def leads(self, shard: int) -> bool:
        """Whether this worker may act on the shard's rules right now."""
        is_alone = len(self) == 1
        return self._electors[shard].is_leader and (is_alone or self._roster.is_leader)

    async def run(self, work: Work) -> None:
        """Run ``work`` on each shard that can be had, side by side, until cancelled.

        Raises:
            BaseException: whatever ``work`` raised but ``LeaseLost``; all Leases were given up.
        """
        while True:
            try:
                if len(self) == 1:
                    await self._electors[0].run(lambda leadership: work(Hold(0, (leadership,))))
                else:
                    await self._roster.run(partial(self._share, work))
            except LeaseLost as error:
                log.warning("%s", error)

    async def _share(self, work: Work, roster: Leadership) -> None:
        self._holds.clear()
        async with asyncio.TaskGroup() as tasks:

            def begin(shard: int, leadership: Leadership) -> None:
                self._holds[shard] = Hold(shard, (roster, leadership))
                tasks.create_task(self._keep(work, self._holds[shard]), name=f"shard-{shard}")

            while True:
                await self._balance(begin)
                await asyncio.sleep(self._pause.next())

    async def _keep(self, work: Work, hold: Hold) -> None:
        try:
            await self._electors[hold.shard].lead(hold.leases[-1], lambda _: work(hold))
        except LeaseLost as error:
            log.warning("%s", error)
        finally:
            del self._holds[hold.shard]

    async def _balance(self, begin: Callable[[int, Leadership], None]) -> None:
        """Leave what is too much, take what is too little."""
        try:
            leases = await self._leases.read_all(within=self._timing.request)
        except WorkerError as error:
            log.warning("the Leases of the shards were not read: %s", error)
            return
        free, held = self._look(leases)
        goal = quota(held, len(self), self._identity)
        self._leave(len(self._holds) - goal)
        for shard in free[: max(0, goal - len(self._holds))]:
            leadership = await self._electors[shard].attempt()
            if leadership is not None:
                begin(shard, leadership)

    def _look(self, leases: dict[str, dict[str, Any]]) -> tuple[list[int], dict[str, int]]:
        """The shards to be had, the most wanted first, and how many each live worker holds."""
        held, free = Counter(dict.fromkeys(self._roster.workers, 0)), []
        held[self._identity] = len(self._holds)
        for shard in self._by_preference(range(len(self))):
            lease = leases.get(self._electors[shard].name)
            if shard in self._holds:
                continue
            if lease is None or self._electors[shard].is_free(lease):
                free.append(shard)
            elif (holder := lease["spec"]["holderIdentity"]) in held:
                held[holder] += 1
        return free, held

    def _leave(self, count: int) -> None:
        least_wanted = reversed(self._by_preference(self._holds))
        for shard in islice(least_wanted, max(0, count)):
            if not self._holds[shard].leaving.is_set():
                log.info("leaving shard %d to another worker", shard)
                self._holds[shard].leaving.set()

    def _by_preference(self, shards: Iterable[int]) -> list[int]:
        """Each worker's own order, so that few want the same, and the same ones after a restart."""
        return sorted(shards, key=lambda shard: weight(self._identity, shard), reverse=True)

    def _new_pause(self, draw: Callable[[], float]) -> Backoff:
        return Backoff(self._timing.retry, self._timing.retry, draw)
