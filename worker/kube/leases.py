"""Reads and writes Leases on the API server."""

from typing import Any

from runtime.errors import NotFound
from runtime.kube.client import LEASES, KubeClient


class LeaseClient:
    """Leases of one namespace. Writes carry a resourceVersion, so a lost race is a ``Conflict``."""

    def __init__(self, api: KubeClient, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        """The Lease, or None; ``within`` is the most seconds to wait."""
        try:
            return await self._api.request("GET", self._path(name), timeout=within)
        except NotFound:
            return None

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        """A new Lease; ``Conflict`` when there is one already."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": self._namespace},
            "spec": spec,
        }
        path = LEASES.collection(self._namespace)
        return await self._api.request("POST", path, body=body, timeout=within)

    async def replace(
        self, lease: dict[str, Any], spec: dict[str, Any], *, within: float
    ) -> dict[str, Any]:
        """Write ``spec`` if the Lease is still as read; ``Conflict`` otherwise."""
        path = self._path(lease["metadata"]["name"])
        return await self._api.request("PUT", path, body={**lease, "spec": spec}, timeout=within)

    def _path(self, name: str) -> str:
        return LEASES.item(self._namespace, name)
