"""Runs passes of a certificate source: when due, when a watch notifies, and after a failure.

A watch event only starts a pass. The pass decides from a fresh read.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from runtime.backoff import Backoff
from webhook.certificates.ca_bundle import GATE
from webhook.errors import ConflictError, WebhookError
from webhook.kube_client import Client
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

MAX_INTERVAL: Final = timedelta(seconds=60)
"""A pass runs at least this often, in case a watch missed an event."""
_RETRY_DELAYS: Final = (1.0, 30.0)
"""The shortest and the longest delay, in seconds, after a pass that failed."""
_MIN_DELAY: Final = 0.05

log = logging.getLogger(__name__)


class CertificateSource(Protocol):
    """One mode of making or loading certificates."""

    @property
    def watch_paths(self) -> tuple[str, ...]:
        """The paths of watches on what a pass reads."""

    async def run_once(self, now: datetime) -> datetime:
        """Run one pass; return when the next is due."""


async def run(
    source: CertificateSource, client: Client | None, gates: ReadinessGates, metrics: Metrics
) -> None:
    """Run passes until cancelled."""
    notified = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        if client is not None:
            for path in source.watch_paths:
                group.create_task(_watch(client, path, notified.set))
        await _run_passes(source, notified, gates, metrics)


async def _run_passes(
    source: CertificateSource, notified: asyncio.Event, gates: ReadinessGates, metrics: Metrics
) -> None:
    backoff = Backoff(*_RETRY_DELAYS)
    while True:
        notified.clear()
        now, before = datetime.now(UTC), gates.failures.get(GATE)
        try:
            due = await source.run_once(now)
        except WebhookError as error:
            delay = _delay_after(error, backoff, gates, metrics)
        else:
            backoff.reset()
            reason = gates.failures.get(GATE)
            if reason is not None and reason != before:
                log.warning("not ready", extra={"fields": {"error": reason}})
            delay = max(
                _MIN_DELAY, (min(due, now + MAX_INTERVAL) - datetime.now(UTC)).total_seconds()
            )
        with suppress(TimeoutError):
            await asyncio.wait_for(notified.wait(), delay)


def _delay_after(
    error: WebhookError, backoff: Backoff, gates: ReadinessGates, metrics: Metrics
) -> float:
    """Report a failed pass; return the seconds to wait before the next.

    A replica that is ready stays ready: its certificate is good while the API server is away.
    """
    metrics.certificate_failures.inc()
    if GATE in gates.failures:
        gates.set(GATE, str(error))
    if isinstance(error, ConflictError):
        return random.uniform(0, 2 * _MIN_DELAY)  # noqa: S311 - jitter, not a secret
    log.warning("certificate pass failed", extra={"fields": {"error": str(error)}})
    return backoff.next()


async def _watch(client: Client, path: str, notify: Callable[[], None]) -> None:
    backoff = Backoff(*_RETRY_DELAYS)
    while True:
        try:
            async with aclosing(client.changes(path)) as changes:
                async for _ in changes:
                    backoff.reset()
                    notify()
        except WebhookError as error:
            log.debug("watch ended", extra={"fields": {"error": str(error)}})
        else:
            backoff.reset()
        notify()  # events may have been missed
        await asyncio.sleep(backoff.next())
