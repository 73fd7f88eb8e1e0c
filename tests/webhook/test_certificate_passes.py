"""What the log says when the certificate that is served becomes unusable."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from webhook.certificates import loop
from webhook.certificates.ca_bundle import GATE
from webhook.metrics import Metrics
from webhook.probes import ReadinessGates

EXPIRED = "the served certificate is not trusted: certificate has expired"


@dataclass
class Verified:
    """A source whose passes end with these results: why the certificate is unusable, or None."""

    gates: ReadinessGates
    results: Iterator[str | None]
    watched: tuple[tuple[str, str], ...] = ()

    async def run_once(self, now: datetime) -> datetime:
        reason = next(self.results, "")
        if reason == "":
            raise asyncio.CancelledError
        if reason is None:
            self.gates.set(GATE, "")
        else:
            self.gates.set(GATE, reason)
        return now + timedelta(milliseconds=1)


async def test_an_unusable_certificate_is_logged_once_each_time_it_becomes_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gates = ReadinessGates()
    source = Verified(gates, iter([None, EXPIRED, EXPIRED, None, EXPIRED]))
    with caplog.at_level(logging.INFO), contextlib.suppress(asyncio.CancelledError):
        await loop.run(source, None, gates, Metrics())
    assert [record.getMessage() for record in caplog.records] == ["not ready", "not ready"]
    assert [record.__dict__["fields"] for record in caplog.records] == [{"error": EXPIRED}] * 2
