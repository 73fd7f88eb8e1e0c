"""What a backfill has done and what is left of it: the mark, the gaps beyond it, the counts.

Pure arithmetic on ``status.backfill`` for ``backfill`` and ``explain``. Its cost grows with the
ranges that status holds (some dozens), never with the windows of the range (up to 43,200).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.v1 import BackfillStatus, Range, WindowStatus
from summaryrule.api.windows import Window, WindowSequence, ceil, floor
from summaryrule.planner.types import Observations


def mark_done(status: BackfillStatus, windows: Iterable[WindowStatus]) -> BackfillStatus:
    """Move the high-water mark over windows that need no more work (rules 2 and 4)."""
    ahead = [*status.done_ahead, *(Range(start=w.start, end=w.end) for w in windows)]
    mark, rest = status.done_until, list[Range]()
    for done in sorted(ahead, key=lambda each: each.start):
        if done.start <= mark:
            mark = max(mark, done.end)
        elif rest and done.start <= rest[-1].end:
            rest[-1] = Range(start=rest[-1].start, end=max(rest[-1].end, done.end))
        else:
            rest.append(done)
    return status.model_copy(update={"done_until": mark, "done_ahead": tuple(rest)})


def pending_windows(status: BackfillStatus, interval: Duration) -> Iterator[Window]:
    """Windows neither done nor in flight nor failed, oldest first."""
    return chain.from_iterable(_split_gaps(_gaps(status, _covered(status)), interval))


def count_pending(status: BackfillStatus, interval: Duration) -> int:
    """How many windows are outstanding; in constant time a gap."""
    return sum(len(windows) for windows in _split_gaps(_gaps(status, _covered(status)), interval))


def _covered(status: BackfillStatus) -> list[Range | WindowStatus]:
    return [*status.done_ahead, *status.in_flight, *status.failed]


def with_counts(status: BackfillStatus, interval: Duration) -> BackfillStatus:
    """With its totals, percent and ``312/720`` made to agree."""
    gaps = _gaps(status, status.done_ahead)
    left = sum(len(windows) for windows in _split_gaps(gaps, interval))
    passed = status.windows_done + status.windows_skipped
    total = passed + left
    return status.model_copy(
        update={
            "windows_total": total,
            "percent": 100 * passed // total if total else 100,
            "progress": f"{passed}/{total}",
        }
    )


def with_eta(status: BackfillStatus, now: Instant) -> BackfillStatus:
    """With the time at which it should be done, at the pace since it last began to run."""
    left = status.windows_total - status.windows_done - status.windows_skipped
    done = status.windows_done - status.paced_windows
    if status.paced_from is None or done <= 0:
        return status
    pace = (now.ticks - status.paced_from.ticks) // done
    end = now.plus(pace * left)
    second = Instant(end.ticks - end.ticks % TICKS_PER_SECOND)
    return status.model_copy(update={"estimated_completion": second if left else None})


def _gaps(status: BackfillStatus, taken: Sequence[Range | WindowStatus]) -> Iterator[Window]:
    """The ranges from the mark to the end that nothing in ``taken`` covers."""
    mark, end = status.done_until, status.requested_end
    for each in sorted(taken, key=lambda each: each.start):
        if mark < min(each.start, end):
            yield Window(mark, min(each.start, end))
        mark = max(mark, each.end)
    if mark < end:
        yield Window(mark, end)


def _split_gaps(gaps: Iterable[Window], interval: Duration) -> Iterator[Sequence[Window]]:
    """The windows that cover the gaps, each at most a whole interval.

    A gap's bounds lie off the grid only after a change of interval; then its first or last window
    is the part up to the next boundary, so that nothing is computed twice.
    """
    for gap in gaps:
        first = min(ceil(gap.start, interval), gap.end)
        last = max(floor(gap.end, interval), first)
        if gap.start < first:
            yield (Window(gap.start, first),)
        yield WindowSequence(first, last, interval)
        if last < gap.end:
            yield (Window(last, gap.end),)


_WEIGHT: Final = 8
_MILLISECOND: Final = 1_000_000


def update_average(
    before: Duration | None, done: Iterable[WindowStatus], observed: Observations
) -> Duration | None:
    """The average after these windows were done, in whole milliseconds; None: none is known yet.

    Each operation moves it by an eighth of the way, so that an edit of the body shows within a
    dozen windows and one slow operation hardly does.
    """
    average = before
    for window in done:
        operation = observed.operations.get(window.operation_id or "")
        took = operation.duration if operation is not None else None
        if took is not None:
            average = took if average is None else _moved_towards(average, took)
    return average and Duration(average.nanoseconds // _MILLISECOND * _MILLISECOND)


def _moved_towards(average: Duration, took: Duration) -> Duration:
    return Duration(average.nanoseconds + (took.nanoseconds - average.nanoseconds) // _WEIGHT)
