"""Rules and Leases as the API server gives them, for what the plugin prints."""

import json
from typing import Any

from plugin.console import Console
from runtime import clock
from summaryrule.api.instant import TICKS_PER_SECOND, Instant

NOW = Instant.parse("2026-11-24T10:30:00Z")


def rule(name: str = "cpu", **status: Any) -> dict[str, Any]:
    """A rule of an hour's interval, and its status."""
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {"name": name, "namespace": "default", "generation": 3},
        "spec": {
            "database": "Telemetry",
            "table": "CPUHourly",
            "interval": "1h",
            "ingestionDelay": "5m",
            "body": "CPU | where Timestamp between (_startTime .. _endTime) | count",
        },
        "status": {"observedGeneration": 3, **status},
    }


def running(**more: Any) -> dict[str, Any]:
    """A backfill that is 43 percent done."""
    return {
        "requestedStart": "2026-11-01T00:00:00Z",
        "requestedEnd": "2026-11-24T00:00:00Z",
        "phase": "Running",
        "doneUntil": "2026-11-10T21:00:00Z",
        "windowsTotal": 552,
        "windowsDone": 237,
        "percent": 42,
        "progress": "237/552",
        "estimatedCompletion": "2026-11-24T10:42:30Z",
        "requestedBy": "ada",
        **more,
    }


def condition(kind: str, reason: str, message: str) -> dict[str, str]:
    """A condition that is False."""
    return {"type": kind, "status": "False", "reason": reason, "message": message}


class QuickConsole(Console):
    """A console that does not wait."""

    def pause(self, seconds: float) -> None:
        """Return at once."""


def items(*objects: Any) -> tuple[bool, str]:
    """What kubectl answers to a list."""
    return True, json.dumps({"items": objects})


def lease(seconds_ago: int, holder: str = "worker-0") -> tuple[bool, str]:
    """The list of Leases with the worker's, renewed so long ago."""
    renewed = str(clock.now().plus(-seconds_ago * TICKS_PER_SECOND))
    spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}
    return items({"spec": spec})
