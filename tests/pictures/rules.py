"""The rules in the pictures: some are well, some have a backfill, one has a failed window."""

import time
from typing import Any, Final

from summaryrule.api.constants import API_VERSION, KIND
from summaryrule.api.instant import TICKS_PER_SECOND, Instant

FAILING: Final = "error-rate-by-service"
RUNNING: Final = "requests-by-code"
HOUR: Final = 3600 * TICKS_PER_SECOND
FAULTS: Final = [
    {"fault": "operation-latency", "seconds": 1.5, "match": "RequestsByCode"},
    {
        "fault": "operation-end",
        "state": "BadInput",
        "status": "Query execution exceeded the memory limit of the node (E_LOW_MEMORY_CONDITION)",
        "match": "ErrorRateByService",
        "count": 1,
    },
]
"""Faults of the local endpoint: a backfill that lasts, and a window that fails."""

_QUERY: Final = """HttpRequests
| where Timestamp between (_startTime .. _endTime)
| extend Code = toint(Labels.code), Service = tostring(Labels.service)
"""


def past(hours: int) -> dict[str, Any]:
    """A backfill of this number of hours, up to the window before the last complete one."""
    now = Instant.from_unix_ns(time.time_ns())
    end = Instant(now.ticks - now.ticks % HOUR - HOUR)
    return {"start": str(end.plus(-hours * HOUR)), "end": str(end)}


def make_rules() -> list[dict[str, Any]]:
    """The manifests."""
    counts = "Requests = count(), Errors = countif(Code >= 500)"
    by_service = f"| summarize {counts}\n  by bin(Timestamp, 1h), Service"
    by_code = "| summarize Requests = count() by bin(Timestamp, 1h), Code"
    mean = "| summarize Mean = avg(Value) by bin(Timestamp, 1h), Service"
    return [
        _rule("requests-by-service", "RequestsByService", by_service, backfill=past(40)),
        _rule("mean-load-by-service", "MeanLoadByService", mean, backfill=past(40)),
        _rule(FAILING, "ErrorRateByService", by_service, backfill=past(40)),
        _rule(RUNNING, "RequestsByCode", by_code, backfill={**past(200), "requestId": "add-codes"}),
        _rule(
            "requests-in-europe", "RequestsInEurope", by_code, criteria={"region": ["westeurope"]}
        ),
        _rule("requests-by-region", "RequestsByRegion", "| summarize count() by Regoin"),
        _rule("weekly-report", "WeeklyReport", mean, suspend=True),
    ]


def _rule(name: str, table: str, query: str, **more: object) -> dict[str, Any]:
    spec = {
        "database": "Telemetry",
        "table": table,
        "interval": "1h",
        "ingestionDelay": "5m",
        "body": f"{_QUERY}{query}\n",
        **more,
    }
    metadata = {"name": name, "namespace": "default", "labels": {"team": "web"}}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
