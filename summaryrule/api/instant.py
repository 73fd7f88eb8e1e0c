"""Points in time in ticks of 100 ns, the resolution of Kusto, and their RFC 3339 text.

Python's ``datetime`` has microseconds only, so time is an integer here.
"""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, Self

TICKS_PER_SECOND: Final = 10_000_000
TICKS_PER_DAY: Final = 86_400 * TICKS_PER_SECOND
UNIX_EPOCH_TICKS: Final = (date(1970, 1, 1).toordinal() - 1) * TICKS_PER_DAY

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)([Tt ])(\d\d):(\d\d):(\d\d)(?:([.,])(\d+))?([Zz]|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_EXAMPLE = "write it like 2026-01-31T13:00:00Z"


class InvalidInstantError(ValueError):
    """The text is not an RFC 3339 time that the API accepts; the message says what to write."""


@dataclass(frozen=True, order=True, slots=True)
class Instant:
    """A point in time: whole ticks of 100 ns since 0001-01-01T00:00:00Z."""

    ticks: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an RFC 3339 time of the years 1 to 9999 with at most 7 fraction digits.

        Nothing is truncated or rounded.

        Raises:
            InvalidInstantError: for any other text, such as one with a lower-case ``t`` or ``z``, a
                comma, an eighth digit, a leap second, no offset or a day that does not exist.
        """
        match = _RFC3339.fullmatch(text)
        if match is None:
            raise InvalidInstantError(f"is not an RFC 3339 time; {_EXAMPLE}")
        year, month, day, sep, hour, minute, second, point, fraction, zone = match.groups()
        _refuse_spelling(sep, point, fraction, zone)
        seconds = _seconds_of_day(int(hour), int(minute), int(second)) - _offset_seconds(zone)
        days = _day_number(int(year), int(month), int(day))
        ticks = (
            days * TICKS_PER_DAY + seconds * TICKS_PER_SECOND + int((fraction or "").ljust(7, "0"))
        )
        if not MIN.ticks <= ticks <= MAX.ticks:
            raise InvalidInstantError("lies outside the years 1 to 9999 in UTC")
        return cls(ticks)

    @classmethod
    def from_unix_ns(cls, nanoseconds: int) -> Self:
        """The tick at or before a Unix time in nanoseconds, as ``time.time_ns()`` returns it."""
        return cls(UNIX_EPOCH_TICKS + nanoseconds // 100)

    def plus(self, ticks: int) -> "Instant":
        """This instant moved by ``ticks``, limited to the years 1 to 9999."""
        return Instant(min(max(self.ticks + ticks, 0), MAX.ticks))

    @property
    def whole_second(self) -> "Instant":
        """The begin of its second."""
        return Instant(self.ticks - self.ticks % TICKS_PER_SECOND)

    def to_seconds(self) -> str:
        """RFC 3339 in whole seconds, rounded down, like Kubernetes' ``metav1.Time``."""
        return str(self.whole_second)

    def __str__(self) -> str:
        return _format(self.ticks)


@lru_cache(maxsize=1024)
def _format(ticks: int) -> str:
    days, rest = divmod(ticks, TICKS_PER_DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    tail = f".{fraction:07d}".rstrip("0") if fraction else ""
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{date.fromordinal(days + 1).isoformat()}T{clock}{tail}Z"


MIN: Final = Instant(0)
MAX: Final = Instant(date.max.toordinal() * TICKS_PER_DAY - 1)


def _refuse_spelling(sep: str, point: str | None, fraction: str | None, zone: str | None) -> None:
    if sep != "T" or zone == "z":
        raise InvalidInstantError(f"must have an upper-case T and Z; {_EXAMPLE}")
    if zone is None:
        raise InvalidInstantError(f"has no offset; add Z for UTC: {_EXAMPLE}")
    if point == ",":
        raise InvalidInstantError("must have a point before the fraction, not a comma")
    if fraction is not None and len(fraction) > 7:  # noqa: PLR2004 - Kusto's tick
        raise InvalidInstantError("has more than 7 fraction digits; Kusto's tick is 100 ns")


def _seconds_of_day(hour: int, minute: int, second: int) -> int:
    if second == 60:  # noqa: PLR2004 - the leap second's spelling
        raise InvalidInstantError("is a leap second, which Kusto has not; write second 59 or 00")
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - a day's clock
        raise InvalidInstantError("has no such time of day (00:00:00 to 23:59:59)")
    return hour * 3600 + minute * 60 + second


def _offset_seconds(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - RFC 3339, section 5.6
        raise InvalidInstantError("has no such offset (up to ±23:59)")
    return (-1 if zone[0] == "-" else 1) * (hours * 3600 + minutes * 60)


def _day_number(year: int, month: int, day: int) -> int:
    try:
        return date(year, month, day).toordinal() - 1
    except ValueError as error:
        raise InvalidInstantError(f"has no such day ({error})") from error
