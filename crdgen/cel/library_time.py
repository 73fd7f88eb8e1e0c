"""CEL's functions on times and durations."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crdgen.cel.values import Duration, EvaluationError, Moment, Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _local(moment: Moment, zone: str = "UTC") -> datetime:
    at = _EPOCH + timedelta(seconds=moment.nanoseconds // 10**9)
    fixed = re.fullmatch(r"([+-]?)(\d{1,2}):(\d\d)", zone)
    if fixed:
        shift = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return at - shift if fixed[1] == "-" else at + shift
    try:
        return at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise EvaluationError(f"unknown time zone {zone}") from None


def _part(read: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda moment, *zone: read(_local(moment, *zone))


def _either(unit: int, read: Callable[[datetime], int]) -> Callable[..., int]:
    def part(value: Value, *zone: str) -> int:
        if isinstance(value, Duration):
            sign = -1 if value.nanoseconds < 0 else 1
            return sign * (abs(value.nanoseconds) // unit)
        return read(_local(value, *zone))

    return part


def _milliseconds(value: Value, *zone: str) -> int:  # noqa: ARG001 - zones do not change them
    return (
        value.nanoseconds // 10**6
        if isinstance(value, Duration)
        else (value.nanoseconds // 10**6 % 1000)
    )


FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "getFullYear": _part(lambda at: at.year),
    "getMonth": _part(lambda at: at.month - 1),
    "getDayOfYear": _part(lambda at: at.timetuple().tm_yday - 1),
    "getDayOfMonth": _part(lambda at: at.day - 1),
    "getDate": _part(lambda at: at.day),
    "getDayOfWeek": _part(lambda at: (at.weekday() + 1) % 7),
    "getHours": _either(3600 * 10**9, lambda at: at.hour),
    "getMinutes": _either(60 * 10**9, lambda at: at.minute),
    "getSeconds": _either(10**9, lambda at: at.second),
    "getMilliseconds": _milliseconds,
}
