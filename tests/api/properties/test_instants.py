from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from summaryrule.api.instant import MAX, MIN, Instant, InvalidInstantError
from tests.api.properties.strategies import instants, times_and_near_misses


@given(instants)
def test_reading_a_written_time_gives_it_back(at: Instant) -> None:
    assert Instant.parse(str(at)) == at


@given(instants)
def test_a_time_is_written_with_at_most_seven_digits_and_no_trailing_zero(at: Instant) -> None:
    _, _, fraction = str(at).removesuffix("Z").partition(".")
    assert len(fraction) <= 7
    assert not fraction.endswith("0")


@given(instants, instants)
def test_times_are_ordered_as_their_ticks(one: Instant, other: Instant) -> None:
    assert (one < other) == (one.ticks < other.ticks)


@given(st.datetimes(), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_an_offset_is_taken_off(local: datetime, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    text = f"{local.isoformat()}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    try:
        utc = local.replace(tzinfo=UTC) - timedelta(minutes=minutes)
    except OverflowError:
        with pytest.raises(InvalidInstantError, match="years 1 to 9999"):
            Instant.parse(text)
        return
    micros = (utc - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert Instant.parse(text).ticks == micros * 10


@given(times_and_near_misses)
def test_any_text_is_a_time_or_refused_as_no_time(text: str) -> None:
    with suppress(InvalidInstantError):
        Instant.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-24t06:00:00Z", "upper-case T"),
        ("2026-11-24T06:00:00z", "upper-case T and Z"),
        ("2026-11-24 06:00:00Z", "upper-case T"),
        ("2026-11-24T06:00:00", "add Z for UTC"),
        ("2026-11-24T06:00:00,5Z", "not a comma"),
        ("2026-11-24T06:00:00.12345678Z", "more than 7 fraction digits"),
        ("2026-11-24T23:59:60Z", "leap second"),
        ("2026-11-24T24:00:00Z", "no such time of day"),
        ("2026-02-29T00:00:00Z", "no such day"),
        ("2026-11-24T06:00:00+25:00", "no such offset"),
        ("0001-01-01T00:00:00+01:00", "years 1 to 9999"),
        ("9999-12-31T23:59:59-00:01", "years 1 to 9999"),
        ("0000-01-01T00:00:00Z", "no such day"),
        ("2026-11-24", "RFC 3339"),
        ("", "RFC 3339"),
        ("\uff12026-11-24T06:00:00Z", "RFC 3339"),
        ("2026-11-24T06:00:00Z\n", "RFC 3339"),
    ],
)
def test_a_refused_time_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InvalidInstantError, match=words):
        Instant.parse(text)


def test_the_first_and_the_last_tick_are_held() -> None:
    assert str(MIN) == "0001-01-01T00:00:00Z"
    assert str(MAX) == "9999-12-31T23:59:59.9999999Z"
    assert MIN.plus(-1) == MIN
    assert MAX.plus(1) == MAX


def test_a_unix_time_between_ticks_falls_to_the_one_before() -> None:
    assert str(Instant.from_unix_ns(199)) == "1970-01-01T00:00:00.0000001Z"
