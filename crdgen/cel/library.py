"""Every function that a rule may call, by name: what it does to values.

Operators and conversions are here; texts, lists, times and Kubernetes' own types have modules of
their own. A function is called with its target first.
"""

import math
from collections.abc import Callable
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


def _int(value: int) -> int:
    if not _LEAST <= value <= _MOST:
        raise EvaluationError("integer overflow")
    return value


def _uint(value: int) -> UInt:
    if not 0 <= value <= _MOST_UNSIGNED:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def _no_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def _span(value: int) -> Duration:
    if not _LEAST <= value <= _MOST:
        raise EvaluationError("duration overflow")
    return Duration(value)


def _moment(value: int, offset: int = 0) -> Moment:
    if not _FIRST_SECOND <= value // 10**9 <= _LAST_SECOND:
        raise EvaluationError("timestamp overflow")
    return Moment(value, offset)


def _add(one: Value, other: Value) -> Value:
    if isinstance(one, Listed) and one.kind in {"set", "map"}:
        return library_lists.merge(one, items_of(other) or [])
    left, right = items_of(one), items_of(other)
    if left is not None and right is not None:
        return [*left, *right]
    match one, other:
        case Duration(), Duration():
            return _span(one.nanoseconds + other.nanoseconds)
        case (Duration(), Moment()):
            return _moment(one.nanoseconds + other.nanoseconds, other.offset)
        case (Moment(), Duration()):
            return _moment(one.nanoseconds + other.nanoseconds, one.offset)
        case (str(), str()) | (bytes(), bytes()):
            return one + other
    return _arithmetic(one, other, lambda a, b: a + b)


def _subtract(one: Value, other: Value) -> Value:
    match one, other:
        case Duration(), Duration():
            return _span(one.nanoseconds - other.nanoseconds)
        case Moment(), Moment():
            return _span(one.nanoseconds - other.nanoseconds)
        case Moment(), Duration():
            return _moment(one.nanoseconds - other.nanoseconds, one.offset)
    return _arithmetic(one, other, lambda a, b: a - b)


def _arithmetic(one: Value, other: Value, combine: Callable[[Any, Any], Any]) -> Value:
    if type(one) is not type(other) or isinstance(one, bool):
        raise _no_overload()
    if isinstance(one, UInt):
        return _uint(combine(one.value, other.value))
    if isinstance(one, int):
        return _int(combine(one, other))
    if isinstance(one, float):
        return combine(one, other)
    raise _no_overload()


def _divide(one: Value, other: Value) -> Value:
    if isinstance(one, float) and isinstance(other, float):
        if other == 0:
            return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one * other)
        return one / other
    if number(other) == 0 and type(one) is type(other):
        raise EvaluationError("division by zero")
    return _arithmetic(one, other, _truncate)


def _truncate(one: int, other: int) -> int:
    whole = abs(one) // abs(other)
    return whole if (one < 0) == (other < 0) else -whole


def _modulo(one: Value, other: Value) -> Value:
    if number(other) == 0 and type(one) is type(other):
        raise EvaluationError("modulus by zero")
    return _arithmetic(one, other, lambda a, b: a - b * _truncate(a, b))


def _negate(value: Value) -> Value:
    if isinstance(value, float):
        return -value
    if isinstance(value, int) and not isinstance(value, bool):
        return _int(-value)
    raise _no_overload()


def _not(value: Value) -> bool:
    if not isinstance(value, bool):
        raise _no_overload()
    return not value


def _index(operand: Value, key: Value) -> Value:
    if isinstance(operand, Optional):
        return NONE if not operand.present else _optional_index(operand.value, key)
    found = _optional_index(operand, key)
    if found.present:
        return found.value
    if items_of(operand) is not None:
        raise EvaluationError(f"index out of bounds: {key}")
    raise EvaluationError(f"no such key: {key}")


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
        for name, value in operand.items():
            if equal(name, key):
                return Optional(present=True, value=value)
        return NONE
    raise _no_overload()


def _in(value: Value, container: Value) -> bool:
    items = items_of(container)
    if items is not None:
        return any(equal(value, each) for each in items)
    return _optional_index(container, value).present


def _size(value: Value) -> int:
    items = items_of(value)
    if items is not None:
        return len(items)
    if isinstance(value, Fields):
        return len(value.raw)
    if isinstance(value, (str, bytes, dict)):
        return len(value)
    raise _no_overload()


def _convert(value: Value, to: str) -> EvaluationError:
    names = {"double": "double", "int": "int", "uint": "uint"}
    return EvaluationError(
        f"type conversion error from '{type_name(value)}' to '{names.get(to, to)}'"
    )


def _to_int(value: Value) -> int:
    match value:
        case bool():
            raise _no_overload()
        case int():
            return value
        case UInt():
            return _int(value.value)
        case float():
            if not -(2.0**63) < value < 2.0**63:
                raise EvaluationError("integer overflow")
            return int(value)
        case Moment():
            return value.nanoseconds // 10**9
        case Duration():
            return value.nanoseconds
        case str():
            return _parsed_int(value)
    raise _no_overload()


