"""One object on its way through the defaults: what arrived, what was stored, what was said.

A draft copies only the parts that a default may change; everything else is shared with the
object that arrived, however large or deep it is. Used by ``defaulting`` only.
"""

from typing import Any

from summaryrule import manifest
from summaryrule.instant import Instant
from summaryrule.request import Ask, Past, continues, find_ended, is_active, read_past
from summaryrule.v1 import BackfillRecord

Json = dict[str, Any]
_ABSENT: Json = {}


class Draft:
    """``new`` as it arrived over ``old``, sent by ``user`` at ``now``; changed step by step."""

    def __init__(self, old: Json, new: Json, user: str, now: Instant) -> None:
        self.old, self.user, self.now = old, user, now
        self.spec = dict(new["spec"])
        self.new = {**new, "spec": self.spec}
        self.warnings: list[str] = []
        self.chose_end = False
        self.old_backfill = manifest.part(manifest.part(old, "spec"), "backfill")
        self.has_backfill = isinstance(self.spec.get("backfill"), dict)
        self.backfill = dict(self.spec["backfill"]) if self.has_backfill else _ABSENT
        if self.has_backfill:
            self.spec["backfill"] = self.backfill
        self.interval = manifest.interval(self.spec)
        self._past: Past | None = None

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

    @property
    def ended(self) -> BackfillRecord | None:
        """What history has of this very request."""
        asked = self.ask if self.past.history else None
        return find_ended(self.past.history, asked) if asked is not None else None

    @property
    def cursor(self) -> Instant | None:
        """Where the stored backfill's start stands."""
        return manifest.instant(self.old_backfill, "start")

    @property
    def is_ordered(self) -> bool:
        """Whether the backfill's start is before its end."""
        start = manifest.instant(self.backfill, "start")
        end = manifest.instant(self.backfill, "end")
        return start is not None and end is not None and start < end

    @property
    def is_running(self) -> bool:
        """Whether the backfill means the one that status has under way."""
        running = self.past.running
        asked = self.ask if is_active(running) else None
        return asked is not None and continues(running, asked)

    @property
    def is_new_request(self) -> bool:
        """Whether the backfill asks for something that was not asked for before."""
        if not self.has_backfill or self.is_running:
            return False
        names = ("start", "requestId")
        return any(self.backfill.get(name) != self.old_backfill.get(name) for name in names)

    def changes(self, name: str) -> bool:
        """Whether this field of the backfill is another than the stored one."""
        return bool(self.backfill.get(name) != self.old_backfill.get(name))

    def warn(self, text: str) -> None:
        """Tell the author of a value that was changed."""
        self.warnings.append(text)

    def take_backfill_out(self) -> None:
        """Leave the stored backfill, or none, in the place of the one that arrived."""
        self.has_backfill = bool(self.old_backfill)
        self.backfill = self.old_backfill
        self.chose_end = False
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
