"""Routes a Service's ClusterIP to a ready process and writes the EndpointSlices."""

from collections.abc import Mapping
from typing import Protocol

from devstack.kubelet.api import ApiClient, Object
from devstack.kubelet.container import LOOPBACK, port_number
from devstack.kubelet.informer import Informer
from devstack.kubelet.rollout import is_ready, is_terminating, owner_reference

MANAGED_BY = {"endpointslice.kubernetes.io/managed-by": "summaryrule-devstack"}


class PodPorts(Protocol):
    """Knows the local ports of the Pods."""

    def local_port(self, pod: Object, port: int) -> int | None:
        """Return the local port of a container port, None when the Pod does not run."""


class ServiceController:
    """Reconciles the Services of one namespace; `routes` are those of the egress proxy."""

    def __init__(
        self,
        api: ApiClient,
        informers: Mapping[str, Informer],
        ports: PodPorts,
        routes: dict[str, str],
    ) -> None:
        self._api = api
        self._services = informers["services"]
        self._endpoint_slices = informers["endpointslices"]
        self._pods = informers["pods"]
        self._ports = ports
        self._routes = routes
        self._known: set[str] = set()

    async def reconcile(self) -> None:
        """Update every route and every EndpointSlice."""
        wanted = {
            key: local for service in self._services for key, local in self._routes_of(service)
        }
        for removed in self._known - wanted.keys():
            self._routes.pop(removed, None)
        self._routes.update(wanted)
        self._known = set(wanted)
        for service in self._services:
            await self._write_endpoint_slice(service)

    def _routes_of(self, service: Object) -> list[tuple[str, str]]:
        address = service["spec"].get("clusterIP", "None")
        ready = [
            pod for pod in self._selected(service) if is_ready(pod) and not is_terminating(pod)
        ]
        if address == "None" or not ready:
            return []
        newest = max(ready, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return [
            (f"{address}:{port['port']}", f"{LOOPBACK}:{local}")
            for port in service["spec"]["ports"]
            if (local := self._local(newest, port)) is not None
        ]

    def _local(self, pod: Object, port: Object) -> int | None:
        number = target_port(pod, port)
        return None if number is None else self._ports.local_port(pod, number)

    def _selected(self, service: Object) -> list[Object]:
        selector = (service["spec"].get("selector") or {}).items()
        return [pod for pod in self._pods if selector and selector <= _labels(pod).items()]

    async def _write_endpoint_slice(self, service: Object) -> None:
        wanted = endpoint_slice(service, self._selected(service))
        found = self._endpoint_slices.get(wanted["metadata"]["name"])
        if found is None:
            found = await self._api.create(self._endpoint_slices.path, wanted)
        elif [found.get("endpoints"), found.get("ports")] != [wanted["endpoints"], wanted["ports"]]:
            changed = {key: wanted[key] for key in ("endpoints", "ports")}
            path = f"{self._endpoint_slices.path}/{wanted['metadata']['name']}"
            found = await self._api.patch(path, changed)
        if found is not None:
            self._endpoint_slices.put(found)


def target_port(pod: Object, port: Object) -> int | None:
    """Return the container port of a Pod that a Service's port targets."""
    wanted: int | str = port.get("targetPort") or port["port"]
    numbers = [port_number(container, wanted) for container in pod["spec"]["containers"]]
    return next((number for number in numbers if number is not None), None)


def endpoint_slice(service: Object, pods: list[Object]) -> Object:
    """Return the EndpointSlice of a Service. NB: the server refuses loopback addresses."""
    metadata = service["metadata"]
    active = [pod for pod in pods if pod.get("status", {}).get("podIP") and not is_terminating(pod)]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-devstack",
            "namespace": metadata["namespace"],
            "labels": {"kubernetes.io/service-name": metadata["name"], **MANAGED_BY},
            "ownerReferences": [owner_reference(service, "v1", "Service")],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in active],
        "ports": [_port(port, active) for port in service["spec"].get("ports", [])],
    }


def _endpoint(pod: Object) -> Object:
    ready = is_ready(pod)
    reference = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "targetRef": {"kind": "Pod", **reference},
    }


def _port(port: Object, pods: list[Object]) -> Object:
    number = target_port(pods[0], port) if pods else None
    fields = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP")}
    extra = {"appProtocol": port["appProtocol"]} if "appProtocol" in port else {}
    return {**fields, **extra, "port": number or port["port"]}


def _labels(pod: Object) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}
