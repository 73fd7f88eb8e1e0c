"""Leases on a real API server (``worker.lease.Leases``)."""

from typing import Any, Final

from worker.errors import NotFound
from worker.kube.api import Api
from worker.kube.resource import LEASES

_LABELS: Final = {
    "app.kubernetes.io/name": "summaryrule-operator",
    "app.kubernetes.io/component": "worker",
}


class KubeLeases:
    """Leases of one namespace. Writes carry a resourceVersion, so a lost race is a ``Conflict``."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def read(self, name: str, *, within: float) -> dict[str, Any] | None:
        """The Lease, or None; ``within`` is the most seconds to wait."""
        try:
            return await self._api.request("GET", self._path(name), timeout=within)
        except NotFound:
            return None

    async def read_all(self, *, within: float) -> dict[str, dict[str, Any]]:
        """By name, every Lease that a worker has created in the namespace."""
        listed = await self._api.request(
            "GET",
            LEASES.collection(self._namespace),
            query={"labelSelector": ",".join(f"{key}={value}" for key, value in _LABELS.items())},
            timeout=within,
        )
        return {lease["metadata"]["name"]: lease for lease in listed["items"]}

    async def create(self, name: str, spec: dict[str, Any], *, within: float) -> dict[str, Any]:
        """A new Lease; ``Conflict`` when there is one already."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": self._namespace, "labels": _LABELS},
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
