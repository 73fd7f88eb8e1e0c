"""The rules that are measured."""

import time
from typing import Any

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.windows import floor

HOUR = Duration.parse("1h")
MINUTE = Duration.parse("1m")


def now() -> Instant:
    """The clock of this machine."""
    return Instant.from_unix_ns(time.time_ns())


def rule(name: str, **spec: object) -> dict[str, Any]:
    """A rule whose interval runs are suspended unless ``spec`` says otherwise."""
    body = (
        "Raw | where Timestamp between (_startTime .. _endTime)"
        " | summarize Total = sum(Value) by Timestamp = bin(Timestamp, 1h)"
    )
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "database": "Telemetry",
            "table": name.replace("-", "_"),
            "interval": "1h",
            "suspend": True,
            "body": body,
            **spec,
        },
    }


def past(windows: int, at_once: int, interval: Duration = HOUR) -> dict[str, Any]:
    """A backfill of the last so many windows that are due."""
    end = floor(now(), interval)
    start = end.plus(-windows * interval.ticks)
    return {"start": str(start), "end": str(end), "maxInFlight": at_once}


def coming(windows: int) -> dict[str, Any]:
    """A backfill of the last minute and so many that have still to pass."""
    start = floor(now(), MINUTE).plus(-MINUTE.ticks)
    end = start.plus((windows + 1) * MINUTE.ticks)
    return {"start": str(start), "end": str(end)}


def up_to_date(name: str, delay: float) -> dict[str, Any]:
    """An hourly rule whose windows fall due ``delay`` seconds after the hour, and its status.

    All that is due has run, so that a worker that finds it has nothing to do.
    """
    wait = Duration(int(delay) * 1_000_000_000)
    made = rule(name, suspend=False, ingestionDelay=str(wait), table="Many")
    cursor = floor(now().plus(-int(delay) * TICKS_PER_SECOND), HOUR)
    made["status"] = {"schedule": {"cursor": str(cursor), "lastDone": str(cursor)}}
    return made
