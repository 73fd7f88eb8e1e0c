"""Polls Kusto for the state of running operations: one request per database and poll.

The reconciler says which operations each rule waits for. The poller stores the answers as
observations, and requeues the rule when a state has changed. If the average duration of a rule's
operations is known, polls start shortly before one should end and are frequent then. So a window of
a second does not wait for seconds, and a window of an hour is not polled all the time.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from runtime.errors import Misconfigured, OperatorError, Temporary, Throttled, Unreachable
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import Operation, RunningOperation
from worker.kube.store import Key
from worker.observations import ObservationStore
from worker.ports import Clock, KustoClient

log = logging.getLogger(__name__)

_LATEST_FORM_SECONDS: Final = 6 * 3600
"""How long Kusto's latest form of ``.show operations`` knows an operation (Kusto docs)."""
_SHARE_OF_AGE: Final = 0.1
_SHARE_WHEN_DUE: Final = 0.05
_EARLY: Final = 0.8
"""The part of its average duration after which an operation is polled often."""
_LONGEST_PAUSE: Final = 60.0
_UNKNOWN: Final = 0.1


@dataclass(frozen=True, slots=True)
class PollInterval:
    """The shortest and longest time between two polls of a database, in seconds."""

    shortest: float = 0.05
    longest: float = 5.0


class OperationPoller:
    """One task, which runs while this replica leads."""

    def __init__(
        self,
        kusto: KustoClient,
        observations: ObservationStore,
        clock: Clock,
        notify: Callable[[Key], None],
        pace: PollInterval | None = None,
    ) -> None:
        """``notify`` gets the key of a rule when the state of one of its operations has changed."""
        self._kusto = kusto
        self._observations = observations
        self._clock = clock
        self._notify = notify
        self._pace = pace or PollInterval()
        self._waits: dict[Key, tuple[RunningOperation, ...]] = {}
        self._polled: set[str] = set()
        self._changed = asyncio.Event()
        self._wakeups: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def track(self, key: Key, operation: tuple[RunningOperation, ...]) -> None:
        """Set the operations that the rule waits for."""
        if operation == self._waits.get(key, ()):
            return
        if operation:
            self._waits[key] = operation
            self._changed.set()
            for each in operation:
                self._wakeups[each.database].set()
        else:
            self._waits.pop(key, None)

    async def run(self) -> None:
        """Poll until cancelled, each database by itself, so that one that hangs delays no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for database in self._databases() - self._polled:
                    self._polled.add(database)
                    tasks.create_task(self._follow(database), name=f"poll-{database}")
                await self._changed.wait()

    def _databases(self) -> set[str]:
        return {operation.database for waits in self._waits.values() for operation in waits}

    async def _follow(self, database: str) -> None:
        """Poll one database for as long as a rule waits for it."""
        asked = 0.0
        while self._waiting(database):
            await self._until_due(database, self._clock.monotonic() + asked)
            asked = await self._poll(database, self._waiting(database))
        self._polled.discard(database)

    async def _until_due(self, database: str, earliest: float) -> None:
        """Wait for the next poll; an operation that is added meanwhile may make it earlier."""
        at, news = float("inf"), self._wakeups[database]
        while True:
            news.clear()
            now, waits = self._clock.monotonic(), self._waiting(database).values()
            if not waits:
                return
            at = min(at, max(earliest, now + self._delay(operation for _, operation in waits)))
            try:
                async with asyncio.timeout(max(at - now, 0.0)):
                    await news.wait()
            except TimeoutError:
                return

    def _delay(self, operation: Iterable[RunningOperation]) -> float:
        now = Instant(self._clock.now())
        soonest = min(_wait(each, now) for each in operation)
        return min(max(soonest, self._pace.shortest), self._pace.longest)

    def _waiting(self, database: str) -> dict[str, tuple[Key, RunningOperation]]:
        return {
            operation.operation_id: (key, operation)
            for key, waits in self._waits.items()
            for operation in waits
            if operation.database == database
        }

    async def _poll(self, database: str, waits: dict[str, tuple[Key, RunningOperation]]) -> float:
        """Poll once; return the shortest wait before the next poll, in seconds."""
        if not waits:
            return 0.0
        began = asyncio.get_running_loop().time()
        try:
            answers = await self._ask(
                database, {i: operation for i, (_, operation) in waits.items()}
            )
        except OperatorError as error:
            log.info("operations in %s were not polled: %s", database, error)
            self._report_no_reply(waits, error, asyncio.get_running_loop().time() - began)
            return self._asked_by(error)
        for operation_id, (key, _) in waits.items():
            found = answers.get(operation_id) or Operation(operation_id, "NotFound")
            # NotFound requeues each time: whether it counts depends on the time passed.
            is_news = self._observations.add_operation(key, found) or found.state == "NotFound"
            if self._observations.add_reply(key, "poll") or is_news:
                self._notify(key)
        return 0.0

    def _report_no_reply(
        self, waits: dict[str, tuple[Key, RunningOperation]], error: OperatorError, seconds: float
    ) -> None:
        if not isinstance(error, Unreachable | Misconfigured):
            return
        for key in dict.fromkeys(key for key, _ in waits.values()):
            if self._observations.add_no_reply(key, "poll", error, seconds):
                self._notify(key)

    def _asked_by(self, error: OperatorError) -> float:
        """Seconds to wait after an error: what a throttled service asked for, up to a minute.

        After other errors the next poll comes soon: it costs nothing while the circuit is open.
        """
        longest = _LONGEST_PAUSE if isinstance(error, Throttled) else self._pace.longest
        return min(error.delay, longest) if isinstance(error, Temporary) else self._pace.longest

    async def _ask(self, database: str, waits: dict[str, RunningOperation]) -> dict[str, Operation]:
        now = Instant(self._clock.now())
        recent = [
            i for i, operation in waits.items() if _age(operation, now) < _LATEST_FORM_SECONDS
        ]
        answers = await self._kusto.operations(database, recent) if recent else {}
        missing = [operation_id for operation_id in waits if operation_id not in answers]
        if missing:
            answers = {**answers, **await self._kusto.operations_log(database, missing)}
        return answers


def _wait(operation: RunningOperation, now: Instant) -> float:
    """Seconds until the operation should be polled."""
    age = _age(operation, now)
    if operation.average_duration is None:
        return max(age * _SHARE_OF_AGE, _UNKNOWN)
    due = operation.average_duration.ticks / TICKS_PER_SECOND * _EARLY
    return max(due - age, age * _SHARE_WHEN_DUE)


def _age(operation: RunningOperation, now: Instant) -> float:
    since = operation.submitted_at
    return (now.ticks - since.ticks) / TICKS_PER_SECOND if since is not None else 0.0
