"""One request as the checks of admission see it: raw values, read where they can be read.

Made by ``validation.review`` for each request; every check and every caution takes one.
"""

from collections.abc import Callable
from typing import Any, Final

from summaryrule import kql
from summaryrule.api import unstructured
from summaryrule.api.backfill_request import (
    RequestIdentity,
    StoredRequests,
    find_in_history,
    is_active,
    is_completed,
    is_same_request,
    read_stored_requests,
    request_of,
)
from summaryrule.api.constants import LOOKBACK_DAYS, REQUESTED_BY_ANNOTATION
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.v1 import BackfillRecord
from summaryrule.api.windows import ceil, floor

Json = dict[str, Any]
ParseCel = Callable[[str], str | None]
"""Why a CEL expression does not parse, with its position; None where it does."""

_NO_PAST: Final = StoredRequests()
_MONTH: Final = LOOKBACK_DAYS * TICKS_PER_DAY


class AdmissionContext:
    """``new`` over ``old`` (empty on CREATE), sent by ``user`` at ``now``.

    ``body`` is the body where this request changed it, ``code`` is it from its first character of
    code on.
    """

    def __init__(self, old: Json, new: Json, user: str, now: Instant, parse_cel: ParseCel) -> None:
        self.old, self.new, self.user, self.now, self.parse_cel = old, new, user, now, parse_cel
        self.spec, self.old_spec = (
            unstructured.nested_dict(new, "spec"),
            unstructured.nested_dict(old, "spec"),
        )
        self.backfill = unstructured.nested_dict(self.spec, "backfill")
        self.old_backfill = unstructured.nested_dict(self.old_spec, "backfill")
        self.interval = unstructured.interval_of(self.spec)
        self.delay = unstructured.ingestion_delay_of(self.spec)
        self.start = unstructured.as_instant(self.backfill.get("start"))
        self.end = unstructured.as_instant(self.backfill.get("end"))
        self._past = None if old.get("status") else _NO_PAST
        self.body = self.changed_text("body")
        self.code = kql.first_code(self.body) if self.body else None

    @property
    def stored_requests(self) -> StoredRequests:
        """The requests that the stored status tells of."""
        if self._past is None:
            self._past = read_stored_requests(self.old)
        return self._past

    @property
    def request(self) -> RequestIdentity | None:
        """The request that the backfill stands for."""
        return request_of(self.backfill, self.interval)

    def changed_text(self, name: str) -> str | None:
        """A string of spec that this request changed."""
        value = self.spec.get(name)
        changed = value != self.old_spec.get(name)
        return value if changed and isinstance(value, str) else None

    def has_changed(self, *names: str) -> bool:
        """Whether this request changed any of these fields of the backfill."""
        return any(self.backfill.get(name) != self.old_backfill.get(name) for name in names)

    def is_too_old(self, at: Instant) -> bool:
        """Whether a new request may not reach back to ``at``."""
        return at.ticks < self.now.ticks - _MONTH and at < self.earliest

    def is_too_far(self, at: Instant) -> bool:
        """Whether a new request may not reach ahead to ``at``."""
        return at.ticks > self.now.ticks + _MONTH and at > self.latest

    @property
    def earliest(self) -> Instant:
        """The earliest start allowed: the grid boundary at or before 30 days ago."""
        ago = self.now.plus(-_MONTH)
        return floor(ago, self.interval) if self.interval else ago

    @property
    def latest(self) -> Instant:
        """The latest end allowed: the grid boundary at or after 30 days from now."""
        ahead = self.now.plus(_MONTH)
        return ceil(ahead, self.interval) if self.interval else ahead

    @property
    def is_running(self) -> bool:
        """Whether the backfill means the one that status has under way."""
        running = self.stored_requests.running
        asked = self.request if running is not None else None
        return asked is not None and is_same_request(running, asked)

    @property
    def completed_record(self) -> BackfillRecord | None:
        """The record of this very request, done as far as it asks."""
        asked = self.request if self.stored_requests.history else None
        if asked is None:
            return None
        record = find_in_history(self.stored_requests.history, asked)
        return record if is_completed(record, self.end) else None

    @property
    def is_already_requested(self) -> bool:
        """Whether the backfill asks for nothing new: it runs already, or history has it done."""
        return self.is_running or self.completed_record is not None

    @property
    def requester(self) -> str | None:
        """Who asked, as this request writes it."""
        return unstructured.annotation_of(self.new, REQUESTED_BY_ANNOTATION)

    @property
    def requester_before(self) -> str | None:
        """Who asked, as stored."""
        return unstructured.annotation_of(self.old, REQUESTED_BY_ANNOTATION)

    @property
    def is_unchanged(self) -> bool:
        """Whether spec and requester are what they were: nothing here is to be judged."""
        is_stored = bool(self.old)
        return (
            is_stored
            and self.old.get("spec") == self.new.get("spec")
            and self.requester_before == self.requester
        )


