"""Every function that a rule may call, by name: what it does to values.

Operators and conversions are here; texts, lists, times and Kubernetes' own types have modules of
their own. A function is called with its target first.
"""

import math
from collections.abc import Callable
from operator import add, mul, sub
from typing import Any, Final

from crdgen.cel import gotime, library_kubernetes, library_lists, library_text, library_time
from crdgen.cel.values import (
    NONE,
    Duration,
    EvaluationError,
    Fields,
    Listed,
    Moment,
    Opaque,
    Optional,
    TypeValue,
    UInt,
    Value,
    compare,
    equal,
    items_of,
    number,
    type_name,
)
from crdgen.regex import matches

_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_UNSIGNED: Final = 2**64 - 1
_LAST_SECOND: Final = 253402300799
_FIRST_SECOND: Final = -62135596800
Function = Callable[..., Value]


def _int(value: int, what: str = "integer") -> int:
    if not _LEAST <= value <= _MOST:
        raise EvaluationError(f"{what} overflow")
    return value


def _uint(value: int) -> UInt:
    if not 0 <= value <= _MOST_UNSIGNED:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def _span(value: int) -> Duration:
    return Duration(_int(value, "duration"))


def _moment(value: int, offset: int = 0) -> Moment:
    if not _FIRST_SECOND <= value // 10**9 <= _LAST_SECOND:
        raise EvaluationError("timestamp overflow")
    return Moment(value, offset)


def _by_type(functions: dict[Any, Function]) -> Function:
    """A function that is another for each type, or pair of types, of its arguments."""

    def call(*args: Value) -> Value:
        kinds = tuple(map(type, args))
        found = functions.get(kinds if len(kinds) > 1 else kinds[0])
        if found is None:
            raise EvaluationError("no such overload")
        return found(*args)

    return call


def _arithmetic(combine: Callable[[Any, Any], Any]) -> dict[Any, Function]:
    return {
        (int, int): lambda one, other: _int(combine(one, other)),
        (UInt, UInt): lambda one, other: _uint(combine(one.value, other.value)),
        (float, float): combine,
    }


_SUM: Final = _by_type({
    **_arithmetic(add),
    (Duration, Duration): lambda one, other: _span(one.nanoseconds + other.nanoseconds),
    (Duration, Moment): lambda one, at: _moment(one.nanoseconds + at.nanoseconds, at.offset),
    (Moment, Duration): lambda at, one: _moment(at.nanoseconds + one.nanoseconds, at.offset),
    (str, str): add,
    (bytes, bytes): add,
})  # fmt: skip
_DIFFERENCE: Final = {
    **_arithmetic(sub),
    (Duration, Duration): lambda one, other: _span(one.nanoseconds - other.nanoseconds),
    (Moment, Moment): lambda one, other: _span(one.nanoseconds - other.nanoseconds),
    (Moment, Duration): lambda at, one: _moment(at.nanoseconds - one.nanoseconds, at.offset),
}


def _add(one: Value, other: Value) -> Value:
    if isinstance(one, Listed) and one.kind in {"set", "map"}:
        return library_lists.merge(one, items_of(other) or [])
    left, right = items_of(one), items_of(other)
    return _SUM(one, other) if left is None or right is None else [*left, *right]


def _divide(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one * other)
    return one / other


