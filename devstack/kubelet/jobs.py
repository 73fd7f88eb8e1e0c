"""The Job controller: one Pod after the other until one succeeds or the limit is reached.

The chart's Jobs are hooks, with one completion and no parallelism.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from devstack.kubelet import rollout
from devstack.kubelet.api import ApiClient, Object
from devstack.kubelet.informer import Informer


class JobController:
    """Reconciles the Jobs of one namespace."""

    def __init__(self, api: ApiClient, informers: Mapping[str, Informer]) -> None:
        self._api = api
        self._jobs = informers["jobs"]
        self._pods = informers["pods"]

    async def reconcile(self) -> None:
        """Take the next step of each Job that is not finished."""
        for job in self._jobs:
            if not rollout.is_terminating(job) and not is_finished(job):
                await self._reconcile_job(job)

    async def _reconcile_job(self, job: Object) -> None:
        pods = [pod for pod in self._pods if rollout.is_owned_by(pod, job)]
        phases = [pod.get("status", {}).get("phase") for pod in pods]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "Succeeded" in phases or phases.count("Failed") > job["spec"]["backoffLimit"]:
            await self._write_status(
                job, final_status(phases, job.get("status", {}).get("startTime", now), now)
            )
        elif phases.count("Failed") == len(phases):
            await self._create_pod(job, len(pods))
            await self._write_status(job, {"startTime": now, "active": 1, "ready": 0})

    async def _create_pod(self, job: Object, attempt: int) -> None:
        metadata = job["metadata"]
        reference = rollout.owner_reference(job, "batch/v1", "Job")
        name = f"{metadata['name']}-{attempt}"
        pod = rollout.pod_from_template(
            job["spec"]["template"], name, reference, metadata["namespace"]
        )
        made = await self._api.create(self._pods.path, pod)
        if made is not None:
            self._pods.put(made)

    async def _write_status(self, job: Object, status: Object) -> None:
        if "startTime" in job.get("status", {}):
            status = {**status, "startTime": job["status"]["startTime"]}
        path = f"{self._jobs.path}/{job['metadata']['name']}/status"
        written = await self._api.patch(path, {"status": status})
        if written is not None:
            self._jobs.put(written)


def is_finished(job: Object) -> bool:
    """Whether the Job is complete or has failed."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(each["type"] in {"Complete", "Failed"} for each in conditions)


def final_status(phases: Sequence[object], began: str, now: str) -> Object:
    """Return the status of a finished Job whose Pods are in these phases.

    NB: since 1.31 the server requires the interim condition beside the final one.
    """
    succeeded = phases.count("Succeeded")
    kinds = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    reason = "CompletionsReached" if succeeded else "BackoffLimitExceeded"
    times = {"lastTransitionTime": now, "lastProbeTime": now}
    conditions = [{"type": kind, "status": "True", "reason": reason, **times} for kind in kinds]
    status: Object = {
        "startTime": began,
        "active": None,
        "ready": 0,
        "terminating": 0,
        "succeeded": succeeded,
        "failed": phases.count("Failed"),
        "uncountedTerminatedPods": {},
        "conditions": conditions,
    }
    return {**status, "completionTime": now} if succeeded else status
