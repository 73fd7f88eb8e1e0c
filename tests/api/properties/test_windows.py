from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.windows import (
    ceil,
    count_windows,
    due_at,
    floor,
    is_due,
    next_window,
    windows_between,
)
from tests.api.properties.strategies import instants, intervals, recent

_spans = st.integers(0, 40 * 10_000_000 * 3600)
_delays = st.integers(0, 7200).map(lambda seconds: Duration(seconds * 1_000_000_000))


@given(recent, intervals)
def test_flooring_twice_is_flooring_once(at: Instant, interval: Duration) -> None:
    down = floor(at, interval)
    assert floor(down, interval) == down == ceil(down, interval)


@given(recent, intervals)
def test_a_time_lies_between_its_floor_and_its_ceiling(at: Instant, interval: Duration) -> None:
    down, up = floor(at, interval), ceil(at, interval)
    assert down <= at <= up
    assert up.ticks - down.ticks in (0, interval.ticks)


@given(recent, _spans, intervals)
def test_tiles_cover_the_range_with_no_gap_and_no_overlap(
    start: Instant, span: int, interval: Duration
) -> None:
    end = start.plus(span)
    tiles = windows_between(start, end, interval)
    assert tiles.start <= start
    assert end <= tiles.end
    assert len(tiles) == (tiles.end.ticks - tiles.start.ticks) // interval.ticks
    seen = [tiles[0], *tiles[-2:]] if len(tiles) > 3 else list(tiles)
    for window in seen:
        assert window.end.ticks - window.start.ticks == interval.ticks
        assert floor(window.start, interval) == window.start
    for one, following in pairwise(tiles[:50]):
        assert one.end == following.start
    if tiles:
        assert (tiles[0].start, tiles[-1].end) == (tiles.start, tiles.end)


@given(recent, recent, intervals)
def test_every_instant_is_in_exactly_one_window(
    at: Instant, other: Instant, interval: Duration
) -> None:
    mine, theirs = floor(at, interval), floor(other, interval)
    is_same = mine <= other < mine.plus(interval.ticks)
    assert is_same == (mine == theirs)


@given(recent, intervals, _delays)
def test_the_first_window_is_the_last_one_that_is_due(
    now: Instant, interval: Duration, delay: Duration
) -> None:
    window = next_window(now, interval, delay, None)
    assert is_due(window, now, delay)
    following = next_window(now, interval, delay, window.end)
    assert following.start == window.end
    assert not is_due(following, now, delay)
    assert due_at(following, delay) > now


def test_weekly_windows_start_on_monday() -> None:
    week = Duration.parse("168h")
    assert str(floor(Instant.parse("2026-11-25T12:00:00Z"), week)) == "2026-11-23T00:00:00Z"


@given(instants, instants, intervals)
def test_windows_are_counted_without_making_them(
    start: Instant, end: Instant, interval: Duration
) -> None:
    assert count_windows(start, end, interval) == len(windows_between(start, end, interval))
