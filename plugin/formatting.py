"""Times, durations, progress, JSON and YAML. Pure: no I/O, no clock."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from plugin.kubectl import Rule
from summaryrule.api.constants import GROUP
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

BAR_WIDTH: Final = 20
NONE: Final = "-"
QUALIFIED_NAME: Final = f"summaryrule.{GROUP}"


def time_between(earlier: Instant, later: Instant) -> str:
    """The time from one instant to another."""
    return format_duration((later.ticks - earlier.ticks) // TICKS_PER_SECOND)


def progress_bar(percent: int, *, plain: bool) -> str:
    """A progress bar of fixed width; `plain` uses ASCII only.

    >>> progress_bar(43, plain=True)
    '########............'
    """
    full, empty = ("#", ".") if plain else ("█", "░")
    done = BAR_WIDTH * min(max(percent, 0), 100) // 100
    return full * done + empty * (BAR_WIDTH - done)


def parse_time(text: str) -> Instant:
    """A time as the API takes it, or a date alone, which is its midnight in UTC.

    Raises:
        ValueError: anything else; the message says what to write.
    """
    try:
        return Instant.parse(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except InvalidInstantError as error:
        raise ValueError(f"{text!r} {error}, or a date alone: 2026-01-31") from error


def parse_duration(text: str) -> int:
    """The ticks of 100 ns in a duration such as 7d, 36h or 1w2d.

    Raises:
        ValueError: anything else, and zero.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 7d, 36h or 90m")
    ticks = sum(int(number) * _TICKS[unit] for number, unit in _PART.findall(text))
    if not ticks:
        raise ValueError(f"{text!r} is zero; write it like 7d, 36h or 90m")
    return ticks


def plural(number: int, noun: str) -> str:
    """The number with its noun.

    >>> plural(1, "window"), plural(2, "window")
    ('1 window', '2 windows')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dump(value: Mapping[str, Any] | Sequence[Any], form: str | None) -> Iterator[str]:
    """`value` as `yaml`, or as JSON for every other `form`; in YAML, texts of lines are blocks."""
    if form != "yaml":
        yield json.dumps(value, indent=2, ensure_ascii=False)
        return
    import yaml  # noqa: PLC0415 - a tenth of a second, which the other forms do not need

    class Dumper(yaml.SafeDumper):
        """PyYAML's, which keeps representers per class."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    yield yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True).rstrip("\n")


def qualified_name(rule: Rule) -> str:
    """What `kubectl -o name` prints for it."""
    return f"{QUALIFIED_NAME}/{as_str(nested_dict(rule, 'metadata').get('name'))}"
