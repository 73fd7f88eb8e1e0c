"""What a Pod's status says at each stage of its run. Pure. Used by `run.py`."""

from datetime import UTC, datetime
from typing import Any

from devstack.kubelet.api import Object

LONGEST_MESSAGE = 4096
"""Bytes of a container's output that its status keeps, as the kubelet does."""


def waiting(pod: Object, why: str) -> Object:
    """The container cannot be started yet."""
    state = {"waiting": {"reason": "CreateContainerConfigError", "message": why}}
    return _status(pod, "Pending", _container(pod, state, ready=False))


def running(pod: Object, number: int, ready: bool, restarts: int) -> Object:  # noqa: FBT001 - a reading
    """The container runs; `ready` is what its probe says."""
    state = {"running": {"startedAt": _now()}}
    container = _container(pod, state, ready=ready, restarts=restarts)
    return {**_status(pod, "Running", container, ready=ready), **_address(number)}


def over(pod: Object, number: int, code: int, said: str) -> Object:
    """The container has run once and ended with `code`."""
    ended = {"exitCode": code, "finishedAt": _now(), "message": said[-LONGEST_MESSAGE:]}
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
            {"type": kind, "status": str(holds), "lastTransitionTime": _now()}
            for kind, holds in kinds.items()
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
    """NB: made up, from RFC 2544's range: an EndpointSlice may not hold a loopback address."""
    address = f"198.18.{number // 250}.{number % 250 + 1}"
    return {"podIP": address, "podIPs": [{"ip": address}], "hostIP": "198.18.255.254"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
