"""The progress of a backfill: its high-water mark, the gaps after it, counts and the estimate.

The cost grows with the ranges in status (some dozens), not with the windows of the backfill (up to
43,200).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillStatus, Range, WindowStatus
from summaryrule.api.windows import Window, WindowSequence, ceil, floor
from summaryrule.planner.types import Observations

_WEIGHT: Final = 8
_MILLISECOND: Final = 1_000_000


def mark_done(status: BackfillStatus, windows: Iterable[WindowStatus]) -> BackfillStatus:
    """With these windows done: the high-water mark moves over done windows without a gap."""
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
    """The windows that are not done, in flight or failed, oldest first."""
    taken: list[Range | WindowStatus] = [*status.done_ahead, *status.in_flight, *status.failed]
    return chain.from_iterable(_split_gaps(_gaps(status, taken), interval))


def with_counts(status: BackfillStatus, interval: Duration) -> BackfillStatus:
    """With its total, percent and progress (``312/720``) computed again."""
    gaps = _gaps(status, status.done_ahead)
    left = sum(len(windows) for windows in _split_gaps(gaps, interval))
    finished = status.windows_done + status.windows_skipped
    total = finished + left
    return status.model_copy(
        update={
            "windows_total": total,
            "percent": 100 * finished // total if total else 100,
            "progress": f"{finished}/{total}",
        }
    )


def with_eta(status: BackfillStatus, now: Instant) -> BackfillStatus:
    """With the estimated time of completion, at the rate since it started or resumed."""
    left = status.windows_total - status.windows_done - status.windows_skipped
    done = status.windows_done - status.paced_windows
    if status.paced_from is None or done <= 0:
        return status
    ticks_per_window = (now.ticks - status.paced_from.ticks) // done
    end = now.plus(ticks_per_window * left).whole_second
    return status.model_copy(update={"estimated_completion": end if left else None})


def _gaps(status: BackfillStatus, taken: Sequence[Range | WindowStatus]) -> Iterator[Window]:
    """The ranges between the mark and the end that are not in ``taken``."""
    mark, end = status.done_until, status.requested_end
    for each in sorted(taken, key=lambda each: each.start):
        if mark < min(each.start, end):
            yield Window(mark, min(each.start, end))
        mark = max(mark, each.end)
    if mark < end:
        yield Window(mark, end)


def _split_gaps(gaps: Iterable[Window], interval: Duration) -> Iterator[Sequence[Window]]:
    """The windows that cover the gaps, each at most one interval long.

    After a change of the interval, the bounds of a gap can be off the grid. Then its first or last
    window is shorter, so that nothing is computed twice.
    """
    for gap in gaps:
        first = min(ceil(gap.start, interval), gap.end)
        last = max(floor(gap.end, interval), first)
        if gap.start < first:
            yield (Window(gap.start, first),)
        yield WindowSequence(first, last, interval)
        if last < gap.end:
            yield (Window(last, gap.end),)


def update_average(
    before: Duration | None, done: Iterable[WindowStatus], observed: Observations
) -> Duration | None:
    """The moving average of durations after these windows, in milliseconds; None if unknown.

    Each operation moves it by an eighth of the difference: it follows an edit of the body within a
    dozen windows, and one slow operation changes it little.
    """
    average = before
    for window in done:
        operation = observed.operations.get(window.operation_id or "")
        duration = operation.duration if operation is not None else None
        if duration is not None:
            average = duration if average is None else _move_towards(average, duration)
    return average and Duration(average.nanoseconds // _MILLISECOND * _MILLISECOND)


def _move_towards(average: Duration, duration: Duration) -> Duration:
    return Duration(average.nanoseconds + (duration.nanoseconds - average.nanoseconds) // _WEIGHT)
