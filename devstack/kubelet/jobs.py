"""Brings Jobs about: one Pod after the other until one succeeds or the limit is reached.

Called by `node.py` on every change. The chart's Jobs are hooks: one completion, no parallelism.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from devstack.kubelet import rollout
from devstack.kubelet.api import Api, Object
from devstack.kubelet.mirror import Mirror


class Jobs:
    """The Jobs of one namespace."""

    def __init__(self, api: Api, mirrors: Mapping[str, Mirror]) -> None:
        self._api = api
        self._jobs = mirrors["jobs"]
        self._pods = mirrors["pods"]

    async def step(self) -> None:
        """Make the next move for each that is not finished."""
        for job in self._jobs:
            if not rollout.is_going(job) and not is_finished(job):
                await self._step(job)

    async def _step(self, job: Object) -> None:
        pods = [pod for pod in self._pods if rollout.is_owned(pod, job)]
        phases = [pod.get("status", {}).get("phase") for pod in pods]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "Succeeded" in phases or phases.count("Failed") > job["spec"]["backoffLimit"]:
            await self._write(
                job, finished(phases, job.get("status", {}).get("startTime", now), now)
            )
        elif phases.count("Failed") == len(phases):
            await self._create(job, len(pods))
            await self._write(job, {"startTime": now, "active": 1, "ready": 0})

    async def _create(self, job: Object, attempt: int) -> None:
        metadata = job["metadata"]
        reference = rollout.owner(job, "batch/v1", "Job")
        name = f"{metadata['name']}-{attempt}"
        pod = rollout.pod(job["spec"]["template"], name, reference, metadata["namespace"])
        made = await self._api.create(self._pods.path, pod)
        if made is not None:
            self._pods.put(made)

    async def _write(self, job: Object, status: Object) -> None:
        if "startTime" in job.get("status", {}):
            status = {**status, "startTime": job["status"]["startTime"]}
        path = f"{self._jobs.path}/{job['metadata']['name']}/status"
        written = await self._api.patch(path, {"status": status})
        if written is not None:
            self._jobs.put(written)


def is_finished(job: Object) -> bool:
    """Whether the Job has ended, well or not."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(each["type"] in {"Complete", "Failed"} for each in conditions)


def finished(phases: Sequence[object], began: str, now: str) -> Object:
    """Give the last status of a Job whose Pods have come to these phases.

    NB: since 1.31 the server wants the interim condition beside the last one.
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
