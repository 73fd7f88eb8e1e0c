"""Durations and times as Go reads and writes them: what CEL and the server's formats use.

Nanoseconds in integers throughout. A time is nanoseconds since 1970-01-01T00:00:00Z and the
offset in seconds that its text had.
"""

import re
from datetime import date, timedelta
from typing import Final

_UNITS: Final = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9,
    "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)")
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))"
)
_EPOCH: Final = date(1970, 1, 1)
_LARGEST: Final = 2**63


def duration(text: str) -> int | None:
    """Nanoseconds of a Go duration such as `1h30m`, or None when it is none."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total = at = 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or not (part[1] or part[2]):
            return None
        unit = _UNITS[part[3]]
        fraction = part[2] or ""
        total += int(part[1] or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        at = part.end()
    if not rest or total > _LARGEST - (sign > 0):
        return None
    return sign * total


def moment(text: str) -> tuple[int, int] | None:
    """Nanoseconds since the epoch and offset in seconds of an RFC 3339 time, or None.

    As strict as Go's time.Parse(RFC3339): upper-case T and Z, no leap second.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    offset = 0 if found[8] else (int(found[10]) * 3600 + int(found[11]) * 60)
    if hour > 23 or minute > 59 or second > 59 or _is_wide(found):  # noqa: PLR2004 - a clock
        return None
    days = _days(year, month, day)
    if days is None:
        return None
    offset = -offset if found[9] == "-" else offset
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
    return seconds * 10**9 + int((found[7] or "0").ljust(9, "0")[:9]), offset


def duration_text(nanoseconds: int) -> str:
    """A duration as CEL's `string()` writes it: seconds with a fraction as short as it goes."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    seconds, fraction = divmod(rest, 10**9)
    shown = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{sign}{seconds}{shown}s"


def moment_text(nanoseconds: int, offset: int = 0) -> str:
    """A time as RFC 3339 with as many fraction digits as it needs."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    days, rest = divmod(seconds + offset, 86400)
    day = _EPOCH + timedelta(days=days)
    shown = f".{fraction:09d}".rstrip("0") if fraction else ""
    zone = "Z"
    if offset:
        hours, minutes = divmod(abs(offset) // 60, 60)
        zone = f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"
    hour, minute = rest // 3600, rest // 60 % 60
    return f"{day.isoformat()}T{hour:02d}:{minute:02d}:{rest % 60:02d}{shown}{zone}"


def _is_wide(found: re.Match[str]) -> bool:
    return not found[8] and (int(found[10]) > 24 or int(found[11]) > 60)  # noqa: PLR2004 - Go's


def _days(year: int, month: int, day: int) -> int | None:
    try:
        return (date(year, month, day) - _EPOCH).days
    except ValueError:
        if year == 0 and month in range(1, 13):
            return (date(400, month, day) - _EPOCH).days - 146097
        return None


_LOOSE: Final = re.compile(r"(\d+)\s*([A-Za-zµ]+)")
_LOOSE_UNITS: Final = (
    (("ns", "nano"), 1), (("us", "µs", "micro"), 10**3), (("ms", "milli"), 10**6),
    (("s", "sec"), 10**9), (("m", "min"), 60 * 10**9), (("h", "hr", "hour"), 3600 * 10**9),
    (("d", "day"), 86400 * 10**9), (("w", "wk", "week"), 7 * 86400 * 10**9),
)  # fmt: skip


def loose_duration(text: str) -> int | None:
    """Nanoseconds of what `format: duration` accepts: a Go duration or words such as `3 days`.

    NB: units that it does not know are skipped as long as one is known, so that `P1M` is a
    minute (kube-openapi, seen with kube-apiserver 1.37).
    """
    exact = duration(text)
    if exact is not None:
        return exact
    total, known = 0, False
    for count, unit in _LOOSE.findall(text):
        for names, size in _LOOSE_UNITS:
            if unit.lower() in names or unit.lower().startswith(names[-1]):
                total, known = total + int(count) * size, True
    return total if known else None
