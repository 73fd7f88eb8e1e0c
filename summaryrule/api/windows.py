"""The grid of the interval: which windows there are, and when a window is due.

A window is half-open, ``[start, end)``, and one interval long. Windows lie on a grid that starts at
0001-01-01T00:00:00Z, a Monday, like the grid of Go's ``time.Truncate``, which adx-mon uses.
Interval runs and backfills use the same grid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from summaryrule.api.duration import NANOSECONDS_PER_TICK, Duration
from summaryrule.api.instant import MAX, Instant


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open range of time, ``[start, end)``."""

    start: Instant
    end: Instant

    @property
    def query_end(self) -> Instant:
        """The last tick inside the window: the inclusive end of KQL's ``between``."""
        return self.end.plus(-1)

    @property
    def length(self) -> Duration:
        """The time from its start to its end."""
        return Duration((self.end.ticks - self.start.ticks) * NANOSECONDS_PER_TICK)

    def overlaps(self, other: "Window") -> bool:
        """Whether the two have a time in common."""
        return self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


def floor(at: Instant, interval: Duration) -> Instant:
    """The grid boundary at or before ``at``."""
    return Instant(at.ticks - at.ticks % interval.ticks)


def ceil(at: Instant, interval: Duration) -> Instant:
    """The grid boundary at or after ``at``, at most the end of the year 9999."""
    return Instant(min(at.ticks + -at.ticks % interval.ticks, MAX.ticks))


def window_at(at: Instant, interval: Duration) -> Window:
    """The window of the grid that contains ``at``."""
    start = floor(at, interval)
    return Window(start, start.plus(interval.ticks))


@dataclass(frozen=True, slots=True)
class WindowSequence(Sequence[Window]):
    """The whole windows between two grid boundaries, oldest first, each made when it is read.

    Its length and an item take constant time, however many windows there are.
    """

    start: Instant
    end: Instant
    interval: Duration

    def __len__(self) -> int:
        return max(0, (self.end.ticks - self.start.ticks) // self.interval.ticks)

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> list[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | list[Window]:
        """The window at ``index``, or a list of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        start = self.start.plus(self.interval.ticks * (index % len(self)))
        return Window(start, start.plus(self.interval.ticks))

    def __iter__(self) -> Iterator[Window]:
        return (self[index] for index in range(len(self)))


def windows_between(start: Instant, end: Instant, interval: Duration) -> WindowSequence:
    """The windows that cover ``[start, end)``: start is floored and end is ceiled."""
    return WindowSequence(floor(start, interval), ceil(end, interval), interval)


def count_windows(start: Instant, end: Instant, interval: Duration) -> int:
    """The number of windows that ``windows_between`` returns."""
    length = interval.ticks
    last = min(end.ticks + -end.ticks % length, MAX.ticks)
    return max(0, (last - start.ticks + start.ticks % length) // length)


def next_window(
    now: Instant, interval: Duration, delay: Duration, cursor: Instant | None
) -> Window:
    """The next window of interval runs, which may not be due yet.

    Without a cursor it is the last window that is complete at ``now - delay``, else the window that
    starts at the cursor, floored. adx-mon's ``NextExecutionWindow`` gives the same.
    """
    if cursor is None:
        end = floor(now.plus(-delay.ticks), interval)
        return Window(end.plus(-interval.ticks), end)
    return window_at(cursor, interval)


def is_due(window: Window, now: Instant, delay: Duration) -> bool:
    """Whether the window ended at least ``delay`` ago."""
    return due_at(window, delay) <= now


def due_at(window: Window, delay: Duration) -> Instant:
    """The time from which the window may be submitted: ``delay`` after its end."""
    return window.end.plus(delay.ticks)
