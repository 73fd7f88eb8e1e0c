"""Asks the endpoints whether the queries of rules are valid, a few at a time.

The reconciler says what to ask about each rule. The checker stores the answers as observations, and
requeues the rule when an answer is new. It has a limit of its own per endpoint, so no window waits
for it.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from runtime.backoff import Backoff
from runtime.errors import InvalidQuery, OperatorError, Throttled
from runtime.logging import log_context
from summaryrule.planner import query_validity
from summaryrule.planner.types import QueryAnswer, QueryCheck
from worker.kube.store import Key
from worker.kusto.errors import move_positions
from worker.observations import ObservationStore
from worker.ports import Clock, QueryClient
from worker.workqueue import WorkQueue

log = logging.getLogger(__name__)

_RETRY_DELAYS: Final = (2.0, 300.0)
"""The shortest and the longest delay, in seconds, after a check without a clean answer."""
_LONGEST_PAUSE: Final = 60.0


class QueryChecker:
    """One task, which runs while this replica leads."""

    def __init__(
        self,
        kusto: QueryClient,
        observations: ObservationStore,
        clock: Clock,
        notify: Callable[[Key], None],
        *,
        limit: int,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """``notify`` gets a rule with a new answer; ``limit`` is the queries at once per endpoint.

        With the limit 0 nothing is asked. ``draw`` gives the jitter of repeats, from 0 to 1.
        """
        self._kusto, self._observations, self._notify = kusto, observations, notify
        self._limit = limit
        self._checks: dict[Key, QueryCheck] = {}
        self._queues: defaultdict[str | None, WorkQueue[Key]] = defaultdict(
            lambda: WorkQueue(clock, lambda: Backoff(*_RETRY_DELAYS, draw))
        )
        self._asked: set[str | None] = set()
        self._changed = asyncio.Event()

    def track(self, key: Key, check: QueryCheck | None) -> None:
        """Set what to ask about the rule; None: nothing."""
        known = self._checks.pop(key, None)
        if check is None:
            return
        self._checks[key] = check
        if known is not None and known.key == check.key:
            return
        queue = self._queue_of(check)
        queue.forget(key)
        if check.is_repeat:
            queue.retry(key)
        else:
            queue.add(key)
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled, each endpoint by itself, so that one that hangs delays no other."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for endpoint in self._queues.keys() - self._asked:
                    self._asked.add(endpoint)
                    for number in range(self._limit):
                        task = self._work(self._queues[endpoint])
                        tasks.create_task(task, name=f"query-{number}-{endpoint}")
                await self._changed.wait()

    def _queue_of(self, check: QueryCheck) -> WorkQueue[Key]:
        return self._queues[self._kusto.endpoint(check.database)]

    async def _work(self, queue: WorkQueue[Key]) -> None:
        while True:
            key = await queue.get()
            try:
                with log_context(rule="/".join(key)):
                    await self._answer(key, queue)
            except Exception:  # an error in the code for one query must not stop the others
                log.exception("unexpected error, retry in %.1f s", queue.retry(key))
            finally:
                queue.done(key)

    async def _answer(self, key: Key, queue: WorkQueue[Key]) -> None:
        check = self._checks.get(key)
        if check is None or self._queue_of(check) is not queue:
            return
        answer, pause = await self._ask(check)
        current = self._checks.get(key)
        if current is None or current.key != check.key:
            return
        if answer.reason == query_validity.VALID:
            queue.forget(key)
        else:
            delay = queue.retry(key)
            log.debug("asked again in %.0f s: %s", delay, answer.message)
        if self._observations.add_query_answer(key, answer):
            self._notify(key)
        await asyncio.sleep(pause)

    async def _ask(self, check: QueryCheck) -> tuple[QueryAnswer, float]:
        """The answer, and the seconds for which a throttled endpoint wants fewer calls."""
        try:
            columns = await self._kusto.query_columns(check.database, check.query)
            table = await self._kusto.table_columns(check.database, check.table)
        except InvalidQuery as error:
            return query_validity.invalid(check, _with_positions_in_body(str(error), check)), 0.0
        except OperatorError as error:
            pause = min(error.delay, _LONGEST_PAUSE) if isinstance(error, Throttled) else 0.0
            return query_validity.not_checked(check, str(error)), pause
        return query_validity.compare(check, columns, table), 0.0


def _with_positions_in_body(message: str, check: QueryCheck) -> str:
    """The message with each position in the query as the position in ``spec.body``."""
    before = check.body[: len(check.body) - len(check.body.lstrip())]
    lines, indent = before.count("\n"), len(before) - (before.rfind("\n") + 1)

    def move(line: int, position: int) -> str:
        at = line - check.body_line + 1
        if at < 1:
            return f"line {line}, position {position} of the query"
        return f"line {lines + at}, position {position + indent * (at == 1)} of spec.body"

    return move_positions(message, move)
