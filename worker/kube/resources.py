"""Paths of the API server's resources, as the adapters of this package request them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource of an API group; the core group is ``""``."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As in an object's ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str | None = None) -> str:
        """Path of all objects, or those of one namespace."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        inner = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{inner}/{self.plural}"

    def item(self, namespace: str, name: str) -> str:
        """Path of one object."""
        return f"{self.collection(namespace)}/{name}"


SUMMARY_RULES: Final = Resource("adx-mon.azure.com", "v1", "summaryrules", "SummaryRule")
EVENTS: Final = Resource("", "v1", "events", "Event")
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease")
