"""What a Deployment asks for: its ReplicaSet, its Pods, and the next moves of a rolling update.

Pure. Used by `deployments.py`. The update is that of the chart (`maxSurge: 1`,
`maxUnavailable: 0`): one new Pod more than wanted, and an old one goes when it is ready.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from devstack.kubelet.api import Object

HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Moves:
    """How many Pods to create and which to delete, now."""

    create: int
    delete: Sequence[Object]


def replica_set(deployment: Object) -> Object:
    """Give the ReplicaSet of the Deployment's present template; its name tells the template."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
    labels = {**spec["template"]["metadata"].get("labels", {}), HASH: digest}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    selector = {"matchLabels": {**spec["selector"]["matchLabels"], HASH: digest}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": spec["replicas"], "selector": selector, "template": template},
    }


def owner(item: Object, version: str, kind: str) -> Object:
    """Give the reference by which a dependent names `item`."""
    metadata = item["metadata"]
    return {
        "apiVersion": version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_owned(item: Object, by: Object) -> bool:
    """Whether `item` is a dependent of `by`."""
    references = item["metadata"].get("ownerReferences", [])
    return any(reference["uid"] == by["metadata"]["uid"] for reference in references)


def pod(template: Object, name: str, reference: Object, namespace: str) -> Object:
    """Make the Pod `name` of a template."""
    metadata = {**template["metadata"], "name": name, "namespace": namespace}
    metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def moves(wanted: int, new: Sequence[Object], old: Sequence[Object]) -> Moves:
    """Give the next moves towards `wanted` Pods of the present template.

    `new` are those of the present template and `old` those of the templates before, none of them
    going already. As many as wanted stay ready throughout.
    """
    room = wanted + 1 - len(new) - len(old) if old else wanted - len(new)
    spare = sum(map(is_ready, [*new, *old])) - wanted
    useless = [item for item in old if not is_ready(item)]
    going = [*useless, *[item for item in old if is_ready(item)][: max(spare, 0)]]
    surplus = sorted(new, key=lambda item: not is_ready(item))[wanted:]
    return Moves(max(min(room, wanted - len(new)), 0), [*going, *surplus])


def is_ready(item: Object) -> bool:
    """Whether a Pod's status says that it may be sent requests."""
    conditions = item.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_going(item: Object) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in item["metadata"]


def status(deployment: Object, new: Sequence[Object], old: Sequence[Object]) -> Object:
    """Give the Deployment's status as its Pods are now."""
    wanted, ready = deployment["spec"]["replicas"], sum(map(is_ready, [*new, *old]))
    done = len(new) >= wanted and not old and ready >= wanted
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": len(new) + len(old),
        "updatedReplicas": len(new),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(wanted - ready, 0),
        "conditions": [
            _condition("Available", "MinimumReplicasAvailable", holds=ready >= wanted),
            _condition("Progressing", "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
        ],
    }


def _condition(kind: str, reason: str, *, holds: bool = True) -> Object:
    return {"type": kind, "status": "True" if holds else "False", "reason": reason}


def differs(wanted: Object, found: Object) -> bool:
    """Whether a status has yet to be written; what the server leaves out is zero."""
    return any(_plain(found.get(key)) != _plain(value) for key, value in wanted.items())


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [
            {key: each[key] for key in ("type", "status", "reason") if key in each}
            for each in value
        ]
    return value or 0
