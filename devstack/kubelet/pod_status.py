"""The status of a Pod at each stage. Pure functions."""

from datetime import UTC, datetime
from typing import Any

from devstack.kubelet.api import Object

MAX_MESSAGE_BYTES = 4096
"""Length of the output that a status keeps, as with the kubelet."""


def waiting(pod: Object, reason: str) -> Object:
    """Return the status of a Pod whose container cannot be started yet."""
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": reason}}
    return _status(pod, "Pending", _container(pod, state, ready=False))


def running(pod: Object, number: int, ready: bool, restarts: int) -> Object:  # noqa: FBT001 - a reading
    """Return the status of a running Pod; `ready` is the result of its readiness probe."""
    state = {"running": {"startedAt": _now()}}
    container = _container(pod, state, ready=ready, restarts=restarts)
    return {**_status(pod, "Running", container, ready=ready), **_address(number)}


def terminated(pod: Object, number: int, code: int, output: str) -> Object:
    """Return the status of a Pod that ran once and ended with exit code `code`."""
    ended = {"exitCode": code, "finishedAt": _now(), "message": output[-MAX_MESSAGE_BYTES:]}
    reason = "Error" if code else "Completed"
    container = _container(
        pod, {"terminated": {**ended, "reason": reason}, "running": None}, ready=False
    )
    return {**_status(pod, "Failed" if code else "Succeeded", container), **_address(number)}


def _status(pod: Object, phase: str, container: Object, *, ready: bool = False) -> Object:
    kinds = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    since = pod["metadata"]["creationTimestamp"]
    return {
        "phase": phase,
        "observedGeneration": pod["metadata"].get("generation", 1),
        "startTime": since,
        "conditions": [
            {"type": kind, "status": str(value), "lastTransitionTime": _now()}
            for kind, value in kinds.items()
        ],
        "containerStatuses": [container],
    }


def _container(pod: Object, state: Object, *, ready: bool, restarts: int = 0) -> Object:
    declared = pod["spec"]["containers"][0]
    known: dict[str, Any] = {key: declared[key] for key in ("name", "image")}
    return {
        **known,
        "imageID": "local",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
    }


def _address(number: int) -> Object:
    """NB: an address of RFC 2544's range, as an EndpointSlice must not hold a loopback address."""
    address = f"198.18.{number // 250}.{number % 250 + 1}"
    return {"podIP": address, "podIPs": [{"ip": address}], "hostIP": "198.18.255.254"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
