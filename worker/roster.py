"""Which workers are alive that share the rules in the same way. ``worker.shards`` takes part.

The Lease that a single worker leads by is, with shards, held by all workers of one number of
shards together: its holder is that number, and an annotation has the workers. So workers of
another number, one included, wait until the last of these is gone, as they would for any holder.

1.  Any write of the Lease by one of them keeps it for all. A worker that finds it changed since it
    last looked counts from when it sent that earlier look: the change was stored later, and others
    count from the change. So a slow API server, where writes of many workers get in each other's
    way, costs none of them the roster.
2.  Nobody gives it up: the last to go cannot know that it is the last. It expires.
3.  A worker counts as alive while its own count of renewals grows, by the watcher's monotonic
    clock. This serves the fair sharing only, nothing's safety.
"""

import json
from typing import Any, Final

from worker.backoff import Backoff
from worker.errors import Conflict
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
        self._looked: tuple[str, float] | None = None
        self._seen_counts: dict[str, tuple[int, float]] = {}

    @property
    def workers(self) -> set[str]:
        """Those alive, this one included, by what its last renewal read."""
        return {*self._alive(), self._worker}

    async def _take(self, lease: dict[str, Any] | None) -> dict[str, Any]:
        self._looked = None
        return await super()._take(lease and self._signed(lease))

    async def _write_renewal(self, leadership: Leadership) -> None:
        asked = self._clock.monotonic()
        await self._look_again(leadership)
        if leadership.remaining <= 0 or self._held is None:
            return
        was_renewed = self._was_renewed(str(self._held["metadata"]["resourceVersion"]), asked)
        if was_renewed is not None:
            leadership.extend(was_renewed + self._timing.renew_deadline)
        self._held = self._signed(self._held)
        try:
            await super()._write_renewal(leadership)
        except Conflict:
            if was_renewed is None:
                raise

    def _was_renewed(self, version: str, asked: float) -> float | None:
        """A time before somebody's last renewal, if there was one since the last look."""
        before, self._looked = self._looked, (version, asked)
        return before[1] if before is not None and before[0] != version else None

    async def _write_farewell(self, held: dict[str, Any]) -> None:
        """Leave it to the others, if there are any."""
        self._watch(_counts(held))
        others = {each: n for each, n in self._alive().items() if each != self._worker}
        within = self._timing.retry
        await self._leases.replace(_with(held, others), held["spec"], within=within)

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
