"""Which workers are alive that share the rules in the same way. ``worker.shards`` takes part.

The Lease that a single worker leads by is, with shards, held by all workers of one number of
shards together: its holder is that number, and an annotation has the workers. So workers of
another number, one included, wait until the last of these is gone, as they would for any holder.

A worker counts as alive while its own count of renewals grows, by the watcher's monotonic clock.
"""

import json
from typing import Any, Final

from worker.backoff import Backoff
from worker.lease import Elector, Leadership, Leases, Timing
from worker.ports import Clock

_WORKERS: Final = "adx-mon.azure.com/workers"


class Roster(Elector):
    """One worker's part in the common Lease; ``run`` is that of ``Elector``."""

    def __init__(
        self,
        leases: Leases,
        name: str,
        holders: str,
        worker: str,
        clock: Clock,
        *,
        timing: Timing | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """``holders`` is what all of them sign the Lease with, ``worker`` this one's own name."""
        super().__init__(leases, name, holders, clock, timing=timing, backoff=backoff)
        self._worker = worker
        self._seen_counts: dict[str, tuple[int, float]] = {}

    @property
    def workers(self) -> set[str]:
        """Those alive, this one included, by what its last renewal read."""
        return {*self._alive(), self._worker}

    async def _take(self, lease: dict[str, Any] | None) -> dict[str, Any]:
        """Signed before anything else: whoever leaves must not believe to be the last."""
        if lease is None:
            lease = await super()._take(None)
        return await super()._take(self._signed(lease))

    async def _write_renewal(self, leadership: Leadership) -> None:
        """Read before the write, as the others write the same Lease."""
        await self._look_again(leadership)
        if leadership.remaining > 0 and self._held is not None:
            self._held = self._signed(self._held)
            await super()._write_renewal(leadership)

    async def _write_farewell(self, held: dict[str, Any]) -> None:
        """Leave it to the others, or to anybody where this one was the last."""
        lease = await self._leases.read(held["metadata"]["name"], within=self._timing.retry)
        if lease is None or lease["spec"].get("holderIdentity") != self._identity:
            return
        self._watch(_counts(lease))
        others = {each: n for each, n in self._alive().items() if each != self._worker}
        if others:
            within = self._timing.retry
            await self._leases.replace(_with(lease, others), lease["spec"], within=within)
        else:
            await super()._write_farewell(_with(lease, {}))

    def _signed(self, lease: dict[str, Any]) -> dict[str, Any]:
        """The Lease with this worker's next renewal, and without those that are gone."""
        is_common = lease["spec"].get("holderIdentity") == self._identity
        counts = _counts(lease) if is_common else {}
        self._watch(counts)
        return _with(lease, self._alive() | {self._worker: counts.get(self._worker, 0) + 1})

    def _watch(self, counts: dict[str, int]) -> None:
        now, before = self._clock.monotonic(), self._seen_counts
        self._seen_counts = {
            each: before[each] if each in before and before[each][0] == count else (count, now)
            for each, count in counts.items()
        }

    def _alive(self) -> dict[str, int]:
        oldest = self._clock.monotonic() - self._timing.duration
        return {each: n for each, (n, since) in self._seen_counts.items() if since > oldest}


def _counts(lease: dict[str, Any]) -> dict[str, int]:
    """Renewals by worker; whatever else somebody wrote there is passed over."""
    try:
        found = json.loads(lease["metadata"].get("annotations", {}).get(_WORKERS, "{}"))
    except ValueError:
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {each: count for each, count in pairs if isinstance(count, int)}


def _with(lease: dict[str, Any], counts: dict[str, int]) -> dict[str, Any]:
    metadata = lease["metadata"]
    told = {_WORKERS: json.dumps(counts, sort_keys=True)}
    annotations = (metadata.get("annotations") or {}) | told
    return {**lease, "metadata": {**metadata, "annotations": annotations}}
