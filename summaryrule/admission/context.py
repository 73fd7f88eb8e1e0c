"""One admission request, as the defaulting steps and the checks read it.

Both stages get raw JSON that no schema has accepted yet. A value that cannot be read is None or
empty here; the schema refuses it.
"""

from collections.abc import Callable
from functools import cached_property
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
from summaryrule.api.replaceable import earliest_request, replaceable_since
from summaryrule.api.v1 import BackfillRecord
from summaryrule.api.windows import ceil

Json = dict[str, Any]
ParseCel = Callable[[str], str | None]
"""Why a CEL expression does not parse, with its position; None if it parses."""

_LOOKBACK: Final = LOOKBACK_DAYS * TICKS_PER_DAY


class _RequestContext:
    """The backfill of a request beside the requests that the stored status holds."""

    def __init__(self, old: Json, spec: Json, backfill: Json) -> None:
        self.old, self.spec, self.backfill = old, spec, backfill
        self.old_spec = unstructured.nested_dict(old, "spec")
        self.old_backfill = unstructured.nested_dict(self.old_spec, "backfill")
        self.interval = unstructured.interval_of(spec)

    @cached_property
    def stored_requests(self) -> StoredRequests:
        """The requests in the stored status."""
        return read_stored_requests(self.old)

    @property
    def request(self) -> RequestIdentity | None:
        """The identity of the backfill; None if its start or the interval cannot be read."""
        return request_of(self.backfill, self.interval)

    @property
    def record(self) -> BackfillRecord | None:
        """The entry of this request in history."""
        request = self.request if self.stored_requests.history else None
        return find_in_history(self.stored_requests.history, request) if request else None

    @property
    def is_current(self) -> bool:
        """Whether the backfill is the one in ``status.backfill``.

        That one is active, or it has ended and the worker still has to remove it from spec.
        """
        current = self.stored_requests.current
        request = self.request if current is not None else None
        return request is not None and is_same_request(current, request)

    @property
    def is_running(self) -> bool:
        """Whether the backfill is the one in ``status.backfill`` and that one has not ended."""
        return is_active(self.stored_requests.current) and self.is_current

    def has_changed(self, *names: str) -> bool:
        """Whether any of these fields of the backfill differs from the stored one."""
        return any(self.backfill.get(name) != self.old_backfill.get(name) for name in names)


