"""Typed literals: `datetime(…)`, `dynamic(…)`, `guid(…)` and their relatives.

A datetime is a number of ticks of 100 ns from 0001-01-01, a timespan a number of ticks.
Source: Kusto docs, "Scalar data types".
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from emulator.engine.lexer import TICKS, timespan_ticks

SECOND: Final = 10_000_000
DAY: Final = 864_000_000_000
MAX_DATETIME: Final = 3_155_378_975_999_999_999
"""The last tick of 9999-12-31."""
ALIASES: Final = {
    "boolean": "bool",
    "date": "datetime",
    "double": "real",
    "float": "real",
    "time": "timespan",
    "uniqueid": "guid",
    "uuid": "guid",
    "int32": "int",
    "int64": "long",
    "object": "dynamic",
}
TYPES: Final = (
    *("bool", "datetime", "decimal", "dynamic", "guid"),
    *("int", "long", "real", "string", "timespan"),
)
_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?)?"
    r"\s*([Zz]|[+-]\d{1,2}(?::?\d{2})?)?"
)
_AMERICAN: Final = re.compile(
    r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?:(?:[Tt]|\s+)(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d*))?)?)?"
    r"\s*(AM|PM|am|pm)?\s*([Zz]|[+-]\d{1,2}(?::?\d{2})?)?"
)
_YEAR: Final = re.compile(r"\d{4}")
_RFC: Final = re.compile(
    r"(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[\s-]([A-Za-z]{3})[A-Za-z]*[\s-](\d{2,4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
    r"\s*(GMT|UTC|[Zz]|[+-]\d{2}:?\d{2})?"
)
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_CLOCK: Final = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?")
_INTEGER: Final = re.compile(r"\s*[+-]?(?:\d+|0[xX][0-9a-fA-F]+)\s*")


def canonical_type(name: str) -> str | None:
    """The Kusto type that `name` is or abbreviates."""
    name = ALIASES.get(name, name)
    return name if name in TYPES else None


def parse_datetime(text: str) -> int | None:
    """The ticks of a datetime's text, None when it is not one."""
    text = re.sub(r"\s+-\s+", "-", text.strip())
    found = _DATETIME.fullmatch(text)
    if found:
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        return _ticks(year, month, day, hour, minute, second, fraction, zone)
    found = _AMERICAN.fullmatch(text)
    if found:
        month, day, year, hour, minute, second, fraction, half, zone = found.groups()
        if half:
            hour = str(int(hour or 0) % 12 + (12 if half.upper() == "PM" else 0))
        return _ticks(year, month, day, hour, minute, second, fraction, zone)
    found = _RFC.fullmatch(text)
    if found and found[2].lower() in _MONTHS:
        year = found[3] if len(found[3]) > 2 else "20" + found[3]
        month = str(_MONTHS.index(found[2].lower()) + 1)
        zone = None if found[7] in (None, "GMT", "UTC") else found[7]
        return _ticks(year, month, found[1], found[4], found[5], found[6], None, zone)
    if _YEAR.fullmatch(text):
        return _ticks(text, "1", "1", None, None, None, None, None)
    return None


def _ticks(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: str | None,
) -> int | None:
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    ticks = datetime_ticks(moment) + int((fraction or "").ljust(7, "0")[:7] or 0) - _offset(zone)
    return ticks if 0 <= ticks <= MAX_DATETIME else None


def _offset(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    return (1 if zone[0] == "+" else -1) * (hours * 3600 + minutes * 60) * SECOND


def datetime_ticks(moment: datetime) -> int:
    """The ticks of `moment`; a naive one is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * SECOND + since.microseconds * 10


def ticks_datetime(ticks: int) -> datetime:
    """The naive UTC datetime of `ticks`, cut to microseconds."""
    return (_EPOCH + timedelta(microseconds=ticks // 10)).replace(tzinfo=None)


def datetime_text(ticks: int) -> str:
    """`2026-11-01T00:00:00.0000000Z`."""
    moment = ticks_datetime(ticks - ticks % SECOND)
    return f"{moment.isoformat(timespec='seconds')}.{ticks % SECOND:07}Z"


def timespan_text(ticks: int) -> str:
    """`-1.02:03:04.0000050`, days and fraction only where there are any."""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    days, rest = divmod(ticks, DAY)
    seconds, fraction = divmod(rest, SECOND)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    tail = f".{fraction:07}" if fraction else ""
    return f"{sign}{f'{days}.' if days else ''}{clock}{tail}"


def parse_timespan(text: str) -> int | None:
    """The ticks of a timespan's text: `1.02:03:04.5`, `1d`, or a number of days."""
    text = text.strip()
    found = _CLOCK.fullmatch(text)
    if found:
        sign, days, hours, minutes, seconds, fraction = found.groups()
        if int(hours) > 23 or int(minutes) > 59 or int(seconds or 0) > 59:
            return None
        total = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds or 0)
        ticks = total * SECOND + int((fraction or "").ljust(7, "0")[:7])
        return -ticks if sign else ticks
    return _unit_timespan(text)


def _unit_timespan(text: str) -> int | None:
    found = re.fullmatch(r"([+-]?)\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    if not found or (found[3] and found[3] not in TICKS):
        return None
    ticks = timespan_ticks(found[2] + (found[3] or "d"))
    return -ticks if found[1] == "-" else ticks


def parse_integer(text: str, bits: int) -> int | None:
    """The integer of `text`, decimal or hexadecimal, None when it is not one or does not fit."""
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text, 16) if "x" in text.lower() else int(text)
    return value if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else None


def parse_real(text: str) -> float | None:
    """The real of `text`, None when it is not one."""
    cleaned = text.strip().lower()
    special = {"nan": math.nan, "+inf": math.inf, "inf": math.inf, "-inf": -math.inf}
    if cleaned in special:
        return special[cleaned]
    try:
        return (
            float(cleaned) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", cleaned) else None
        )
    except ValueError:
        return None


def parse_bool(text: str) -> bool | None:
    """The bool of `text`: true, false, or a number."""
    cleaned = text.strip().lower()
    if cleaned in ("true", "false"):
        return cleaned == "true"
    number = parse_integer(text, 64)
    return None if number is None else number != 0


def parse_guid(text: str) -> str | None:
    """The guid of `text` in lower case, None when it is not one."""
    try:
        return (
            str(UUID(text.strip()))
            if re.fullmatch(r"[\s{]*[0-9a-fA-F-]{32,36}[\s}]*", text)
            else None
        )
    except ValueError:
        return None


def parse_decimal(text: str) -> Decimal | None:
    """The decimal of `text`, None when it is not one."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def to_json(value: Any) -> str:  # noqa: ANN401 - JSON
    """`value` as Kusto writes a dynamic: no blanks, no escapes of other letters."""
    return json.dumps(_jsonable(value), separators=(",", ":"), ensure_ascii=False)


def _jsonable(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value
