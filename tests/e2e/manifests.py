"""Rules that the tables of admission start from.

Only the webhook takes their owner, so that the worker leaves them as admission stored them.
"""

from typing import Any

from tests.conftest import NO_WORKER
from tests.e2e.fixtures import backfill, hours_ago

OWNER = "adx-mon.azure.com/owner"
REQUESTER = "adx-mon.azure.com/backfill-requested-by"
DEFAULTED_END = "adx-mon.azure.com/backfill-defaulted-end"
ADMIN = "devstack-admin"
BODY = "T | where Timestamp between (_startTime .. _endTime) | count"
START, END = hours_ago(9), hours_ago(3)


def rule(name: str = "it", **spec: Any) -> dict[str, Any]:
    """A rule that is fine, with parts of its spec replaced (`...` takes one out)."""
    fine = {
        "database": "Telemetry",
        "table": "Summary",
        "interval": "1h",
        "ingestionDelay": "0s",
        "suspend": True,
        "body": BODY,
    }
    return {
        "apiVersion": "adx-mon.azure.com/v1",
        "kind": "SummaryRule",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {OWNER: NO_WORKER},
        },
        "spec": {key: value for key, value in {**fine, **spec}.items() if value is not ...},
    }


def asking(name: str = "it", **more: Any) -> dict[str, Any]:
    """A rule with a backfill of six hours."""
    return rule(name, backfill=backfill(START, END, **more))
