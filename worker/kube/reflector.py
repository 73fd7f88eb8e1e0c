"""A reflector: keeps a store equal to a resource of the API server, by list and watch.

Its rules:

1.  A list comes first: streamed as watch events where the server can (one pass, little memory on
    either side), in pages otherwise. The store is replaced only by a whole list.
2.  Then a watch from the list's resourceVersion; bookmarks and events advance it. A watch that
    ends is opened again from there, so that nothing is missed and nothing is listed twice.
3.  410, in either of its forms, or any error event: list again.
4.  A connection that stays silent may hang. If it brought anything before, the watch is opened
    again. If it brought nothing, the resourceVersion may be one that the server never had (a
    restored etcd: the server waits silently), so list again.
5.  Failures wait with a growing, jittered delay, which only progress resets.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from runtime.backoff import Backoff
from runtime.errors import Gone, OperatorError, Refused, Temporary, Unreachable
from runtime.kube.client import KubeClient
from worker.kube.store import Key, Store, key_of

log = logging.getLogger(__name__)

_RETRY_DELAYS: Final = (0.5, 30.0)
"""The shortest and the longest delay, in seconds, before a failed watch is started again."""
_STREAMING_LIST: Final = {
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "resourceVersion": "",
}


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``kind`` is ADDED, MODIFIED, DELETED or BOOKMARK; of a bookmark only metadata is there."""

    kind: str
    object: dict[str, Any]

    @property
    def version(self) -> str:
        """The resourceVersion from which a later watch continues after this event."""
        return str(self.object["metadata"]["resourceVersion"])

    @property
    def ends_initial_events(self) -> bool:
        """Whether it closes the list part of a streaming list."""
        annotations = self.object["metadata"].get("annotations") or {}
        return self.kind == "BOOKMARK" and annotations.get(_INITIAL_EVENTS_END) == "true"


async def parse_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[WatchEvent]:
    """The events of a watch's body, until it ends.

    Raises:
        Gone: the server no longer has the resourceVersion that was asked for.
        Temporary: it sent another error, or something that is no watch event (a proxy's HTML
            page comes with status 200, too).
    """
    async for line in _lines(chunks):
        yield _parse_event(line)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(rest) > _LONGEST_LINE:
            raise Temporary(f"the watch sent a line of more than {_LONGEST_LINE} bytes")
    if rest.strip():
        raise Temporary("the watch broke off in the middle of an event")


def _parse_event(line: bytes) -> WatchEvent:
    try:
        raw = msgspec.json.decode(line)
        kind, body = raw["type"], raw["object"]
        if kind == "ERROR":
            raise _parse_error(body)
        event = WatchEvent(kind, body)
        event.version  # noqa: B018 - its absence is an error here, not later
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        beginning = line[:80].decode("utf-8", "replace")
        raise Temporary(f"the watch sent something that is no event: {beginning!r}") from error
    return event


def _parse_error(status: dict[str, Any]) -> Gone | Temporary:
    message = f"the watch ended with an error: {status.get('message', status)}"
    # NB: HTTP says 200 here; the 410 is inside the event (Kubernetes 1.37).
    if status.get("code") == 410 or status.get("reason") in {"Expired", "Gone"}:  # noqa: PLR2004
        return Gone(message)
    return Temporary(message, float((status.get("details") or {}).get("retryAfterSeconds") or 0))


