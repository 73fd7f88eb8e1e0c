"""Go durations, as the API writes a length of time (``1h30m``, ``90s``).

The rules are those of Go's ``time.ParseDuration``, which adx-mon, the CEL of the API server and the
Kubernetes tools use.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

NANOSECONDS_PER_SECOND: Final = 1_000_000_000
NANOSECONDS_PER_TICK: Final = 100
_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5
    "μs": 1_000,  # U+03BC
    "ms": 1_000_000,
    "s": NANOSECONDS_PER_SECOND,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"([+-])?(?:0|(?:{_PART.pattern})+)")
_LONGER_UNIT = re.compile(r"[+-]?([0-9]{1,9})([dw])")
_HOURS = {"d": 24, "w": 168}
_LIMIT: Final = (1 << 63) - 1
_DIGITS: Final = 19
_TOO_LONG: Final = "is longer than a Go duration can be (about 292 years)"


class InvalidDurationError(ValueError):
    """The text is not a Go duration; the message says what to write."""


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A length of time in nanoseconds, like Go's ``time.Duration``; may be negative."""

    nanoseconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a Go duration.

        Raises:
            InvalidDurationError: if it is not one, or longer than about 292 years (Go's int64 of
                nanoseconds). For ``1d`` and ``1w`` the message has the hours to write instead.
        """
        match = _WHOLE.fullmatch(text)
        if match is None:
            raise InvalidDurationError(_what_to_write(text))
        total = sum(_part_ns(number, unit) for number, unit in _PART.findall(text))
        nanoseconds = -total if match[1] == "-" else total
        if not -_LIMIT - 1 <= nanoseconds <= _LIMIT:
            raise InvalidDurationError(_TOO_LONG)
        return cls(nanoseconds)

    @property
    def is_whole_ticks(self) -> bool:
        """Whether it is a whole number of Kusto's 100 ns ticks."""
        return self.nanoseconds % 100 == 0

    @property
    def ticks(self) -> int:
        """Ticks of 100 ns, rounded up."""
        return -(-self.nanoseconds // 100)

    def __str__(self) -> str:
        if self.nanoseconds == 0:
            return "0s"
        sign, rest = ("-" if self.nanoseconds < 0 else ""), abs(self.nanoseconds)
        parts = []
        for unit in ("h", "m", "s", "ms", "us", "ns"):
            count, rest = divmod(rest, _NANOSECONDS[unit])
            parts += [f"{count}{unit}"] if count else []
        return sign + "".join(parts)


def _part_ns(number: str, unit: str) -> int:
    whole, _, fraction = number.partition(".")
    digits = whole.lstrip("0")
    if len(digits) > _DIGITS:
        raise InvalidDurationError(_TOO_LONG)
    return int(digits or "0") * _NANOSECONDS[unit] + _fraction_ns(fraction, _NANOSECONDS[unit])


def _fraction_ns(digits: str, scale: int) -> int:
    """The nanoseconds in a fraction of a unit, computed in floating point like Go.

    NB: Go 1.26 drops the digits beyond 64 bits and multiplies as float64. So
    ``0.3333333333333333333h`` is exactly 20m.
    """
    value, divisor = 0, 1.0
    for digit in digits:
        longer = value * 10 + int(digit)
        if value > _LIMIT // 10 or longer > _LIMIT + 1:
            break
        value, divisor = longer, divisor * 10
    return int(float(value) * (scale / divisor))


def _what_to_write(text: str) -> str:
    longer = _LONGER_UNIT.fullmatch(text)
    if longer is not None:
        hours = int(longer[1]) * _HOURS[longer[2]]
        return f"must be a Go duration, which has no unit above the hour; write {hours}h"
    return "must be a Go duration such as 15m, 1h or 1h30m"
