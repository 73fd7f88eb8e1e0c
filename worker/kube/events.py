"""Records Events about rules, aggregated.

One Event object stands for one message about one rule: the same message again raises ``count`` and
``lastTimestamp``. So a backfill of 43,200 windows leaves a few Events, and a worker that restarts
continues with the same ones (their names are derived, not random).
"""

import contextlib
import hashlib
import logging
from collections import OrderedDict
from typing import Any, Final

from runtime.errors import Conflict, NotFound, OperatorError
from runtime.kube.client import EVENTS, MERGE_PATCH, KubeClient
from summaryrule.api.constants import FIELD_MANAGER
from summaryrule.api.instant import Instant
from worker.ports import Clock, EventType, RawRule

log = logging.getLogger(__name__)

_REMEMBERED: Final = 4096
_LONGEST_MESSAGE: Final = 1024  # the API server's own limit, in bytes
_LONGEST_NAME: Final = 253 - 17
_WITHIN: Final = 5.0
_QUERY: Final = {"fieldManager": FIELD_MANAGER}


class KubeEventRecorder:
    """Best effort, as client-go's recorder is: a lost Event is logged and nothing else."""

    def __init__(self, api: KubeClient, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def emit(self, rule: RawRule, kind: EventType, reason: str, message: str) -> None:
        """Emit an Event about ``rule``, or raise the count of the one that exists."""
        text = _shorten(message)
        event = self._event(rule, kind, reason, text)
        try:
            count = await self._store(event)
        except OperatorError as error:
            log.warning("an Event was not stored (%s: %s): %s", reason, text, error)
            return
        self._remember(_key(event), count)

    async def _store(self, event: dict[str, Any]) -> int:
        """Write it; return its count."""
        remembered = self._counts.get(_key(event))
        if remembered is not None:
            # NotFound: the server drops an Event after an hour, then a new one begins.
            with contextlib.suppress(NotFound):
                return await self._raise_count(event, remembered + 1)
        try:
            await self._create(event)
        except Conflict:  # an earlier worker emitted it
            return await self._raise_count(event, await self._stored_count(event) + 1)
        return 1

    async def _create(self, event: dict[str, Any]) -> None:
        path = EVENTS.collection(event["metadata"]["namespace"])
        await self._api.request("POST", path, query=_QUERY, body=event, timeout=_WITHIN)

    async def _stored_count(self, event: dict[str, Any]) -> int:
        stored = await self._api.request("GET", EVENTS.item(*_key(event)), timeout=_WITHIN)
        return int(stored.get("count") or 0)

    async def _raise_count(self, event: dict[str, Any], count: int) -> int:
        await self._api.request(
            "PATCH",
            EVENTS.item(*_key(event)),
            query=_QUERY,
            body={"count": count, "lastTimestamp": event["lastTimestamp"]},
            content_type=MERGE_PATCH,
            timeout=_WITHIN,
        )
        return count

    def _remember(self, key: tuple[str, str], count: int) -> None:
        self._counts[key] = count
        self._counts.move_to_end(key)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)

    def _event(self, rule: RawRule, kind: EventType, reason: str, text: str) -> dict[str, Any]:
        now = Instant(self._clock.now()).to_seconds()
        name = _name(rule, kind, reason, text)
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": rule["metadata"]["namespace"]},
            "involvedObject": _reference(rule),
            "type": kind,
            "reason": reason,
            "message": text,
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _key(event: dict[str, Any]) -> tuple[str, str]:
    return event["metadata"]["namespace"], event["metadata"]["name"]


def _reference(rule: RawRule) -> dict[str, Any]:
    kept = ("namespace", "name", "uid", "resourceVersion")
    return {"apiVersion": rule["apiVersion"], "kind": rule["kind"]} | {
        key: rule["metadata"][key] for key in kept
    }


def _name(rule: RawRule, kind: str, reason: str, text: str) -> str:
    said = "\0".join((rule["metadata"]["uid"], kind, reason, text))
    digest = hashlib.sha256(said.encode()).hexdigest()[:16]
    return f"{rule['metadata']['name'][:_LONGEST_NAME].rstrip('.-')}.{digest}"


def _shorten(message: str) -> str:
    raw = " ".join(message.split()).encode()
    return raw[:_LONGEST_MESSAGE].decode("utf-8", "ignore")