def _truncate(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("division by zero")
    whole = abs(one) // abs(other)
    return whole if (one < 0) == (other < 0) else -whole


def _remainder(one: int, other: int) -> int:
    if other == 0:
        raise EvaluationError("modulus by zero")
    return one - other * _truncate(one, other)


def _index(operand: Value, key: Value) -> Value:
    found = _optional_index(operand, key)
    if isinstance(operand, Optional):
        return found
    if found.present:
        return found.value
    missing = "no such key" if items_of(operand) is None else "index out of bounds"
    raise EvaluationError(f"{missing}: {key}")


def _optional_index(operand: Value, key: Value) -> Optional:
    if isinstance(operand, Optional):
        return _optional_index(operand.value, key) if operand.present else NONE
    items = items_of(operand)
    if items is not None:
        position = number(key)
        if position is None or position != int(position):
            raise EvaluationError(f"unsupported index: {key}")
        inside = 0 <= position < len(items)
        return Optional(present=True, value=items[int(position)]) if inside else NONE
    if isinstance(operand, Fields):
        found, value = operand.find(key) if isinstance(key, str) else (False, None)
        return Optional(present=True, value=value) if found else NONE
    if isinstance(operand, dict):
        found_values = (value for name, value in operand.items() if equal(name, key))
        return next((Optional(present=True, value=value) for value in found_values), NONE)
    raise EvaluationError("no such overload")


def _in(value: Value, container: Value) -> bool:
    items = items_of(container)
    if items is not None:
        return any(equal(value, each) for each in items)
    return _optional_index(container, value).present


def _size(value: Value) -> int:
    items = items_of(value)
    if items is not None:
        return len(items)
    if isinstance(value, (Fields, str, bytes, dict)):
        return len(value.raw if isinstance(value, Fields) else value)
    raise EvaluationError("no such overload")


def _same(value: Value) -> Value:
    return value


def _misread(to: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from 'string' to '{to}'")


def _from_double(value: float, least: float, most: float, what: str) -> int:
    if not least < value < most:
        raise EvaluationError(f"{what} overflow")
    return int(value)


def _parsed_int(text: str) -> int:
    digits = text.lstrip("+-")
    fine = digits.isascii() and digits.isdigit() and len(text) - len(digits) <= 1
    if not fine or not _LEAST <= int(text) <= _MOST:
        raise _misread("int")
    return int(text)


def _parsed_uint(text: str) -> UInt:
    if text.isascii() and text.isdigit() and int(text) <= _MOST_UNSIGNED:
        return UInt(int(text))
    raise _misread("uint")


def _parsed_double(text: str) -> float:
    try:
        return float(text.strip() if text == text.strip() else "?")
    except ValueError:
        raise _misread("double") from None


def _parsed_bool(text: str) -> bool:
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise _misread("bool")


def _parsed_duration(text: str) -> Duration:
    found = gotime.duration(text)
    if found is None:
        raise _misread("google.protobuf.Duration")
    return Duration(found)


def _parsed_moment(text: str) -> Moment:
    found = gotime.moment(text)
    if found is None:
        raise _misread("google.protobuf.Timestamp")
    return _moment(*found)


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _matches(text: str, pattern: str) -> bool:
    try:
        return matches(pattern, text)
    except RuntimeError:
        raise EvaluationError(f"error parsing regexp: invalid pattern: `{pattern}`") from None


def _value(one: Optional) -> Value:
    if not one.present:
        raise EvaluationError("optional.none() dereference")
    return one.value


def _is_zero(value: Value) -> bool:
    if items_of(value) is not None or isinstance(value, (dict, Fields, str, bytes)):
        return _size(value) == 0
    return value is None or value is False or number(value) == 0


_CONVERSIONS: Final[dict[str, dict[Any, Function]]] = {
    "bool": {bool: _same, str: _parsed_bool},
    "bytes": {bytes: _same, str: str.encode},
    "double": {float: _same, int: float, str: _parsed_double, UInt: lambda v: float(v.value)},
    "int": {
        int: _same,
        UInt: lambda value: _int(value.value),
        float: lambda value: _from_double(value, -(2.0**63), 2.0**63, "integer"),
        Moment: lambda value: value.nanoseconds // 10**9,
        Duration: lambda value: value.nanoseconds,
        str: _parsed_int,
    },
    "uint": {
        UInt: _same,
        int: _uint,
        float: lambda value: UInt(_from_double(value, -1.0, 2.0**64, "unsigned integer")),
        str: _parsed_uint,
    },
    "string": {
        str: _same,
        bool: lambda value: "true" if value else "false",
        int: str,
        UInt: lambda value: str(value.value),
        float: library_text.double_text,
        Duration: lambda value: gotime.duration_text(value.nanoseconds),
        Moment: lambda value: gotime.moment_text(value.nanoseconds, value.offset),
        bytes: _decode,
        Opaque: lambda value: str(value.value),
    },
    "duration": {Duration: _same, str: _parsed_duration},
    "timestamp": {
        Moment: _same, str: _parsed_moment, int: lambda value: _moment(value * 10**9),
    },
}  # fmt: skip
FUNCTIONS: Final[dict[str, Function]] = {
    "_==_": equal,
    "_!=_": lambda one, other: not equal(one, other),
    "_<_": lambda one, other: compare(one, other) < 0,
    "_<=_": lambda one, other: compare(one, other) <= 0,
    "_>_": lambda one, other: compare(one, other) > 0,
    "_>=_": lambda one, other: compare(one, other) >= 0,
    "_+_": _add,
    "_-_": _by_type(_DIFFERENCE),
    "_*_": _by_type(_arithmetic(mul)),
    "_/_": _by_type({**_arithmetic(_truncate), (float, float): _divide}),
    "_%_": _by_type({**_arithmetic(_remainder), (float, float): _remainder}),
    "-_": _by_type({int: lambda value: _int(-value), float: lambda value: -value}),
    "!_": _by_type({bool: lambda value: not value}),
    "_[_]": _index,
    "_[?_]": _optional_index,
    "@in": _in,
    "size": _size,
    "type": lambda value: TypeValue(type_name(value)),
    "dyn": _same,
    **{to: _by_type(functions) for to, functions in _CONVERSIONS.items()},
    "matches": _by_type({(str, str): _matches}),
    "optional.of": lambda value: Optional(present=True, value=value),
    "optional.ofNonZeroValue": lambda value: (
        NONE if _is_zero(value) else Optional(present=True, value=value)
    ),
    "optional.none": lambda: NONE,
    "value": _value,
    "hasValue": lambda one: one.present,
    "or": lambda one, other: one if one.present else other,
    "orValue": lambda one, other: one.value if one.present else other,
    **library_text.FUNCTIONS,
    **library_lists.FUNCTIONS,
    **library_time.FUNCTIONS,
    **library_kubernetes.FUNCTIONS,
}
