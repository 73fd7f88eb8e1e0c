"""The interval grid: which windows there are, and when one is due.

Every window is half-open, ``[start, end)``, a whole interval long, and lies on the grid that
counts from 0001-01-01T00:00:00Z, a Monday, as upstream's ``time.Truncate`` does (design,
section 3). Interval runs and backfill tile time with the same functions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from summaryrule.api.duration import Duration
from summaryrule.api.instant import MAX, Instant


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open range of time, ``[start, end)``."""

    start: Instant
    end: Instant

    @property
    def query_end(self) -> Instant:
        """The last tick inside: what ``between (_startTime .. _endTime)`` includes.

        The one place where the half-open end becomes Kusto's inclusive one.
        """
        return self.end.plus(-1)

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


def floor(at: Instant, interval: Duration) -> Instant:
    """The grid boundary at or before ``at``."""
    return Instant(at.ticks - at.ticks % interval.ticks)


def ceil(at: Instant, interval: Duration) -> Instant:
    """The grid boundary at or after ``at`` (the end of year 9999 where that lies beyond it)."""
    return Instant(min(at.ticks + -at.ticks % interval.ticks, MAX.ticks))


@dataclass(frozen=True, slots=True)
class WindowSequence(Sequence[Window]):
    """The whole windows between two grid boundaries, oldest first, made as they are read.

    Counting and indexing take constant time, so thirty days of minutes cost nothing to hold.
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
    """The windows that cover ``[start, end)``: start floored, end ceiled, each one whole."""
    return WindowSequence(floor(start, interval), ceil(end, interval), interval)


def count_windows(start: Instant, end: Instant, interval: Duration) -> int:
    """How many windows `tile` gives."""
    length = interval.ticks
    last = min(end.ticks + -end.ticks % length, MAX.ticks)
    return max(0, (last - start.ticks + start.ticks % length) // length)


def next_window(
    now: Instant, interval: Duration, delay: Duration, cursor: Instant | None
) -> Window:
    """The window that an interval run takes next (design, section 6).

    Without a cursor it is the last one complete at ``now - delay``; else the one that starts at
    the cursor, floored. It may not be due yet: ask ``is_due``.
    """
    if cursor is None:
        end = floor(now.plus(-delay.ticks), interval)
        return Window(end.plus(-interval.ticks), end)
    start = floor(cursor, interval)
    return Window(start, start.plus(interval.ticks))


def is_due(window: Window, now: Instant, delay: Duration) -> bool:
    """Whether all data of the window has had ``delay`` to arrive."""
    return due_at(window, delay) <= now


def due_at(window: Window, delay: Duration) -> Instant:
    """The moment from which the window may be submitted."""
    return window.end.plus(delay.ticks)
