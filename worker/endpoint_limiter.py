"""How many rules may be at one Kusto endpoint at once, so that one which hangs cannot hold all.

A call to an endpoint that hangs lasts half a minute, and with it the look at its rule. The
reconcile loop looks at a few rules at a time; were they all at that endpoint, no other would have
its turn until the circuit opens. A rule that finds no berth waits here, and is put back on the
queue when one is free.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from worker.kube.store import Key


def slots_per_endpoint(workers: int, endpoints: Mapping[str, str]) -> int:
    """The rules that may be at one endpoint: half of those looked at at once, all if it is alone.

    Args:
        workers: how many rules are looked at at a time.
        endpoints: URL by database.
    """
    return workers if len(set(endpoints.values())) <= 1 else max(1, workers // 2)


@dataclass(slots=True)
class _Endpoint:
    taken: int = 0
    waiting: dict[Key, None] = field(default_factory=dict)


class EndpointLimiter:
    """One for all looks of a worker."""

    def __init__(self, each: int, notify: Callable[[Key], None]) -> None:
        """``each`` endpoint has so many; ``notify`` is told of a rule that need not wait on."""
        self._each, self._notify = each, notify
        self._endpoints: defaultdict[str, _Endpoint] = defaultdict(_Endpoint)

    @contextlib.contextmanager
    def slot(self, endpoint: str | None, key: Key) -> Iterator[bool]:
        """Whether the rule has a berth, for the time of the block; None needs none.

        Without one it waits in line, once however often it asks.
        """
        if endpoint is None:
            yield True
            return
        quay = self._endpoints[endpoint]
        if quay.taken >= self._each:
            quay.waiting[key] = None
            yield False
            return
        quay.taken += 1
        quay.waiting.pop(key, None)
        try:
            yield True
        finally:
            quay.taken -= 1
            self._wake_next(quay)

    def _wake_next(self, quay: _Endpoint) -> None:
        if quay.waiting:
            key = next(iter(quay.waiting))
            del quay.waiting[key]
            self._notify(key)
