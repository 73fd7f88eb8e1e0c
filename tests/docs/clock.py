"""Pages tell their story at a fixed time; the stack lives now. This moves the one to the other.

A page's clock stands at `TOLD`. Times in its rules and commands keep their distance from it, and
times in what it shows stand for any time.
"""

import re
from collections.abc import Callable, Sequence

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.windows import floor

TOLD = Instant.parse("2026-11-24T06:00:00Z")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z"
_DAY = Duration.parse("24h")


def moved(now: Instant) -> Callable[[str], str]:
    """Replace each time in a text by the one as far from `now` as it is from `TOLD`.

    In whole days, so that it keeps its place in the day.
    """
    shift = floor(now, _DAY).ticks - floor(TOLD, _DAY).ticks

    def move(found: re.Match[str]) -> str:
        return str(Instant.parse(found[0]).plus(shift))

    return lambda text: re.sub(TIME, move, text)


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
