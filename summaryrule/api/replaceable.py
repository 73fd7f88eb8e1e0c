"""From which window on mode Replace can replace the rows of a rule.

Rows that were written in mode Append have no tag of their run, and rows of another interval belong
to other windows: neither can be dropped with their window. So a rule is replaceable from the end of
the last such window on. Admission and the worker both use this module.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from summaryrule.api.constants import LOOKBACK_DAYS
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.v1 import BackfillRecord, BackfillStatus, ScheduleStatus
from summaryrule.api.windows import floor
from summaryrule.kql import quote_name

REPLACES_ALL: Final = (
    "does not use _startTime and _endTime, so in mode Replace every window would write the rows of"
    " all; add: where Timestamp between (_startTime .. _endTime)"
)


def earliest_request(now: Instant, interval: Duration) -> Instant:
    """The earliest start of a new backfill: the grid boundary at or before 30 days ago."""
    return floor(now.plus(-LOOKBACK_DAYS * TICKS_PER_DAY), interval)


def replaceable_since(
    schedule: ScheduleStatus | None,
    backfill: BackfillStatus | None,
    history: Iterable[BackfillRecord],
    earliest: Instant,
) -> Instant:
    """The end of the last window that the rule wrote or may have written, at least ``earliest``."""
    return max([earliest, *_ends_of_schedule(schedule), *_ends_of_requests(backfill, history)])


def _ends_of_schedule(schedule: ScheduleStatus | None) -> Iterator[Instant]:
    if schedule is None:
        return
    yield from (each.end for each in (*schedule.in_flight, *schedule.failed))
    if schedule.cursor is not None:
        yield schedule.cursor


def _ends_of_requests(
    backfill: BackfillStatus | None, history: Iterable[BackfillRecord]
) -> Iterator[Instant]:
    if backfill is not None:
        yield backfill.requested_end
    yield from (each.end for each in history)


def untagged_rows(table: str, start: Instant, since: Instant) -> str:
    """What is wrong with a backfill in mode Replace that starts before ``since``, and a remedy."""
    name = quote_name(table)
    return (
        f"rows of windows before {since} may have no tag of their run, so that mode Replace cannot"
        f" remove them; remove them with the table's own time column (.delete table {name} records"
        f" <| {name} | where Timestamp >= datetime({start}) and Timestamp < datetime({since})),"
        " then set spec.backfill.untagged to Keep"
    )
