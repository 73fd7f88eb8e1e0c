"""Recognises the spec that most people write, without building a model of it.

``schema`` asks first: admission judges an object many times as often as it refuses one, and a
model costs several times these comparisons (docs/benchmarks.md). What is plain breaks no rule of
the schema; what is not may still be fine, and the models say. A test holds the two together.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from summaryrule import rules

Check = Callable[[Any], bool]

# Narrower than IS_NAME, so that one match decides.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,254}(?<!__)")
_MOST_IN_FLIGHT: Final = 20


def is_plain(spec: object) -> bool:
    """Whether ``spec`` surely is what the schema takes; false also where it is not obvious."""
    return _fits(spec, _SPEC, _REQUIRED)


def _fits(value: object, checks: Mapping[str, Check], required: frozenset[str]) -> bool:
    if type(value) is not dict or not required <= value.keys():
        return False
    for name, member in value.items():
        check = checks.get(name)
        if check is None or not check(member):
            return False
    return True


def _text(most: int) -> Check:
    # Only ASCII, since a lone surrogate is a str and no text.
    return lambda value: type(value) is str and 0 < len(value) <= most and value.isascii()


def _is_name(value: object) -> bool:
    return type(value) is str and _NAME.fullmatch(value) is not None


def _is_interval(value: object) -> bool:
    return type(value) is str and rules.read_interval(value) is not None


def _is_delay(value: object) -> bool:
    return type(value) is str and rules.read_delay(value) is not None


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_few(value: object) -> bool:
    return type(value) is int and 1 <= value <= _MOST_IN_FLIGHT


def _is_time(value: object) -> bool:
    return type(value) is str and rules.read_instant(value) is not None


def _is_backfill(value: object) -> bool:
    return _fits(value, _BACKFILL, _RANGE) and rules.IS_ORDERED.holds(value)


_RANGE: Final = frozenset({"start", "end"})
_REQUIRED: Final = frozenset({"database", "table", "body", "interval"})
_BACKFILL: Final[Mapping[str, Check]] = {
    "start": _is_time,
    "end": _is_time,
    "requestId": _text(253),
    "maxInFlight": _is_few,
    "suspend": _is_flag,
    "operationId": _text(128),
}
_SPEC: Final[Mapping[str, Check]] = {
    "database": _is_name,
    "table": _is_name,
    "body": _text(1 << 31),
    "interval": _is_interval,
    "ingestionDelay": _is_delay,
    "criteriaExpression": _text(8192),
    "suspend": _is_flag,
    "backfill": _is_backfill,
}