def _parsed_int(text: str) -> int:
    digits = text.lstrip("+-")
    fine = digits.isascii() and digits.isdigit() and len(text) - len(digits) <= 1
    if not fine or not _LEAST <= int(text) <= _MOST:
        raise _convert(text, "int")
    return int(text)


def _to_uint(value: Value) -> UInt:
    match value:
        case UInt():
            return value
        case bool():
            raise _no_overload()
        case int():
            return _uint(value)
        case float():
            if not -1.0 < value < 2.0**64:
                raise EvaluationError("unsigned integer overflow")
            return UInt(int(value))
        case str() if value.isascii() and value.isdigit() and int(value) <= _MOST_UNSIGNED:
            return UInt(int(value))
        case str():
            raise _convert(value, "uint")
    raise _no_overload()


def _to_double(value: Value) -> float:
    if isinstance(value, str):
        try:
            return float(value.strip() if value == value.strip() else "?")
        except ValueError:
            raise _convert(value, "double") from None
    found = number(value)
    if found is None:
        raise _no_overload()
    return float(found)


def _to_bool(value: Value) -> bool:
    words = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value.lower() in words and value in {*words, "TRUE", "True", "T", "FALSE", "False", "F"}:
            return words[value.lower()]
        raise _convert(value, "bool")
    raise _no_overload()


def _to_string(value: Value) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case UInt():
            return str(value.value)
        case float():
            return library_text.double_text(value)
        case Duration():
            return gotime.duration_text(value.nanoseconds)
        case Moment():
            return gotime.moment_text(value.nanoseconds, value.offset)
        case bytes():
            return _decode(value)
        case Opaque():
            return str(value.value)
    raise _no_overload()


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def _to_bytes(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _to_duration(value: Value) -> Duration:
    if isinstance(value, str):
        found = gotime.duration(value)
        if found is None:
            raise _convert(value, "google.protobuf.Duration")
        return Duration(found)
    if isinstance(value, Duration):
        return value
    raise _no_overload()


def _to_timestamp(value: Value) -> Moment:
    if isinstance(value, str):
        found = gotime.moment(value)
        if found is None:
            raise _convert(value, "google.protobuf.Timestamp")
        return _moment(*found)
    if isinstance(value, int) and not isinstance(value, bool):
        return _moment(value * 10**9)
    if isinstance(value, Moment):
        return value
    raise _no_overload()


def _matches(text: Value, pattern: Value) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise _no_overload()
    try:
        return matches(pattern, text)
    except RuntimeError:
        raise EvaluationError(f"error parsing regexp: invalid pattern: `{pattern}`") from None


def _or_value(one: Optional, other: Value) -> Value:
    return one.value if one.present else other


def _value(one: Optional) -> Value:
    if not one.present:
        raise EvaluationError("optional.none() dereference")
    return one.value


def _is_zero(value: Value) -> bool:
    return (
        value is None
        or value is False
        or number(value) == 0
        or value in ("", b"")
        or (
            (items_of(value) is not None or isinstance(value, (dict, Fields))) and _size(value) == 0
        )
    )


FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "_==_": equal,
    "_!=_": lambda one, other: not equal(one, other),
    "_<_": lambda one, other: compare(one, other) < 0,
    "_<=_": lambda one, other: compare(one, other) <= 0,
    "_>_": lambda one, other: compare(one, other) > 0,
    "_>=_": lambda one, other: compare(one, other) >= 0,
    "_+_": _add,
    "_-_": _subtract,
    "_*_": lambda one, other: _arithmetic(one, other, lambda a, b: a * b),
    "_/_": _divide,
    "_%_": _modulo,
    "-_": _negate,
    "!_": _not,
    "_[_]": _index,
    "_[?_]": _optional_index,
    "@in": _in,
    "size": _size,
    "type": lambda value: TypeValue(type_name(value)),
    "dyn": lambda value: value,
    "bool": _to_bool,
    "bytes": _to_bytes,
    "double": _to_double,
    "int": _to_int,
    "uint": _to_uint,
    "string": _to_string,
    "duration": _to_duration,
    "timestamp": _to_timestamp,
    "matches": _matches,
    "optional.of": lambda value: Optional(present=True, value=value),
    "optional.ofNonZeroValue": lambda value: (
        NONE if _is_zero(value) else Optional(present=True, value=value)
    ),
    "optional.none": lambda: NONE,
    "value": _value,
    "hasValue": lambda one: one.present,
    "or": lambda one, other: one if one.present else other,
    "orValue": _or_value,
    **library_text.FUNCTIONS,
    **library_lists.FUNCTIONS,
    **library_time.FUNCTIONS,
    **library_kubernetes.FUNCTIONS,
}
