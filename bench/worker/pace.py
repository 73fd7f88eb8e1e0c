"""How fast backfills go, and what they cost the API server.

One window after another, twenty at once, a month of hours, and windows that are waited for.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from bench.worker.manifests import coming, now, past, rule
from bench.worker.rig import Rig

_DOCUMENTED_SECONDS = 60.0
"""adx-mon's loop submits one window of a range a minute (its tasks run every minute; Azure/adx-mon,
main at 905bfa4d, August 2026): a figure of its source, computed with here and not measured."""


@dataclass(frozen=True, slots=True)
class Run:
    """One backfill."""

    windows: int
    wall: float
    operations: float
    writes: Counter[str]
    polls: float
    at_once: int = 1

    @property
    def ratio(self) -> float:
        """Wall clock ÷ the sum of the operations' own times."""
        return self.wall / self.operations

    @property
    def taken(self) -> float:
        """Which share of the places of ``maxInFlight`` had an operation, on average."""
        return self.operations / self.wall / self.at_once

    @property
    def a_minute(self) -> float:
        """Windows a minute."""
        return 60 * self.windows / self.wall

    @property
    def to_documented(self) -> float:
        """How many times as long a loop of one window a minute takes."""
        return self.windows * _DOCUMENTED_SECONDS / self.wall

    def __str__(self) -> str:
        total = sum(self.writes.values())
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.writes.items()))
        return (
            f"{self.windows} windows in {self.wall:.1f} s, operations {self.operations:.1f} s"
            f" ({self.operations / self.windows:.3f} each):"
            f" wall/operations {self.ratio:.3f}, {self.taken:.0%} of places taken,"
            f" {self.a_minute:.0f} windows/min,"
            f" {total / self.windows:.2f} writes a window ({kinds}), {self.polls:.0f} polls,"
            f" {self.to_documented:.0f} times one window a minute"
        )


async def latency(rig: Rig, name: str, at_once: int, seconds: float) -> float:
    """How long operations have to wait so that each takes ``seconds`` in all, so many at once."""
    tried = await backfill(rig, name, 10 * at_once, at_once, 0.9 * seconds)
    return 0.9 * seconds + seconds - tried.operations / tried.windows


async def backfill(rig: Rig, name: str, windows: int, at_once: int, seconds: float) -> Run:
    """Run one of so many windows with operations that wait ``seconds`` before they run."""
    rig.slow_operations(seconds)
    before, began = rig.metrics(), time.monotonic()
    since = now()
    await rig.create(rule(name, backfill=past(windows, at_once)))
    ended = await rig.cleared(name, within=1200)
    wall = time.monotonic() - began
    status = ended["status"]["backfill"]
    if status["progress"] != f"{windows}/{windows}":
        raise AssertionError(f"{name}: {status['progress']}")
    polls = rig.metrics().get("summaryrule_worker_kusto_requests_total poll ok", 0.0)
    polls -= before.get("summaryrule_worker_kusto_requests_total poll ok", 0.0)
    took = rig.operation_seconds(since)
    return Run(windows, wall, sum(took), rig.writes(name), polls, at_once)


async def waiting(rig: Rig, name: str, windows: int) -> Run:
    """The writes of a backfill whose windows are minutes that have still to pass."""
    rig.slow_operations(1.0)
    since, began = now(), time.monotonic()
    await rig.create(rule(name, interval="1m", backfill=coming(windows)))
    await rig.cleared(name, within=60 * (windows + 2))
    await asyncio.sleep(1)
    wall = time.monotonic() - began
    took = rig.operation_seconds(since)
    return Run(windows + 1, wall, sum(took), rig.writes(name), 0)
