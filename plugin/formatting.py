"""Times, lengths of time and progress, as people read them. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from plugin.kubectl import Rule
from summaryrule.api.instant import TICKS_PER_DAY, TICKS_PER_SECOND, Instant, InvalidInstantError
from summaryrule.api.summary import format_duration
from summaryrule.api.unstructured import as_str, nested_dict

_TICKS: Final = {
    "w": 7 * TICKS_PER_DAY,
    "d": TICKS_PER_DAY,
    "h": 3_600 * TICKS_PER_SECOND,
    "m": 60 * TICKS_PER_SECOND,
    "s": TICKS_PER_SECOND,
}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PART: Final = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)

BAR: Final = 20
NONE: Final = "-"


def time_between(earlier: Instant, later: Instant) -> str:
    """The time from one instant to another."""
    return format_duration((later.ticks - earlier.ticks) // TICKS_PER_SECOND)


def progress_bar(percent: int, *, plain: bool) -> str:
    """A progress bar of fixed width; `plain` keeps to ASCII.

    >>> progress_bar(43, plain=True)
    '########............'
    """
    full, empty = ("#", ".") if plain else ("█", "░")
    done = BAR * min(max(percent, 0), 100) // 100
    return full * done + empty * (BAR - done)


def parse_time(text: str) -> Instant:
    """A time as the API takes it, or a day alone, which is its midnight in UTC.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    try:
        return Instant.parse(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except InvalidInstantError as error:
        raise ValueError(f"{text!r} {error}, or a day alone: 2026-01-31") from error


def parse_duration(text: str) -> int:
    """Ticks in a length such as 7d, 36h or 1w2d.

    Raises:
        ValueError: anything else, and nothing at all.
    """
    if not _DURATION.fullmatch(text):
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


GAP = "   "


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines: each column as wide as its widest cell, nothing behind the last."""
    lines = [list(head), *([_flat(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield GAP.join(padded).rstrip()


def _flat(cell: str) -> str:
    """One line, with nothing in it that could steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in cell)


QUALIFIED_NAME = "summaryrule.adx-mon.azure.com"


def dump(value: Mapping[str, Any] | Sequence[Any], form: str) -> Iterator[str]:
    """`value` in the requested form, `json` or `yaml`."""
    if form == "json":
        yield json.dumps(value, indent=2, ensure_ascii=False)
        return
    import yaml  # noqa: PLC0415 - a tenth of a second that the other forms need not wait for

    yield yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip("\n")


def qualified_name(rule: Rule) -> str:
    """What `kubectl -o name` prints for it."""
    return f"{QUALIFIED_NAME}/{as_str(nested_dict(rule, 'metadata').get('name'))}"
