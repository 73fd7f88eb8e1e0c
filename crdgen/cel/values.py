"""Values at run time, beside Python's own: what CEL tells apart and Python does not.

int, float, str, bytes, bool, None, list and dict stand for themselves. Times are nanoseconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Value = Any


class EvaluationError(Exception):
    """An expression failed while it ran; the message is CEL's."""


@dataclass(frozen=True, slots=True)
class UInt:
    """An unsigned integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time; `offset` in seconds is only how it was written."""

    nanoseconds: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Optional:
    """`optional.of(value)`, or `optional.none()` when not `present`."""

    present: bool
    value: Value = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of one of Kubernetes' library types: its type's name and what it holds."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value, such as `string`."""

    name: str


class Fields:
    """An object or map of the schema: looked up by CEL name, converted on the way."""

    def __init__(
        self, raw: dict[str, Any], look: Callable[[str], Value], keys: Callable[[], list[str]]
    ) -> None:
        self.raw = raw
        self._look = look
        self.names = keys

    def find(self, key: str) -> tuple[bool, Value]:
        """Whether `key` is there, and its value."""
        found: tuple[bool, Value] = self._look(key)
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of the schema with its list type: `set` and `map` lists compare without order."""

    items: Sequence[Value]
    kind: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """Data without a schema: it equals the same data and does nothing else."""

    value: Any


NONE: Final = Optional(present=False)
_NUMERIC: Final = (int, float, UInt)


def items_of(value: Value) -> Sequence[Value] | None:
    """The items of a list value, or None when it is none."""
    if isinstance(value, Listed):
        return value.items
    return value if isinstance(value, list) else None


def number(value: Value) -> int | float | None:
    """The number in an int, uint or double value, or None."""
    if isinstance(value, UInt):
        return value.value
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def equal(one: Value, other: Value) -> bool:
    """CEL's `==`: numbers across types, lists and maps by content, anything else by type."""
    first, second = number(one), number(other)
    if first is not None or second is not None:
        return first is not None and second is not None and first == second
    if isinstance(one, Fields) or isinstance(other, Fields):
        return _same_maps(one, other)
    if (left := items_of(one)) is not None:
        right = items_of(other)
        return right is not None and _same_lists(one, left, right)
    if isinstance(one, dict):
        return isinstance(other, dict) and _same_dicts(one, other)
    if isinstance(one, Moment) and isinstance(other, Moment):
        return one.nanoseconds == other.nanoseconds
    if isinstance(one, Optional) and isinstance(other, Optional):
        return one.present == other.present and (not one.present or equal(one.value, other.value))
    return type(one) is type(other) and bool(one == other)


def _same_maps(one: Value, other: Value) -> bool:
    if isinstance(one, Fields) and isinstance(other, Fields):
        return (
            one.raw.keys() == other.raw.keys()
            and all(equal(*(side.find(key)[1] for side in (one, other))) for key in one.names())
            and _same_unseen(one, other)
        )
    mapping, plain = (one, other) if isinstance(one, Fields) else (other, one)
    if not isinstance(plain, dict):
        return False
    return len(mapping.raw) == len(plain) and all(
        key in plain and equal(mapping.find(key)[1], plain[key]) for key in mapping.names()
    )


def _same_unseen(one: Fields, other: Fields) -> bool:
    return one.raw == other.raw or len(one.names()) == len(one.raw)


def _same_lists(one: Value, left: Sequence[Value], right: Sequence[Value]) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(one, Listed) and one.kind == "set":
        return all(any(equal(a, b) for b in left) for a in right) and all(
            any(equal(a, b) for b in right) for a in left
        )
    if isinstance(one, Listed) and one.kind == "map":
        return all(any(_same_entry(a, b, one.keys) for b in left) for a in right)
    pairs = zip(left, right, strict=True)
    if isinstance(one, Listed):
        return all(equal(a, b) for a, b in pairs)
    return all(_is_equal(a, b) for a, b in pairs)


def _is_equal(one: Value, other: Value) -> bool:
    """As `equal`, but an error inside a made list only makes it different (cel-go 0.29)."""
    try:
        return equal(one, other)
    except EvaluationError:
        return False


def _same_entry(one: Value, other: Value, keys: tuple[str, ...]) -> bool:
    return equal(one, other) and all(
        equal(one.find(key)[1], other.find(key)[1])
        for key in keys
        if isinstance(one, Fields) and isinstance(other, Fields)
    )


def _same_dicts(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return len(one) == len(other) and all(
        key in other and equal(value, other[key]) for key, value in one.items()
    )


def compare(one: Value, other: Value) -> int:
    """-1, 0 or 1 as `one` is less than, equal to or greater than `other`.

    Raises:
        EvaluationError: they are of types that have no order.
    """
    first, second = number(one), number(other)
    if first is None or second is None:
        first, second = _compare_ordered(one, other)
    if isinstance(first, float) and (math.isnan(first) or math.isnan(second)):
        raise EvaluationError("NaN values cannot be ordered")
    return (first > second) - (first < second)


def _compare_ordered(one: Value, other: Value) -> tuple[Any, Any]:
    if isinstance(one, (Duration, Moment)) and type(one) is type(other):
        return one.nanoseconds, other.nanoseconds
    if isinstance(one, str) and isinstance(other, str):
        return one.encode(), other.encode()
    if isinstance(one, (bytes, bool)) and type(one) is type(other):
        return one, other
    raise EvaluationError("no such overload")


def type_name(value: Value) -> str:
    """The name of the type of `value`, as `type()` gives it."""
    names = {
        bool: "bool", int: "int", float: "double", str: "string", bytes: "bytes", UInt: "uint",
        list: "list", Listed: "list", dict: "map", Fields: "map",
        Duration: "google.protobuf.Duration", Moment: "google.protobuf.Timestamp",
        Optional: "optional_type", TypeValue: "type", type(None): "null_type",
    }  # fmt: skip
    return value.kind if isinstance(value, Opaque) else names[type(value)]