class AdmissionContext(_RequestContext):
    """``new`` over ``old`` (empty on CREATE), sent by ``user`` at ``now``, for checks and warnings.

    ``body`` is the body if this request changed it, else None. ``code`` is the body from its first
    character of code on.
    """

    def __init__(self, old: Json, new: Json, user: str, now: Instant, parse_cel: ParseCel) -> None:
        spec = unstructured.nested_dict(new, "spec")
        super().__init__(old, spec, unstructured.nested_dict(spec, "backfill"))
        self.new, self.user, self.now, self.parse_cel = new, user, now, parse_cel
        self.delay = unstructured.ingestion_delay_of(spec)
        self.start = unstructured.as_instant(self.backfill.get("start"))
        self.end = unstructured.as_instant(self.backfill.get("end"))
        self.body = self.changed_text("body")
        self.code = kql.first_code(self.body) if self.body else None

    @cached_property
    def request(self) -> RequestIdentity | None:
        """As in the base class; computed once, because no check changes the backfill."""
        return super().request

    def changed_text(self, name: str) -> str | None:
        """A string of spec, if this request changed it."""
        value = self.spec.get(name)
        changed = value != self.old_spec.get(name)
        return value if changed and isinstance(value, str) else None

    def is_too_old(self, at: Instant) -> bool:
        """Whether ``at`` is too far in the past for the start or the end of a new request."""
        return at.ticks < self.now.ticks - _LOOKBACK and at < self.earliest

    def is_too_far(self, at: Instant) -> bool:
        """Whether ``at`` is too far in the future for the end of a request."""
        return at.ticks > self.now.ticks + _LOOKBACK and at > self.latest

    @property
    def earliest(self) -> Instant:
        """The earliest start allowed: the grid boundary at or before 30 days ago."""
        if self.interval:
            return earliest_request(self.now, self.interval)
        return self.now.plus(-_LOOKBACK)

    @property
    def replaces(self) -> bool:
        """Whether the rule's windows take the place of their earlier rows."""
        return self.spec.get("writeMode") == "Replace"

    @property
    def replaceable_since(self) -> Instant | None:
        """From which window on mode Replace can replace rows; None if the interval is unknown."""
        stored, interval = self.stored_requests, self.interval
        if interval is None:
            return None
        replace = stored.replace
        if replace is not None and replace.interval == interval:
            return replace.since
        earliest = earliest_request(self.now, interval)
        return replaceable_since(stored.schedule, stored.current, stored.history, earliest)

    @property
    def latest(self) -> Instant:
        """The latest end allowed: the grid boundary at or after 30 days from now."""
        ahead = self.now.plus(_LOOKBACK)
        return ceil(ahead, self.interval) if self.interval else ahead

    @property
    def completed_record(self) -> BackfillRecord | None:
        """The entry of this request in history, if it is done up to the end that spec has."""
        record = self.record
        return record if is_completed(record, self.end) else None

    @property
    def is_already_requested(self) -> bool:
        """Whether the backfill is not a new request: it is in status, or done in history."""
        return self.is_current or self.completed_record is not None

    @property
    def requester(self) -> str | None:
        """The requester annotation of the new object."""
        return unstructured.annotation_of(self.new, REQUESTED_BY_ANNOTATION)

    @property
    def requester_before(self) -> str | None:
        """The requester annotation of the stored object."""
        return unstructured.annotation_of(self.old, REQUESTED_BY_ANNOTATION)

    @property
    def is_unchanged(self) -> bool:
        """Whether spec and requester are as stored, so that there is nothing to check."""
        is_stored = bool(self.old)
        return (
            is_stored
            and self.old.get("spec") == self.new.get("spec")
            and self.requester_before == self.requester
        )


class DefaultingContext(_RequestContext):
    """A copy of ``new`` that the defaulting steps change, and their warnings.

    ``new`` is the object as it arrived over ``old``, sent by ``user`` at ``now``.
    """

    def __init__(self, old: Json, new: Json, user: str, now: Instant) -> None:
        spec = dict(new["spec"])
        self.has_backfill = isinstance(spec.get("backfill"), dict)
        super().__init__(old, spec, dict(spec["backfill"]) if self.has_backfill else {})
        self.new = {**new, "spec": spec}
        self.user, self.now = user, now
        self.warnings: list[str] = []
        self.copied_bounds: list[str] = []
        self.is_end_defaulted = False
        if self.has_backfill:
            spec["backfill"] = self.backfill

    @property
    def stored_start(self) -> Instant | None:
        """The start of the stored ``spec.backfill``: the cursor while the backfill runs."""
        return unstructured.as_instant(self.old_backfill.get("start"))

    @property
    def is_ordered(self) -> bool:
        """Whether the backfill's start is before its end."""
        start = unstructured.as_instant(self.backfill.get("start"))
        end = unstructured.as_instant(self.backfill.get("end"))
        return start is not None and end is not None and start < end

    @property
    def is_new_request(self) -> bool:
        """Whether the backfill is a request that was not made before."""
        if not self.has_backfill or self.is_running:
            return False
        return self.has_changed("start", "requestId")

    def warn(self, text: str) -> None:
        """Add a warning for the author of the request."""
        self.warnings.append(text)

    def remove_backfill(self) -> None:
        """Replace the backfill that arrived with the stored one, or remove it if there is none."""
        self.has_backfill = bool(self.old_backfill)
        self.backfill = self.old_backfill
        self.is_end_defaulted = False
        if self.has_backfill:
            self.spec["backfill"] = self.old_backfill
        else:
            del self.spec["backfill"]

    def annotate(self, name: str, value: str | None) -> None:
        """Set an annotation; None removes it. Metadata of another type than an object is kept."""
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
