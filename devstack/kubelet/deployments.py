"""The Deployment and ReplicaSet controllers, and the garbage collector."""

import secrets
from collections.abc import Mapping, Sequence

from devstack.kubelet import rollout
from devstack.kubelet.api import ApiClient, Object
from devstack.kubelet.informer import Informer

FOREGROUND = "foregroundDeletion"
COMPONENTS = frozenset({"webhook", "worker"})
"""The chart installs one Deployment for each."""


class DeploymentController:
    """Reconciles the Deployments of one namespace; those in `excluded` get no Pods."""

    def __init__(
        self, api: ApiClient, informers: Mapping[str, Informer], excluded: frozenset[str]
    ) -> None:
        self._api = api
        self._deployments = informers["deployments"]
        self._replica_sets = informers["replicasets"]
        self._pods = informers["pods"]
        self._excluded = excluded

    async def reconcile(self) -> None:
        """Take the next step of each Deployment."""
        for deployment in self._deployments:
            if rollout.is_terminating(deployment):
                continue
            wanted = await self._ensure_replica_set(deployment)
            if wanted is not None:
                await self._roll_out(deployment, wanted)

    def are_available(self) -> bool:
        """Whether every Deployment that is not excluded has all its Pods ready."""
        deployments = list(self._deployments)
        are_all_created = set(map(component, deployments)) >= COMPONENTS
        return are_all_created and all(
            self.is_excluded(each) or _is_available(each) for each in deployments
        )

    def is_excluded(self, deployment: Object) -> bool:
        """Whether the Deployment gets no Pods here."""
        return component(deployment) in self._excluded

    async def _ensure_replica_set(self, deployment: Object) -> Object | None:
        wanted = rollout.replica_set(deployment)
        found = self._replica_sets.get(wanted["metadata"]["name"])
        if found is None:
            found = await self._api.create(self._replica_sets.path, wanted)
            if found is not None:
                self._replica_sets.put(found)
        return found

    async def _roll_out(self, deployment: Object, wanted: Object) -> None:
        owned = [each for each in self._replica_sets if rollout.is_owned_by(each, deployment)]
        new = self._active_pods(wanted)
        old = [pod for each in owned if each is not wanted for pod in self._active_pods(each)]
        count = 0 if self.is_excluded(deployment) else deployment["spec"]["replicas"]
        step = rollout.next_step(count, new, old)
        for _ in range(step.create):
            await self._create_pod(wanted)
        for pod in step.delete:
            await delete(self._api, self._pods, pod)
        await self._write_status(
            deployment, rollout.deployment_status(deployment, new, old), self._deployments
        )
        for each in owned:
            await self._write_status(
                each, _replica_set_status(each, self._active_pods(each)), self._replica_sets
            )

    def _active_pods(self, owner: Object) -> list[Object]:
        return [
            pod
            for pod in self._pods
            if rollout.is_owned_by(pod, owner) and not rollout.is_terminating(pod)
        ]

    async def _create_pod(self, owner: Object) -> None:
        """NB: names must be unique: a worker recognizes its own Lease by the name of its Pod."""
        name = f"{owner['metadata']['name']}-{secrets.token_hex(3)}"
        reference = rollout.owner_reference(owner, "apps/v1", "ReplicaSet")
        namespace = owner["metadata"]["namespace"]
        pod = rollout.pod_from_template(owner["spec"]["template"], name, reference, namespace)
        made = await self._api.create(self._pods.path, pod)
        if made is not None:
            self._pods.put(made)

    async def _write_status(self, item: Object, status: Object, informer: Informer) -> None:
        if rollout.status_differs(status, item.get("status", {})):
            path = f"{informer.path}/{item['metadata']['name']}/status"
            written = await self._api.patch(path, {"status": status})
            if written is not None:
                informer.put(written)


async def delete(api: ApiClient, informer: Informer, item: Object) -> None:
    """Delete an object that is not being deleted already."""
    if not rollout.is_terminating(item):
        await api.delete(f"{informer.path}/{item['metadata']['name']}", uid=item["metadata"]["uid"])


async def collect_garbage(
    api: ApiClient, owners: Sequence[Informer], dependents: Sequence[Informer]
) -> None:
    """Delete dependents whose owner is gone; finish foreground deletions without dependents."""
    owner_uids = {
        item["metadata"]["uid"]
        for informer in owners
        for item in informer
        if not _awaits_dependents(item)
    }
    for informer in dependents:
        for item in informer:
            uids = {each["uid"] for each in item["metadata"].get("ownerReferences", [])}
            if uids and not uids & owner_uids:
                await delete(api, informer, item)
    for informer in owners:
        for item in filter(_awaits_dependents, informer):
            if not any(rollout.is_owned_by(each, item) for other in dependents for each in other):
                await _remove_finalizer(api, informer, item)


async def _remove_finalizer(api: ApiClient, informer: Informer, item: Object) -> None:
    rest = [each for each in item["metadata"]["finalizers"] if each != FOREGROUND]
    await api.patch(
        f"{informer.path}/{item['metadata']['name']}", {"metadata": {"finalizers": rest}}
    )


def component(item: Object) -> str:
    """Return `webhook` or `worker`, from the label that the chart puts on its objects."""
    return str(item["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def _awaits_dependents(item: Object) -> bool:
    return rollout.is_terminating(item) and FOREGROUND in item["metadata"].get("finalizers", [])


def _is_available(deployment: Object) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    is_observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "readyR")]
    return is_observed and counts == [wanted] * 3


def _replica_set_status(item: Object, pods: Sequence[Object]) -> Object:
    ready = sum(map(rollout.is_ready, pods))
    return {
        "observedGeneration": item["metadata"]["generation"],
        "replicas": len(pods),
        "fullyLabeledReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
