"""Asks Kusto how operations in flight stand: one request a database a tick.

The reconcile loop says what each rule waits for; the poller puts the answers into the observations and
the rule back on the queue when they are news. Where it is known how long a rule's operations
take, ticks begin shortly before one should end and are close together then, so that a window of a
second is not followed by seconds of waiting and one of an hour is not asked about all the time.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import Operation, RunningOperation
from worker.errors import Temporary, Throttled, WorkerError
from worker.kube.store import Key
from worker.observations import ObservationStore
from worker.ports import Clock, KustoClient

log = logging.getLogger(__name__)

_LATEST_FORM_SECONDS: Final = 6 * 3600
"""How long Kusto's latest form of ``.show operations`` knows an operation (Kusto docs)."""
_SHARE_OF_AGE: Final = 0.1
_SHARE_WHEN_DUE: Final = 0.05
_EARLY: Final = 0.8
"""The part of its usual time after which an operation is looked at closely."""
_LONGEST_PAUSE: Final = 60.0
_UNKNOWN: Final = 0.1


@dataclass(frozen=True, slots=True)
class PollInterval:
    """The shortest and longest time between two polls of a database, in seconds."""

    shortest: float = 0.05
    longest: float = 5.0


class OperationPoller:
    """Runs as one task under the Lease."""

    def __init__(
        self,
        kusto: KustoClient,
        observations: ObservationStore,
        clock: Clock,
        notify: Callable[[Key], None],
        pace: PollInterval | None = None,
    ) -> None:
        """``notify`` is called with a rule's key when one of its operations has news."""
        self._kusto = kusto
        self._observations = observations
        self._clock = clock
        self._notify = notify
        self._pace = pace or PollInterval()
        self._waits: dict[Key, tuple[RunningOperation, ...]] = {}
        self._polled: set[str] = set()
        self._changed = asyncio.Event()
        self._wakeups: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def track(self, key: Key, flying: tuple[RunningOperation, ...]) -> None:
        """The rule waits for these operations now, and for no others."""
        if flying == self._waits.get(key, ()):
            return
        if flying:
            self._waits[key] = flying
            self._changed.set()
            for each in flying:
                self._wakeups[each.database].set()
        else:
            self._waits.pop(key, None)

    async def run(self) -> None:
        """Poll until cancelled; each database by itself, so that a hung one delays no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for database in self._databases() - self._polled:
                    self._polled.add(database)
                    tasks.create_task(self._follow(database), name=f"poll-{database}")
                await self._changed.wait()

    def _databases(self) -> set[str]:
        return {flying.database for waits in self._waits.values() for flying in waits}

    async def _follow(self, database: str) -> None:
        """Poll one database for as long as a rule waits for it."""
        asked = 0.0
        while self._waiting(database):
            await self._until_due(database, self._clock.monotonic() + asked)
            asked = await self._poll(database, self._waiting(database))
        self._polled.discard(database)

    async def _until_due(self, database: str, earliest: float) -> None:
        """Wait for the next tick; an operation that comes meanwhile may make it sooner."""
        at, news = float("inf"), self._wakeups[database]
        while True:
            news.clear()
            now, waits = self._clock.monotonic(), self._waiting(database).values()
            if not waits:
                return
            at = min(at, max(earliest, now + self._delay(flying for _, flying in waits)))
            try:
                async with asyncio.timeout(max(at - now, 0.0)):
                    await news.wait()
            except TimeoutError:
                return

    def _delay(self, flying: Iterable[RunningOperation]) -> float:
        now = Instant(self._clock.now())
        soonest = min(_wait(each, now) for each in flying)
        return min(max(soonest, self._pace.shortest), self._pace.longest)

    def _waiting(self, database: str) -> dict[str, tuple[Key, RunningOperation]]:
        return {
            flying.operation_id: (key, flying)
            for key, waits in self._waits.items()
            for flying in waits
            if flying.database == database
        }

    async def _poll(self, database: str, waits: dict[str, tuple[Key, RunningOperation]]) -> float:
        """The seconds to wait at least before the next one."""
        if not waits:
            return 0.0
        try:
            answers = await self._ask(database, {i: flying for i, (_, flying) in waits.items()})
        except WorkerError as error:
            log.warning("operations in %s were not polled: %s", database, error)
            return self._asked_by(error)
        for operation_id, (key, _) in waits.items():
            found = answers.get(operation_id) or Operation(operation_id, "NotFound")
            # NotFound is looked at each time: when it counts depends on the time passed.
            if self._observations.add_operation(key, found) or found.state == "NotFound":
                self._notify(key)
        return 0.0

    def _asked_by(self, error: WorkerError) -> float:
        """Seconds: a throttled service is kept to, up to a minute; all else is asked again soon.

        An endpoint that is left alone is no cost, and may be back.
        """
        longest = _LONGEST_PAUSE if isinstance(error, Throttled) else self._pace.longest
        return min(error.delay, longest) if isinstance(error, Temporary) else self._pace.longest

    async def _ask(self, database: str, waits: dict[str, RunningOperation]) -> dict[str, Operation]:
        now = Instant(self._clock.now())
        recent = [i for i, flying in waits.items() if _age(flying, now) < _LATEST_FORM_SECONDS]
        answers = await self._kusto.operations(database, recent) if recent else {}
        missing = [operation_id for operation_id in waits if operation_id not in answers]
        if missing:
            answers = {**answers, **await self._kusto.operations_log(database, missing)}
        return answers


def _wait(flying: RunningOperation, now: Instant) -> float:
    """Seconds until the operation is worth a look; a tenth of its age where nothing is known."""
    age = _age(flying, now)
    if flying.average_duration is None:
        return max(age * _SHARE_OF_AGE, _UNKNOWN)
    due = flying.average_duration.ticks / TICKS_PER_SECOND * _EARLY
    return max(due - age, age * _SHARE_WHEN_DUE)


def _age(flying: RunningOperation, now: Instant) -> float:
    since = flying.submitted_at
    return (now.ticks - since.ticks) / TICKS_PER_SECOND if since is not None else 0.0
