"""Writes a backfill's progress in place of the worker, on a rule that the worker ignores.

The writes, their order and the field manager are those of the worker, so a test can set a rule to
an exact moment of a backfill.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from devstack.stack import Stack
from summaryrule.api.constants import FIELD_MANAGER
from summaryrule.api.instant import Instant
from summaryrule.planner.field_ownership import without_range_ownership
from tests.e2e.admin import admin_connection
from tests.e2e.kubectl import WORKER

_RULES = "/apis/adx-mon.azure.com/v1/namespaces/default/summaryrules"
_MERGE = {"Content-Type": "application/merge-patch+json", "Impersonate-User": WORKER}


class ManualWorker:
    """Writes as the worker's ServiceAccount, by merge patches."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"{_RULES}/{name}").raise_for_status().json()
        return found

    def advance(self, name: str, start: Instant, operation: str | None) -> None:
        """Set the cursor and the running operation, if any, and release the field ownership.

        A conflict with another writer is raised and not retried.
        """
        self._write(name, {"spec": {"backfill": {"start": str(start), "operationId": operation}}})
        metadata = self.get(name)["metadata"]
        entries = without_range_ownership(metadata["managedFields"])
        version = metadata["resourceVersion"]
        self._write(name, {"metadata": {"managedFields": entries, "resourceVersion": version}})

    def remove(self, name: str) -> None:
        """Remove spec.backfill, as the worker does when the backfill is complete."""
        self._write(name, {"spec": {"backfill": None}})

    def report(self, name: str, status: Mapping[str, Any]) -> None:
        """Write the status."""
        self._write(name, {"status": status}, "/status")

    def _write(self, name: str, change: Mapping[str, Any], subresource: str = "") -> None:
        self._client.patch(
            f"{_RULES}/{name}{subresource}",
            json=change,
            params={"fieldManager": FIELD_MANAGER},
            headers=_MERGE,
        ).raise_for_status()


@contextmanager
def manual_worker(stack: Stack) -> Iterator[ManualWorker]:
    url, context = admin_connection(stack.kubeconfig)
    with httpx.Client(base_url=url, verify=context, timeout=30) as client:
        yield ManualWorker(client)
