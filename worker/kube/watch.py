"""A watch's byte stream as events. Called by ``worker.kube.reflector``."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from worker.errors import Gone, Temporary

_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
# A Kubernetes object is at most 1.5 MiB in etcd; as JSON with its managedFields it stays far below.
_LONGEST_LINE: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``kind`` is ADDED, MODIFIED, DELETED or BOOKMARK; of a bookmark only metadata is there."""

    kind: str
    object: dict[str, Any]

    @property
    def version(self) -> str:
        """The resourceVersion from which a later watch goes on after this event."""
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