class Reflector:
    """One task; ``store`` may be read at any time, and is complete once ``synced`` is set."""

    def __init__(
        self,
        api: KubeClient,
        path: str,
        store: Store,
        *,
        silence: float = 150.0,
        backoff: Backoff | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Cache the collection at ``path``.

        ``silence`` is how many seconds a watch may bring nothing; servers send a bookmark about
        once a minute.
        """
        self.store = store
        self.synced = asyncio.Event()
        self._api = api
        self._path = path
        self._silence = silence
        self._backoff = backoff or Backoff(*_RETRY_DELAYS)
        self._draw = draw
        self._version: str | None = None
        self._can_stream_lists = True

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                await self._step()
            except Gone as error:
                log.info("%s is listed again: %s", self._path, error)
                self._version = None
                await asyncio.sleep(self._backoff.next())
            except OperatorError as error:
                log.warning("watching %s failed: %s", self._path, error)
                delay = error.delay if isinstance(error, Temporary) else 0.0
                await asyncio.sleep(max(delay, self._backoff.next()))

    async def _step(self) -> None:
        """One list, or one watch to its end."""
        if self._version is not None:
            await self._watch()
        elif self._can_stream_lists:
            await self._streaming_list()
        else:
            items, version = await paged_list(self._api, self._path)
            self._listed(items, version)

    async def _streaming_list(self) -> None:
        try:
            await self._watch()
        except Refused as error:
            # 422: the server (before 1.32, or with the gate off) knows no sendInitialEvents.
            log.info("%s cannot be listed as a stream, so in pages: %s", self._path, error)
            self._can_stream_lists = False

    async def _watch(self) -> None:
        """A watch from the known version; without one, a streaming list that turns into it."""
        pending: dict[Key, dict[str, object]] | None = None if self._version else {}
        heard = False
        try:
            async with self._api.stream(self._path, self._query(), silence=self._silence) as chunks:
                async for event in parse_events(chunks):
                    heard = True
                    pending = self._take(event, pending)
        except Unreachable as error:
            if not heard and isinstance(error.__cause__, TimeoutError):
                self._version = None
            raise
        if pending is not None:
            raise Temporary("the streaming list ended before it was whole")
        # A server that ends each watch at once must not be asked in a tight loop.
        await asyncio.sleep(self._draw() if heard else self._backoff.next())

    def _query(self) -> dict[str, str]:
        # The server ends the watch after this long; spread, so that watches do not end together.
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(300 * (1 + self._draw()))),
        }
        if self._version is None:
            return query | _STREAMING_LIST
        return query | {"resourceVersion": self._version}

    def _take(
        self, event: WatchEvent, pending: dict[Key, dict[str, object]] | None
    ) -> dict[Key, dict[str, object]] | None:
        """Apply one event, to the list being gathered if there is one; returns that list."""
        if pending is None:
            self._apply(event)
            return None
        if event.ends_initial_events:
            self._listed(pending, event.version)
            return None
        if event.kind == "DELETED":
            pending.pop(key_of(event.object), None)
        elif event.kind != "BOOKMARK":
            pending[key_of(event.object)] = event.object
        return pending

    def _apply(self, event: WatchEvent) -> None:
        if event.kind == "DELETED":
            self.store.remove(event.object)
        elif event.kind != "BOOKMARK":
            self.store.put(event.object)
        self._version = event.version
        self._backoff.reset()

    def _listed(self, items: dict[Key, dict[str, object]], version: str) -> None:
        self.store.replace(items)
        self._version = version
        self._backoff.reset()
        self.synced.set()


_PAGE: Final = "500"
_PAGE_TIMEOUT: Final = 60.0


async def paged_list(api: KubeClient, path: str) -> tuple[dict[Key, dict[str, Any]], str]:
    """Every object of the collection, and the resourceVersion to watch from.

    Raises:
        Gone: the pages outlived the server's snapshot. The caller lists again from the start:
            continuing with the fresh ``continue`` token of a list's 410 would mix two states, and a
            watch from either would miss changes.
        OperatorError: as ``KubeClient.request``.
    """
    items: dict[Key, dict[str, Any]] = {}
    query = {"limit": _PAGE}
    while True:
        page = await api.request("GET", path, query=query, timeout=_PAGE_TIMEOUT)
        items.update({key_of(item): item for item in page.get("items") or []})
        metadata = page["metadata"]
        if not metadata.get("continue"):
            return items, str(metadata["resourceVersion"])
        query = {"limit": _PAGE, "continue": metadata["continue"]}


_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
# A Kubernetes object is at most 1.5 MiB in etcd; as JSON with its managedFields it stays far below.
_LONGEST_LINE: Final = 16 * 2**20
