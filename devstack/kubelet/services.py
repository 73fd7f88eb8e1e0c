"""Leads a Service's ClusterIP to a ready process, and writes the EndpointSlice that says so.

Called by `node.py` on every change.
"""

from collections.abc import Mapping
from typing import Protocol

from devstack.kubelet.api import Api, Object
from devstack.kubelet.container import LOOPBACK, port_number
from devstack.kubelet.mirror import Mirror
from devstack.kubelet.rollout import is_going, is_ready, owner

OURS = {"endpointslice.kubernetes.io/managed-by": "summaryrule-devstack"}


class Ports(Protocol):
    """Who knows where a Pod's ports are on this machine: `pods.Pods`."""

    def local_port(self, pod: Object, port: int) -> int | None:
        """Give the local port of a container port, None when the Pod does not run."""


class Services:
    """The Services of one namespace; `routes` is the egress proxy's table."""

    def __init__(
        self, api: Api, mirrors: Mapping[str, Mirror], ports: Ports, routes: dict[str, str]
    ) -> None:
        self._api = api
        self._services = mirrors["services"]
        self._slices = mirrors["endpointslices"]
        self._pods = mirrors["pods"]
        self._ports = ports
        self._routes = routes
        self._known: set[str] = set()

    async def step(self) -> None:
        """Point every route to where it leads now."""
        wanted = {key: way for service in self._services for key, way in self._ways(service)}
        for gone in self._known - wanted.keys():
            self._routes.pop(gone, None)
        self._routes.update(wanted)
        self._known = set(wanted)
        for service in self._services:
            await self._write_slice(service)

    def _ways(self, service: Object) -> list[tuple[str, str]]:
        address = service["spec"].get("clusterIP", "None")
        ready = [pod for pod in self._selected(service) if is_ready(pod) and not is_going(pod)]
        if address == "None" or not ready:
            return []
        newest = max(ready, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return [
            (f"{address}:{port['port']}", f"{LOOPBACK}:{local}")
            for port in service["spec"]["ports"]
            if (local := self._local(newest, port)) is not None
        ]

    def _local(self, pod: Object, port: Object) -> int | None:
        number = target(pod, port)
        return None if number is None else self._ports.local_port(pod, number)

    def _selected(self, service: Object) -> list[Object]:
        selector = (service["spec"].get("selector") or {}).items()
        return [pod for pod in self._pods if selector and selector <= _labels(pod).items()]

    async def _write_slice(self, service: Object) -> None:
        wanted = endpoint_slice(service, self._selected(service))
        found = self._slices.get(wanted["metadata"]["name"])
        if found is None:
            found = await self._api.create(self._slices.path, wanted)
        elif [found.get("endpoints"), found.get("ports")] != [wanted["endpoints"], wanted["ports"]]:
            changed = {key: wanted[key] for key in ("endpoints", "ports")}
            path = f"{self._slices.path}/{wanted['metadata']['name']}"
            found = await self._api.patch(path, changed)
        if found is not None:
            self._slices.put(found)


def target(pod: Object, port: Object) -> int | None:
    """Give the container port of a Pod that a Service's port leads to."""
    wanted: int | str = port.get("targetPort") or port["port"]
    numbers = [port_number(container, wanted) for container in pod["spec"]["containers"]]
    return next((number for number in numbers if number is not None), None)


def endpoint_slice(service: Object, pods: list[Object]) -> Object:
    """Say which Pods a Service leads to. Their addresses are made up: loopback is refused."""
    metadata = service["metadata"]
    living = [pod for pod in pods if pod.get("status", {}).get("podIP") and not is_going(pod)]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-devstack",
            "namespace": metadata["namespace"],
            "labels": {"kubernetes.io/service-name": metadata["name"], **OURS},
            "ownerReferences": [owner(service, "v1", "Service")],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(pod) for pod in living],
        "ports": [_port(port, living) for port in service["spec"].get("ports", [])],
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
    number = target(pods[0], port) if pods else None
    shown = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP")}
    extra = {"appProtocol": port["appProtocol"]} if "appProtocol" in port else {}
    return {**shown, **extra, "port": number or port["port"]}


def _labels(pod: Object) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}
