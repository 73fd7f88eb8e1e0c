"""The ReplicaSet and the Pods of a Deployment, and the steps of a rolling update. Pure functions.

The update is that of the chart (`maxSurge: 1`, `maxUnavailable: 0`): one Pod more than wanted is
created, and an old Pod is deleted when the new one is ready.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from devstack.kubelet.api import Object

HASH_LABEL = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """The number of Pods to create now, and the Pods to delete now."""

    create: int
    delete: Sequence[Object]


def replica_set(deployment: Object) -> Object:
    """Return the ReplicaSet of the current template; its name has the hash of the template."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
    labels = {**spec["template"]["metadata"].get("labels", {}), HASH_LABEL: digest}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    selector = {"matchLabels": {**spec["selector"]["matchLabels"], HASH_LABEL: digest}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(deployment, "apps/v1", "Deployment")],
        },
        "spec": {"replicas": spec["replicas"], "selector": selector, "template": template},
    }


def owner_reference(item: Object, version: str, kind: str) -> Object:
    """Return the owner reference that a dependent of `item` has."""
    metadata = item["metadata"]
    return {
        "apiVersion": version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_owned_by(item: Object, owner: Object) -> bool:
    """Whether `item` is a dependent of `owner`."""
    references = item["metadata"].get("ownerReferences", [])
    return any(reference["uid"] == owner["metadata"]["uid"] for reference in references)


def pod_from_template(template: Object, name: str, reference: Object, namespace: str) -> Object:
    """Return the Pod `name` of a template."""
    metadata = {**template["metadata"], "name": name, "namespace": namespace}
    metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def next_step(wanted: int, new: Sequence[Object], old: Sequence[Object]) -> RolloutStep:
    """Return the next step towards `wanted` Pods of the current template.

    `new` are the Pods of the current template and `old` those of earlier templates; none of them is
    being deleted. `wanted` Pods stay ready throughout.
    """
    free = wanted + 1 - len(new) - len(old) if old else wanted - len(new)
    spare = sum(map(is_ready, [*new, *old])) - wanted
    unready = [item for item in old if not is_ready(item)]
    surplus_old = [*unready, *[item for item in old if is_ready(item)][: max(spare, 0)]]
    surplus_new = sorted(new, key=lambda item: not is_ready(item))[wanted:]
    return RolloutStep(max(min(free, wanted - len(new)), 0), [*surplus_old, *surplus_new])


def is_ready(item: Object) -> bool:
    """Whether the Pod's condition Ready is True."""
    conditions = item.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_terminating(item: Object) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in item["metadata"]


def deployment_status(deployment: Object, new: Sequence[Object], old: Sequence[Object]) -> Object:
    """Return the Deployment's status for its current Pods."""
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
            _condition("Available", "MinimumReplicasAvailable", is_true=ready >= wanted),
            _condition("Progressing", "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
        ],
    }


def _condition(kind: str, reason: str, *, is_true: bool = True) -> Object:
    return {"type": kind, "status": "True" if is_true else "False", "reason": reason}


def status_differs(wanted: Object, found: Object) -> bool:
    """Whether a status must be written; a field that the server leaves out is zero."""
    return any(_comparable(found.get(key)) != _comparable(value) for key, value in wanted.items())


def _comparable(value: object) -> object:
    if isinstance(value, list):
        return [
            {key: each[key] for key in ("type", "status", "reason") if key in each}
            for each in value
        ]
    return value or 0
