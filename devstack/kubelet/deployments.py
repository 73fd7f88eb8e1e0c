"""Brings Deployments about: the controllers' side of `rollout.py`.

Called by `node.py` on every change.
"""

import secrets
from collections.abc import Mapping, Sequence

from devstack.kubelet import rollout
from devstack.kubelet.api import Api, Object
from devstack.kubelet.mirror import Mirror

FOREGROUND = "foregroundDeletion"
COMPONENTS = frozenset({"webhook", "worker"})
"""What the chart installs, one Deployment each."""


class Deployments:
    """The Deployments of one namespace, but for those named in `left_out`."""

    def __init__(self, api: Api, mirrors: Mapping[str, Mirror], left_out: frozenset[str]) -> None:
        self._api = api
        self._deployments = mirrors["deployments"]
        self._sets = mirrors["replicasets"]
        self._pods = mirrors["pods"]
        self._left_out = left_out

    async def step(self) -> None:
        """Make the next moves for each of them."""
        for deployment in self._deployments:
            if rollout.is_going(deployment):
                continue
            wanted = await self._ensure_set(deployment)
            if wanted is not None:
                await self._roll(deployment, wanted)

    def are_available(self) -> bool:
        """Whether every Deployment that is to run has all its Pods ready."""
        found = list(self._deployments)
        are_all_here = set(map(component, found)) >= COMPONENTS
        return are_all_here and all(self.is_left_out(each) or _is_available(each) for each in found)

    def is_left_out(self, deployment: Object) -> bool:
        """Whether its Pods are not to be started here."""
        return component(deployment) in self._left_out

    async def _ensure_set(self, deployment: Object) -> Object | None:
        wanted = rollout.replica_set(deployment)
        found = self._sets.get(wanted["metadata"]["name"])
        if found is None:
            found = await self._api.create(self._sets.path, wanted)
            if found is not None:
                self._sets.put(found)
        return found

    async def _roll(self, deployment: Object, wanted: Object) -> None:
        owned = [each for each in self._sets if rollout.is_owned(each, deployment)]
        new = self._living(wanted)
        old = [pod for each in owned if each is not wanted for pod in self._living(each)]
        count = 0 if self.is_left_out(deployment) else deployment["spec"]["replicas"]
        moves = rollout.moves(count, new, old)
        for _ in range(moves.create):
            await self._create(wanted)
        for pod in moves.delete:
            await remove(self._api, self._pods, pod)
        await self._report(deployment, rollout.status(deployment, new, old), self._deployments)
        for each in owned:
            await self._report(each, _set_status(each, self._living(each)), self._sets)

    def _living(self, owner: Object) -> list[Object]:
        return [
            pod for pod in self._pods if rollout.is_owned(pod, owner) and not rollout.is_going(pod)
        ]

    async def _create(self, owner: Object) -> None:
        """NB: no name may come twice: a worker knows its own Lease by the name of its Pod."""
        name = f"{owner['metadata']['name']}-{secrets.token_hex(3)}"
        reference = rollout.owner(owner, "apps/v1", "ReplicaSet")
        namespace = owner["metadata"]["namespace"]
        pod = rollout.pod(owner["spec"]["template"], name, reference, namespace)
        made = await self._api.create(self._pods.path, pod)
        if made is not None:
            self._pods.put(made)

    async def _report(self, item: Object, status: Object, mirror: Mirror) -> None:
        if rollout.differs(status, item.get("status", {})):
            path = f"{mirror.path}/{item['metadata']['name']}/status"
            written = await self._api.patch(path, {"status": status})
            if written is not None:
                mirror.put(written)


async def remove(api: Api, mirror: Mirror, item: Object) -> None:
    """Delete an object that is not going yet."""
    if not rollout.is_going(item):
        await api.delete(f"{mirror.path}/{item['metadata']['name']}", uid=item["metadata"]["uid"])


async def collect(api: Api, owners: Sequence[Mirror], dependents: Sequence[Mirror]) -> None:
    """Delete what has lost its owner, and let go of an owner that waits for its dependents."""
    living = {item["metadata"]["uid"] for mirror in owners for item in mirror if not _waits(item)}
    for mirror in dependents:
        for item in mirror:
            uids = {each["uid"] for each in item["metadata"].get("ownerReferences", [])}
            if uids and not uids & living:
                await remove(api, mirror, item)
    for mirror in owners:
        for item in filter(_waits, mirror):
            if not any(rollout.is_owned(each, item) for other in dependents for each in other):
                await _let_go(api, mirror, item)


async def _let_go(api: Api, mirror: Mirror, item: Object) -> None:
    rest = [each for each in item["metadata"]["finalizers"] if each != FOREGROUND]
    await api.patch(f"{mirror.path}/{item['metadata']['name']}", {"metadata": {"finalizers": rest}})


def component(item: Object) -> str:
    """Give `webhook` or `worker`, from the label that the chart puts on all it has."""
    return str(item["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def _waits(item: Object) -> bool:
    return rollout.is_going(item) and FOREGROUND in item["metadata"].get("finalizers", [])


def _is_available(deployment: Object) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    is_seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "readyR")]
    return is_seen and counts == [wanted] * 3


def _set_status(item: Object, pods: Sequence[Object]) -> Object:
    ready = sum(map(rollout.is_ready, pods))
    return {
        "observedGeneration": item["metadata"]["generation"],
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
