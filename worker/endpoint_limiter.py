"""A concurrency limit per Kusto endpoint, so that an endpoint that hangs does not block all rules.

A call to an endpoint that hangs lasts half a minute, and so does the reconcile of its rule. A few
rules are reconciled at a time. If all of them waited for that endpoint, no other rule would run
until the circuit breaker opens. A rule that gets no slot waits here and is requeued when a slot is
free.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from worker.kube.store import Key


def slots_per_endpoint(workers: int, endpoints: Mapping[str, str]) -> int:
    """Slots of one endpoint: half of the concurrent reconciles, or all if there is one endpoint.

    Args:
        workers: rules that are reconciled at the same time.
        endpoints: URL by database.
    """
    return workers if len(set(endpoints.values())) <= 1 else max(1, workers // 2)


@dataclass(slots=True)
class _Endpoint:
    taken: int = 0
    waiting: dict[Key, None] = field(default_factory=dict)


class EndpointLimiter:
    """The slots of all endpoints of one worker."""

    def __init__(self, each: int, notify: Callable[[Key], None]) -> None:
        """``each`` is the number of slots per endpoint; ``notify`` gets a rule whose turn it is."""
        self._each, self._notify = each, notify
        self._endpoints: defaultdict[str, _Endpoint] = defaultdict(_Endpoint)

    def places(self) -> dict[Key, int]:
        """The rules that wait for a slot, each with the number of rules before it."""
        return {
            key: place
            for endpoint in self._endpoints.values()
            for place, key in enumerate(endpoint.waiting)
        }

    def usage(self) -> dict[str, dict[str, int]]:
        """The slots by endpoint: ``taken`` and ``limit``, and the rules that wait for one."""
        return {
            url: {"taken": each.taken, "limit": self._each, "waiting": len(each.waiting)}
            for url, each in self._endpoints.items()
        }

    @contextlib.contextmanager
    def slot(self, endpoint: str | None, key: Key) -> Iterator[bool]:
        """Take a slot for the time of the block; yields whether there was one.

        ``endpoint`` None needs no slot. A rule that gets no slot waits in line, at most
        once.
        """
        if endpoint is None:
            yield True
            return
        limited = self._endpoints[endpoint]
        if limited.taken >= self._each:
            limited.waiting[key] = None
            yield False
            return
        limited.taken += 1
        limited.waiting.pop(key, None)
        try:
            yield True
        finally:
            limited.taken -= 1
            self._wake_next(limited)

    def _wake_next(self, limited: _Endpoint) -> None:
        if limited.waiting:
            key = next(iter(limited.waiting))
            del limited.waiting[key]
            self._notify(key)
