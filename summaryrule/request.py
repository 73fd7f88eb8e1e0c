"""What a backfill request is, and whether one is new, running, or long done.

A request is its start on the grid and its requestId (design, section 7). Admission and the
worker ask the same questions here, so that they cannot disagree.
"""

from collections.abc import Iterable
from typing import Final

from summaryrule.instant import Instant
from summaryrule.v1 import BackfillRecord, BackfillStatus, Phase

ACTIVE: Final[frozenset[Phase]] = frozenset({"Pending", "Running", "Paused", "Failed"})


def is_active(status: BackfillStatus | None) -> bool:
    """Whether a backfill is under way: running, paused, or failed and waiting for an act."""
    return status is not None and status.phase in ACTIVE


def continues(status: BackfillStatus | None, start: Instant, request_id: str | None) -> bool:
    """Whether this spec speaks of the backfill that status has under way.

    The worker advances ``spec.backfill.start``, and a re-apply or a stale copy sets it back; so
    any start from the requested one to the high-water mark is the same request. Nothing that has
    run runs again because a start went backwards.
    """
    return (
        status is not None
        and (status.phase in ACTIVE or status.clearing)
        and (status.request_id or None) == (request_id or None)
        and status.requested_start <= start <= max(status.done_until, status.requested_start)
    )


def find_ended(
    history: Iterable[BackfillRecord], start: Instant, request_id: str | None
) -> BackfillRecord | None:
    """The newest ended backfill of exactly this start and requestId."""
    for record in history:
        if record.start == start and (record.id or None) == (request_id or None):
            return record
    return None


def has_run(record: BackfillRecord | None, end: Instant | None) -> bool:
    """Whether history has every window up to ``end`` as done (None: as far as it was asked)."""
    if record is None or record.done_until is None:
        return False
    return record.done_until >= (record.end if end is None else end)
