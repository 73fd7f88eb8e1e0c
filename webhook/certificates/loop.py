"""Runs passes of a certificate source: when due, when a watch notifies, and after a failure.

A watch event only starts a pass. The pass decides from a fresh read.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from runtime.backoff import Backoff
from runtime.errors import Conflict, OperatorError
from runtime.kube.client import KubeClient
from webhook.certificates.ca_bundle import GATE
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

MAX_INTERVAL: Final = timedelta(seconds=60)
"""A pass runs at least this often, in case a watch missed an event."""
_RETRY_DELAYS: Final = (1.0, 30.0)
"""The shortest and the longest delay, in seconds, after a pass that failed."""
_MIN_DELAY: Final = 0.05
_WATCH_SECONDS: Final = 300
"""After this time the API server ends a watch, and the next one starts."""

log = logging.getLogger(__name__)


class CertificateSource(Protocol):
    """One mode of making or loading certificates."""

    @property
    def watched(self) -> tuple[tuple[str, str], ...]:
        """What a pass reads: the path of a collection and a name, each."""

    async def run_once(self, now: datetime) -> datetime:
        """Run one pass; return when the next is due."""


async def run(
    source: CertificateSource, client: KubeClient | None, gates: ReadinessGates, metrics: Metrics
) -> None:
    """Run passes until cancelled."""
    notified = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        if client is not None:
            for path, name in source.watched:
                group.create_task(_watch(client, path, name, notified.set))
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
        except OperatorError as error:
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
    error: OperatorError, backoff: Backoff, gates: ReadinessGates, metrics: Metrics
) -> float:
    """Report a failed pass; return the seconds to wait before the next.

    A replica that is ready stays ready: its certificate is good while the API server is away.
    """
    metrics.certificate_failures.inc()
    if GATE in gates.failures:
        gates.set(GATE, str(error))
    if isinstance(error, Conflict):
        return random.uniform(0, 2 * _MIN_DELAY)  # noqa: S311 - jitter, not a secret
    log.warning("certificate pass failed", extra={"fields": {"error": str(error)}})
    return backoff.next()


async def _watch(client: KubeClient, path: str, name: str, notify: Callable[[], None]) -> None:
    selector = f"metadata.name={name}"
    query = {"watch": "1", "timeoutSeconds": str(_WATCH_SECONDS), "fieldSelector": selector}
    backoff = Backoff(*_RETRY_DELAYS)
    while True:
        try:
            async with client.stream(path, query, silence=_WATCH_SECONDS + 30.0) as changes:
                async for _ in changes:
                    backoff.reset()
                    notify()
        except OperatorError as error:
            log.debug("watch ended", extra={"fields": {"error": str(error)}})
        else:
            backoff.reset()
        notify()  # events may have been missed
        await asyncio.sleep(backoff.next())
