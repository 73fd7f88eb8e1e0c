"""Times, lengths of time and progress, as people read them. Pure."""

import re
from typing import Final

from summaryrule.api.instant import TICKS_PER_DAY, TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.api.summary import format_duration

_TICKS: Final = {
    "w": 7 * TICKS_PER_DAY,
    "d": TICKS_PER_DAY,
    "h": 3_600 * TICKS_PER_SECOND,
    "m": 60 * TICKS_PER_SECOND,
    "s": TICKS_PER_SECOND,
}
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PART: Final = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)
_LENGTH: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)

BAR: Final = 20
NONE: Final = "-"

__all__ = ["BAR", "NONE", "bar", "between", "format_duration", "plural", "read_length", "read_time"]


def between(earlier: Instant, later: Instant) -> str:
    """The time from one instant to another."""
    return format_duration((later.ticks - earlier.ticks) // TICKS_PER_SECOND)


def bar(percent: int, *, plain: bool) -> str:
    """A progress bar of fixed width; `plain` keeps to ASCII.

    >>> bar(43, plain=True)
    '########............'
    """
    full, empty = ("#", ".") if plain else ("█", "░")
    done = BAR * min(max(percent, 0), 100) // 100
    return full * done + empty * (BAR - done)


def read_time(text: str) -> Instant:
    """A time as the API takes it, or a day alone, which is its midnight in UTC.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    try:
        return Instant.parse(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except InvalidInstantError as error:
        raise ValueError(f"{text!r} {error}, or a day alone: 2026-01-31") from error


def read_length(text: str) -> int:
    """Ticks in a length such as 7d, 36h or 1w2d.

    Raises:
        ValueError: anything else, and nothing at all.
    """
    if not _LENGTH.fullmatch(text):
        raise ValueError(f"{text!r} is no length of time; write it like 7d, 36h or 90m")
    ticks = sum(int(number) * _TICKS[unit] for number, unit in _PART.findall(text))
    if not ticks:
        raise ValueError(f"{text!r} is no time at all; write it like 7d, 36h or 90m")
    return ticks


def plural(number: int, noun: str) -> str:
    """The number with its noun.

    >>> plural(1, "window"), plural(2, "window")
    ('1 window', '2 windows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
