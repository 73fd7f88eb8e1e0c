"""The worker's hand on a rule that the worker itself leaves alone.

Writes a backfill's progress as the worker does, in the same order and under the same field
manager, so that a test finds a rule at the very moment that it is about.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from summaryrule.planner.field_ownership import WORKER_MANAGER, without_range_ownership
from tests.e2e.admin import way_to
from tests.e2e.kubectl import WORKER

_ALL = "/apis/adx-mon.azure.com/v1/namespaces/default/summaryrules"
_MERGE = {"Content-Type": "application/merge-patch+json", "Impersonate-User": WORKER}


class Hand:
    """Writes as the worker's ServiceAccount, by merge patches."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get(f"{_ALL}/{name}").raise_for_status().json()
        return found

    def advance(self, name: str, start: Instant, operation: str | None) -> None:
        """Move the cursor and give the fields up; `operation` is what flies then, if anything.

        Nobody else may write meanwhile: a conflict is raised, not tried again.
        """
        self._write(name, {"spec": {"backfill": {"start": str(start), "operationId": operation}}})
        metadata = self.get(name)["metadata"]
        entries = without_range_ownership(metadata["managedFields"])
        version = metadata["resourceVersion"]
        self._write(name, {"metadata": {"managedFields": entries, "resourceVersion": version}})

    def remove(self, name: str) -> None:
        """Take the backfill away, as when it is done."""
        self._write(name, {"spec": {"backfill": None}})

    def report(self, name: str, status: Mapping[str, Any]) -> None:
        """Write status."""
        self._write(name, {"status": status}, "/status")

    def _write(self, name: str, change: Mapping[str, Any], subresource: str = "") -> None:
        self._client.patch(
            f"{_ALL}/{name}{subresource}",
            json=change,
            params={"fieldManager": WORKER_MANAGER},
            headers=_MERGE,
        ).raise_for_status()


@contextmanager
def hand_on(stack: Stack) -> Iterator[Hand]:
    url, context = way_to(stack.kubeconfig)
    with httpx.Client(base_url=url, verify=context, timeout=30) as client:
        yield Hand(client)
