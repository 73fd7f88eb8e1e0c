"""One request as the checks of admission see it: raw values, read where they can be read.

Made by ``validation.review`` for each request; every check and every caution takes one.
"""

from collections.abc import Callable
from typing import Any, Final

from summaryrule import kql, manifest
from summaryrule.instant import TICKS_PER_DAY, Instant
from summaryrule.request import Ask, Past, continues, find_ended, has_run, read_past
from summaryrule.v1 import REQUESTED_BY, BackfillRecord
from summaryrule.windows import ceil, floor

Json = dict[str, Any]
ParseCel = Callable[[str], str | None]
"""Why a CEL expression does not parse, with its position; None where it does."""

LOOKBACK_DAYS: Final = 30
_NO_PAST: Final = Past()
_MONTH: Final = LOOKBACK_DAYS * TICKS_PER_DAY


class Case:
    """``new`` over ``old`` (empty on CREATE), sent by ``user`` at ``now``.

    ``body`` is the body where this request changed it, ``code`` is it from its first character of
    code on.
    """

    def __init__(self, old: Json, new: Json, user: str, now: Instant, parse_cel: ParseCel) -> None:
        self.old, self.new, self.user, self.now, self.parse_cel = old, new, user, now, parse_cel
        self.spec, self.old_spec = manifest.part(new, "spec"), manifest.part(old, "spec")
        self.backfill = manifest.part(self.spec, "backfill")
        self.old_backfill = manifest.part(self.old_spec, "backfill")
        self.interval = manifest.interval(self.spec)
        self.delay = manifest.delay(self.spec)
        self.start = manifest.instant(self.backfill, "start")
        self.end = manifest.instant(self.backfill, "end")
        self._past = None if old.get("status") else _NO_PAST
        self.body = self.text("body")
        self.code = kql.first_code(self.body) if self.body else None

    @property
    def past(self) -> Past:
        """The requests that the stored status tells of."""
        if self._past is None:
            self._past = read_past(self.old)
        return self._past

    @property
    def ask(self) -> Ask | None:
        """The request that the backfill stands for."""
        return manifest.request(self.backfill, self.interval)

    def text(self, name: str) -> str | None:
        """A string of spec that this request changed."""
        value = self.spec.get(name)
        changed = value != self.old_spec.get(name)
        return value if changed and isinstance(value, str) else None

    def changed(self, *names: str) -> bool:
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
        running = self.past.running
        asked = self.ask if running is not None else None
        return asked is not None and continues(running, asked)

    @property
    def ended(self) -> BackfillRecord | None:
        """The record of this very request, done as far as it asks."""
        asked = self.ask if self.past.history else None
        if asked is None:
            return None
        record = find_ended(self.past.history, asked)
        return record if has_run(record, self.end) else None

    @property
    def is_known(self) -> bool:
        """Whether the backfill asks for nothing new: it runs already, or history has it done."""
        return self.is_running or self.ended is not None

    @property
    def requester(self) -> str | None:
        """Who asked, as this request writes it."""
        return manifest.annotation(self.new, REQUESTED_BY)

    @property
    def requester_before(self) -> str | None:
        """Who asked, as stored."""
        return manifest.annotation(self.old, REQUESTED_BY)

    @property
    def is_same(self) -> bool:
        """Whether spec and requester are what they were: nothing here is to be judged."""
        is_stored = bool(self.old)
        return (
            is_stored
            and self.old.get("spec") == self.new.get("spec")
            and self.requester_before == self.requester
        )
