from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from summaryrule.api.duration import Duration, InvalidDurationError
from tests.api.properties.strategies import durations_and_near_misses

NS, S = 1, 1_000_000_000
M, H = 60 * S, 3600 * S

# Facts of Go 1.26's time.ParseDuration, from its documentation and its tests' table.
TAKEN = [
    ("0", 0),
    ("5s", 5 * S),
    ("+5s", 5 * S),
    ("-5s", -5 * S),
    ("+0", 0),
    ("-0", 0),
    ("1478s", 1478 * S),
    ("5.0s", 5 * S),
    ("5.6s", 5 * S + S // 10 * 6),
    ("5.s", 5 * S),
    (".5s", S // 2),
    ("1.004s", S + 4_000_000),
    ("100.00100s", 100 * S + 1_000_000),
    ("10ns", 10),
    ("11us", 11_000),
    ("12µs", 12_000),
    ("12μs", 12_000),
    ("13ms", 13_000_000),
    ("3h30m", 3 * H + 30 * M),
    ("10.5s4m", 4 * M + 10 * S + S // 2),
    ("-2m3.4s", -(2 * M + 3 * S + S // 10 * 4)),
    ("39h9m14.425s", 39 * H + 9 * M + 14 * S + 425_000_000),
    ("52763797000ns", 52_763_797_000),
    ("0.3333333333333333333h", 20 * M),
    ("9007199254740993ns", (1 << 53) + 1),
    ("9223372036854775807ns", (1 << 63) - 1),
    ("-9223372036854775808ns", -(1 << 63)),
    ("9223372036s854ms775us807ns", (1 << 63) - 1),
    ("0.100000000000000000000h", 6 * M),
    ("0.830103483285477580700h", 49 * M + 48 * S + 372_539_827),
]
REFUSED = ["", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "1w", "1H", "3000000h", " 1s", "1s "]
REFUSED += ["9223372036854775808ns", "9223372036854775.808us", "-9223372036854775809ns", "1s\n"]


@pytest.mark.parametrize(("text", "nanoseconds"), TAKEN)
def test_a_duration_means_what_it_means_in_go(text: str, nanoseconds: int) -> None:
    assert Duration.parse(text).nanoseconds == nanoseconds


@pytest.mark.parametrize("text", REFUSED)
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(InvalidDurationError):
        Duration.parse(text)


@pytest.mark.parametrize(("text", "hours"), [("1d", "24h"), ("2w", "336h"), ("30d", "720h")])
def test_days_and_weeks_are_refused_with_the_hours_to_write(text: str, hours: str) -> None:
    with pytest.raises(InvalidDurationError, match=f"write {hours}$"):
        Duration.parse(text)


@given(st.integers(-(1 << 63), (1 << 63) - 1).map(Duration))
def test_reading_a_written_duration_gives_it_back(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@given(durations_and_near_misses | st.integers(1, 9000).map(lambda n: "0." + "9" * n + "h"))
def test_any_text_is_a_duration_or_refused_as_no_duration(text: str) -> None:
    with suppress(InvalidDurationError):
        Duration.parse(text)


@given(st.integers(0, 10**15))
def test_ticks_are_rounded_up(nanoseconds: int) -> None:
    ticks = Duration(nanoseconds).ticks
    assert (ticks - 1) * 100 < nanoseconds <= ticks * 100
