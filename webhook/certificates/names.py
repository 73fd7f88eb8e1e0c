"""What the server is called: the API server dials ``SERVICE.NAMESPACE.svc``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceName:
    """The Service in front of this webhook."""

    service: str
    namespace: str

    @property
    def dialled(self) -> str:
        """The host name that the API server verifies (apiserver v0.37, util/webhook/client.go)."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def all(self) -> tuple[str, ...]:
        """Every name that a certificate for it should have."""
        full = (self.dialled, f"{self.dialled}.cluster.local")
        return (*full, f"{self.service}.{self.namespace}", self.service)