_ABSENT: Json = {}


class DefaultingContext:
    """``new`` as it arrived over ``old``, sent by ``user`` at ``now``; changed step by step."""

    def __init__(self, old: Json, new: Json, user: str, now: Instant) -> None:
        self.old, self.user, self.now = old, user, now
        self.spec = dict(new["spec"])
        self.new = {**new, "spec": self.spec}
        self.warnings: list[str] = []
        self.is_end_defaulted = False
        self.old_backfill = unstructured.nested_dict(
            unstructured.nested_dict(old, "spec"), "backfill"
        )
        self.has_backfill = isinstance(self.spec.get("backfill"), dict)
        self.backfill = dict(self.spec["backfill"]) if self.has_backfill else _ABSENT
        if self.has_backfill:
            self.spec["backfill"] = self.backfill
        self.interval = unstructured.interval_of(self.spec)
        self._past: StoredRequests | None = None

    @property
    def stored_requests(self) -> StoredRequests:
        """The requests that the stored status tells of."""
        if self._past is None:
            self._past = read_stored_requests(self.old)
        return self._past

    @property
    def request(self) -> RequestIdentity | None:
        """The request that the backfill stands for."""
        return request_of(self.backfill, self.interval)

    @property
    def record(self) -> BackfillRecord | None:
        """What history has of this very request."""
        asked = self.request if self.stored_requests.history else None
        return find_in_history(self.stored_requests.history, asked) if asked is not None else None

    @property
    def stored_start(self) -> Instant | None:
        """Where the stored backfill's start stands."""
        return unstructured.as_instant(self.old_backfill.get("start"))

    @property
    def is_ordered(self) -> bool:
        """Whether the backfill's start is before its end."""
        start = unstructured.as_instant(self.backfill.get("start"))
        end = unstructured.as_instant(self.backfill.get("end"))
        return start is not None and end is not None and start < end

    @property
    def is_running(self) -> bool:
        """Whether the backfill means the one that status has under way."""
        running = self.stored_requests.running
        asked = self.request if is_active(running) else None
        return asked is not None and is_same_request(running, asked)

    @property
    def is_new_request(self) -> bool:
        """Whether the backfill asks for something that was not asked for before."""
        if not self.has_backfill or self.is_running:
            return False
        names = ("start", "requestId")
        return any(self.backfill.get(name) != self.old_backfill.get(name) for name in names)

    def has_changed(self, name: str) -> bool:
        """Whether this field of the backfill is another than the stored one."""
        return bool(self.backfill.get(name) != self.old_backfill.get(name))

    def warn(self, text: str) -> None:
        """Tell the author of a value that was changed."""
        self.warnings.append(text)

    def remove_backfill(self) -> None:
        """Leave the stored backfill, or none, in the place of the one that arrived."""
        self.has_backfill = bool(self.old_backfill)
        self.backfill = self.old_backfill
        self.is_end_defaulted = False
        if self.has_backfill:
            self.spec["backfill"] = self.old_backfill
        else:
            del self.spec["backfill"]

    def annotate(self, name: str, value: str | None) -> None:
        """Set an annotation, or remove it; an object whose metadata is not one stays as it is."""
        metadata = self.new.get("metadata")
        before = metadata.get("annotations") if isinstance(metadata, dict) else 0
        if not isinstance(metadata, dict) or not isinstance(before, dict | None):
            return
        after = {key: text for key, text in (before or {}).items() if key != name}
        if value is not None:
            after[name] = value
        self.new["metadata"] = {**metadata, "annotations": after}
        if not after:
            del self.new["metadata"]["annotations"]
