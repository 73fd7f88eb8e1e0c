"""Which worker leads, as the Lease says.

The worker's pod renews the Lease every two seconds while it leads, and releases it when it stops
(Kubernetes docs, "Leases").
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from plugin.console import Console
from plugin.kubectl import Kubectl, Rule
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import RESOURCE
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.summary import format_duration, is_seen
from summaryrule.api.unstructured import as_instant, as_int, as_str, nested_dict, nested_list

LEASE: Final = "summaryrule-operator-worker"
"""The name of the Lease; a release of the chart with another name has another one."""
COMPONENT: Final = "app.kubernetes.io/component"
RENEWAL_SECONDS: Final = 3.0
"""A worker that leads renews the Lease within this time, and another one takes a released Lease."""

Leases = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Leader:
    """The holder of the Lease, and when it renewed the Lease last; None if there is no Lease.

    ``holder`` is empty if the last one released the Lease; ``namespace`` is the one of the Lease,
    in which the worker's pods are. ``unknown`` says why the Lease cannot be
    read; it is empty if it was read.
    """

    holder: str = ""
    renewed: Instant | None = None
    leads: bool = False
    unknown: str = ""
    namespace: str = ""

    @property
    def pod(self) -> str:
        """The name of the holder's pod: the identity up to a random part, if it has one."""
        return self.holder.partition("_")[0]

    @property
    def is_missing(self) -> bool:
        """Whether it is certain that no worker leads."""
        return not self.leads and not self.unknown

    @property
    def message(self) -> str:
        """Since when no worker leads, as the message of block reason ``NoLeader``."""
        if self.renewed is None:
            return BlockReason.NO_LEADER.message(cause="no worker has led yet")
        last = f" ({self.holder} led last)" if self.holder else ""
        cause = f"no worker leads since {self.renewed.to_seconds()}{last}"
        return BlockReason.NO_LEADER.message(cause=cause)


def read_leader(kubectl: Kubectl, console: Console) -> Leader:
    """Read the Lease; if it seems to be free, read it again after ``RENEWAL_SECONDS``.

    The second answer decides: the clock of this machine may be wrong, which is noted then, or the
    lead may pass from one worker to the next at this moment.
    """
    first = _read(kubectl, console.now())
    if not first.is_missing or first.renewed is None:
        return first
    console.pause(RENEWAL_SECONDS)
    second = _read(kubectl, console.now())
    if not second.holder or second.renewed is None or second.renewed == first.renewed:
        return second
    if not second.leads:
        console.note(_clock_difference(console.now(), second.renewed))
    return replace(second, leads=True)


def _clock_difference(now: Instant, renewed: Instant) -> str:
    seconds = (now.ticks - renewed.ticks) // TICKS_PER_SECOND
    amount = f"{format_duration(abs(seconds))} {'ahead of' if seconds > 0 else 'behind'}"
    return (
        f"the clock of this machine is {amount} the worker's: LAG, ETA and ages are wrong here;"
        " do: set both clocks by NTP (on the worker's node, windows run by its clock)"
    )


def _read(kubectl: Kubectl, now: Instant) -> Leader:
    found = _leases(kubectl, [LEASE])
    if found == []:
        names = sorted({*_lease_names(kubectl)} - {LEASE})
        found = _leases(kubectl, names) if names else []
    if isinstance(found, str):
        return Leader(unknown=found)
    leaders = sorted((_leader(lease, now) for lease in found), key=_weight)
    return leaders[-1] if leaders else Leader()


def _weight(leader: Leader) -> tuple[bool, int]:
    return leader.leads, 0 if leader.renewed is None else leader.renewed.ticks


def _leader(lease: dict[str, Any], now: Instant) -> Leader:
    spec = nested_dict(lease, "spec")
    holder, renewed = as_str(spec.get("holderIdentity")), as_instant(spec.get("renewTime"))
    limit = as_int(spec.get("leaseDurationSeconds")) * TICKS_PER_SECOND
    leads = bool(holder) and renewed is not None and abs(now.ticks - renewed.ticks) <= limit
    namespace = as_str(nested_dict(lease, "metadata").get("namespace"))
    return Leader(holder, renewed, leads, namespace=namespace)


def _leases(kubectl: Kubectl, names: Sequence[str]) -> Leases | str:
    found: Leases = []
    for name in names:
        listed = list_objects(
            kubectl, "leases.coordination.k8s.io", f"--field-selector=metadata.name={name}"
        )
        if isinstance(listed, str):
            return listed
        found += listed
    return found


def _lease_names(kubectl: Kubectl) -> Iterator[str]:
    """The Leases that Deployments of the worker name as their argument."""
    deployments = list_objects(kubectl, "deployments.apps", f"--selector={COMPONENT}=worker")
    for deployment in deployments if isinstance(deployments, list) else ():
        pod = nested_dict(nested_dict(nested_dict(deployment, "spec"), "template"), "spec")
        for container in nested_list(pod, "containers"):
            words = container.get("args")
            for word in words if isinstance(words, list) else ():
                if as_str(word).startswith("--lease="):
                    yield as_str(word).partition("=")[2]


def rules_ahead(kubectl: Kubectl, rule: Rule) -> int:
    """The rules that no worker has reconciled yet and that are older than this one."""
    listed = list_objects(kubectl, RESOURCE)
    metadata = nested_dict(rule, "metadata")
    key = as_str(metadata.get("namespace")), as_str(metadata.get("name"))
    return 0 if isinstance(listed, str) else unseen_by_age(listed).get(key, 0)


def unseen_by_age(rules: Sequence[Rule]) -> dict[tuple[str, str], int]:
    """The rules that no worker has reconciled yet, by namespace and name, with the older ones."""
    unseen = [nested_dict(rule, "metadata") for rule in rules if not is_seen(rule)]
    unseen.sort(key=lambda each: as_str(each.get("creationTimestamp")))
    return {
        (as_str(each.get("namespace")), as_str(each.get("name"))): place
        for place, each in enumerate(unseen)
    }


def created(rule: Rule) -> Instant:
    """When the rule was created; the year 1 if that cannot be read."""
    return as_instant(nested_dict(rule, "metadata").get("creationTimestamp")) or Instant(0)


def list_objects(kubectl: Kubectl, resource: str, *words: str) -> Leases | str:
    """The objects of all namespaces, or why they cannot be read."""
    done, answer = kubectl.try_run("get", resource, "--all-namespaces", "-o", "json", *words)
    if not done:
        return one_line(answer)
    return list(nested_list(json.loads(answer), "items"))


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
