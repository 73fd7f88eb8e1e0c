"""What a backfill has done and what is left of it: the mark, the gaps beyond it, the counts.

Pure arithmetic on ``status.backfill`` for ``backfill`` and ``explain``. Its cost grows with the
ranges that status holds (some dozens), never with the windows of the range (up to 43,200).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from summaryrule.duration import Duration
from summaryrule.instant import TICKS_PER_SECOND, Instant
from summaryrule.v1 import BackfillStatus, Range, WindowStatus
from summaryrule.windows import Tiles, Window, ceil, floor


def credit(status: BackfillStatus, windows: Iterable[WindowStatus]) -> BackfillStatus:
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


def outstanding(status: BackfillStatus, interval: Duration) -> Iterator[Window]:
    """Windows neither done nor in flight nor failed, oldest first."""
    return chain.from_iterable(_cut(_gaps(status, _taken(status)), interval))


def count(status: BackfillStatus, interval: Duration) -> int:
    """How many windows are outstanding; in constant time a gap."""
    return sum(len(windows) for windows in _cut(_gaps(status, _taken(status)), interval))


def _taken(status: BackfillStatus) -> list[Range | WindowStatus]:
    return [*status.done_ahead, *status.in_flight, *status.failed]


def counted(status: BackfillStatus, interval: Duration) -> BackfillStatus:
    """With its totals, percent and ``312/720`` made to agree."""
    gaps = _gaps(status, status.done_ahead)
    left = sum(len(windows) for windows in _cut(gaps, interval))
    passed = status.windows_done + status.windows_skipped
    total = passed + left
    return status.model_copy(
        update={
            "windows_total": total,
            "percent": 100 * passed // total if total else 100,
            "progress": f"{passed}/{total}",
        }
    )


def estimated(status: BackfillStatus, now: Instant) -> BackfillStatus:
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


def _cut(gaps: Iterable[Window], interval: Duration) -> Iterator[Sequence[Window]]:
    """The windows that cover the gaps, each at most a whole interval.

    A gap's bounds lie off the grid only after a change of interval; then its first or last window
    is the part up to the next boundary, so that nothing is computed twice.
    """
    for gap in gaps:
        first = min(ceil(gap.start, interval), gap.end)
        last = max(floor(gap.end, interval), first)
        if gap.start < first:
            yield (Window(gap.start, first),)
        yield Tiles(first, last, interval)
        if last < gap.end:
            yield (Window(last, gap.end),)
