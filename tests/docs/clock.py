"""Pages tell their story at a fixed time; the stack lives now. This moves the one to the other.

A page's clock stands at `TOLD`. Dates in its rules and commands keep their distance from it, and
times in what it shows stand for any time.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.api.windows import floor

TOLD = Instant.parse("2026-11-24T06:00:00Z")
TIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)"
# Times at which a reader may meet a page: days after it was written, and the calendar's edges.
READ = {
    "as written": TOLD,
    **{f"{days} days later": TOLD.plus(days * TICKS_PER_DAY) for days in (1, 4, 31, 61, 366)},
    "at a month's end": Instant.parse("2027-04-30T23:59:59.9999999Z"),
    "at a year's end": Instant.parse("2026-12-31T23:59:59.9999999Z"),
    "at a year's begin": Instant.parse("2027-01-01T00:00:00Z"),
    "on a leap day": Instant.parse("2028-02-29T12:00:00Z"),
    "a year after a leap day": Instant.parse("2029-02-28T00:30:00Z"),
}
# NB: what a message gives as an example ("such as 2026-01-31T13:00:00Z") is a constant of the code.
_DATE = re.compile(r"(?<!such as )(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_DAY = Duration.parse("24h")


def moved(now: Instant, told: Instant = TOLD) -> Callable[[str], str]:
    """Replace each date in a text by the one as far from `now` as it is from `told`.

    A date alone moves as that of a time does. The time of day and its offset stay as they are
    written, so what is no time in RFC 3339 stays none. A day that the calendar lacks stays.
    """
    shift = timedelta((floor(now, _DAY).ticks - floor(told, _DAY).ticks) // TICKS_PER_DAY)

    def move(found: re.Match[str]) -> str:
        try:
            return (date.fromisoformat(found[0]) + shift).isoformat()
        except (ValueError, OverflowError):
            return found[0]

    return lambda text: _DATE.sub(move, text)


def pattern(shown: Sequence[str]) -> re.Pattern[str]:
    """What output the page's lines stand for.

    `…` is any text, alone on a line any lines; a time is any time; spaces are any spaces.
    """
    lines = [_line(line.strip()) for line in shown]
    return re.compile("".join(lines) + r"\s*", re.DOTALL)


def _line(text: str) -> str:
    if text == "…":
        return r"(?:[^\n]*\n)*?"
    parts = re.split(rf"({TIME}|…|\s+)", text)
    return r"\s*" + "".join(map(_part, parts)) + r"[^\S\n]*(?:\n|$)"


def _part(text: str) -> str:
    if text == "…":
        return r"[^\n]*?"
    if text.isspace():
        return r"[^\S\n]+"
    return TIME if re.fullmatch(TIME, text) else re.escape(text)
