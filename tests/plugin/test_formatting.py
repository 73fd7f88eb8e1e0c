"""Times and lengths of time, as people write and read them."""

import pytest

from plugin.formatting import dump, parse_duration, parse_time, progress_bar
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.summary import format_duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m59s"),
        (3_600, "1h"),
        (90_061, "1d1h"),
        (864_000, "10d"),
        (-60, "-1m"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds: int, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("written", "seconds"), [("7d", 604_800), ("36h", 129_600), ("1w2d", 777_600), ("90m", 5_400)]
)
def test_a_length_of_time_is_read_in_weeks_to_seconds(written: str, seconds: int) -> None:
    assert parse_duration(written) == seconds * TICKS_PER_SECOND


@pytest.mark.parametrize("written", ["", "7", "d", "7 d", "-7d", "0d", "1.5h", "7days"])
def test_anything_else_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ValueError, match="write it like 7d, 36h or 90m"):
        parse_duration(written)


def test_a_day_alone_is_its_midnight_in_utc() -> None:
    assert parse_time("2026-11-01") == Instant.parse("2026-11-01T00:00:00Z")
    assert parse_time("2026-11-01T02:00:00+02:00") == Instant.parse("2026-11-01T00:00:00Z")


@pytest.mark.parametrize("written", ["yesterday", "2026-11-01 02:00", "2026-02-30", "01.11.2026"])
def test_a_time_that_cannot_be_read_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ValueError, match=r"2026-01-31"):
        parse_time(written)


@pytest.mark.parametrize("percent", [-5, 0, 4, 5, 50, 99, 100, 300])
def test_a_bar_has_one_width_and_is_full_at_a_hundred_only(percent: int) -> None:
    drawn = progress_bar(percent, plain=True)
    assert len(drawn) == 20
    assert (drawn == "#" * 20) == (percent >= 100)


def test_yaml_has_texts_of_several_lines_as_blocks() -> None:
    (text,) = dump({"body": "T\n| count\n", "table": "A"}, "yaml")
    assert text == "body: |\n  T\n  | count\ntable: A"
