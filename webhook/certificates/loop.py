"""Runs passes of a keeper for as long as the server lives: when due, when poked, after a failure.

A watch on each object that a pass reads only says "look again"; what to do is always decided from
a fresh read.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from webhook.certificates.trust import GATE
from webhook.cluster.client import Client
from webhook.errors import ConflictError, WebhookError
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

LONGEST: Final = timedelta(seconds=60)
"""A pass is run at least this often, should a watch have missed something."""
_SHORTEST: Final = 0.05
_BACKOFF: Final = (0.5, 30.0)

log = logging.getLogger(__name__)


class Kept(Protocol):
    """What the loop runs: `keeper.Keeper` or `mounted.Mounted`."""

    @property
    def watch_paths(self) -> tuple[str, ...]:
        """What to watch."""

    async def run_once(self, now: datetime) -> datetime:
        """One pass; returns when the next is due."""


async def keep(
    kept: Kept, client: Client | None, readiness: ReadinessGates, metrics: Metrics
) -> None:
    """Run passes until cancelled."""
    poked = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        if client is not None:
            for path in kept.watch_paths:
                group.create_task(_watch(client, path, poked.set))
        await _passes(kept, poked, readiness, metrics)


async def _passes(
    kept: Kept, poked: asyncio.Event, readiness: ReadinessGates, metrics: Metrics
) -> None:
    failures = 0
    while True:
        poked.clear()
        now = datetime.now(UTC)
        try:
            due = await kept.run_once(now)
        except WebhookError as error:
            failures += 1
            delay = _after_failure(error, failures, readiness, metrics)
        else:
            failures = 0
            delay = max(_SHORTEST, (min(due, now + LONGEST) - datetime.now(UTC)).total_seconds())
        with suppress(TimeoutError):
            await asyncio.wait_for(poked.wait(), delay)


def _after_failure(
    error: WebhookError, failures: int, readiness: ReadinessGates, metrics: Metrics
) -> float:
    """Seconds to wait.

    A replica that is ready stays so: what it serves is good while the API server is away.
    """
    metrics.certificate_failures.inc()
    if GATE in readiness.failures:
        readiness.fail(GATE, str(error))
    if isinstance(error, ConflictError):
        return random.uniform(0, 2 * _SHORTEST)  # noqa: S311 - a spread, not a secret
    log.warning("certificate pass failed", extra={"fields": {"error": str(error)}})
    least, most = _BACKOFF
    delay: float = min(most, least * 2 ** min(failures, 10))
    return random.uniform(0.5, 1) * delay  # noqa: S311 - a spread, not a secret


async def _watch(client: Client, path: str, poke: Callable[[], None]) -> None:
    least, most = _BACKOFF
    delay = least
    while True:
        try:
            async with aclosing(client.changes(path)) as changes:
                async for _ in changes:
                    delay = least
                    poke()
        except WebhookError as error:
            log.debug("watch ended", extra={"fields": {"error": str(error)}})
            delay = min(most, delay * 2)
        poke()  # what happened since is not known
        await asyncio.sleep(random.uniform(0.5, 1) * delay)  # noqa: S311 - a spread
