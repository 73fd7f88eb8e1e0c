"""CEL's functions on lists and maps: Kubernetes' lists, cel-go's lists and sets, map insert."""

from collections.abc import Callable, Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import Final

from crdgen.cel import library_text
from crdgen.cel.values import (
    Duration,
    EvaluationError,
    Fields,
    Listed,
    UInt,
    Value,
    compare,
    equal,
    items_of,
)


def merge(one: Listed, others: Sequence[Value]) -> Listed:
    """`+` on `set` and `map` lists: what is there stays in place, what is new comes after."""
    items = list(one.items)
    for other in others:
        at = next((n for n, item in enumerate(items) if _is_same(item, other, one)), None)
        if at is None:
            items.append(other)
        elif one.kind == "map":
            items[at] = other
    return Listed(items, one.kind, one.keys)


def _is_same(item: Value, other: Value, listed: Listed) -> bool:
    if listed.kind == "set":
        return equal(item, other)
    return (
        isinstance(item, Fields)
        and isinstance(other, Fields)
        and all(equal(item.find(key)[1], other.find(key)[1]) for key in listed.keys)
    )


def _items(value: Value) -> Sequence[Value]:
    found = items_of(value)
    if found is None:
        raise EvaluationError("no such overload")
    return found


def _is_sorted(value: Value) -> bool:
    items = _items(value)
    return all(compare(a, b) <= 0 for a, b in pairwise(items))


def _sum(value: Value) -> Value:
    items = _items(value)
    if not items:
        return 0
    if isinstance(items[0], Duration):
        return Duration(sum(each.nanoseconds for each in items))
    if isinstance(items[0], UInt):
        return UInt(sum(each.value for each in items))
    return sum(items)


def _extreme(value: Value, sign: int, name: str) -> Value:
    items = _items(value)
    if not items:
        raise EvaluationError(f"{name} called on empty list")
    best = items[0]
    for each in items[1:]:
        if compare(each, best) * sign > 0:
            best = each
    return best


def _index_of(value: Value, *args: Value) -> int:
    if isinstance(value, str):
        return library_text.index_of(value, *args)
    return next((n for n, each in enumerate(_items(value)) if equal(each, args[0])), -1)


def _last_index_of(value: Value, *args: Value) -> int:
    if isinstance(value, str):
        return library_text.last_index_of(value, *args)
    found = [n for n, each in enumerate(_items(value)) if equal(each, args[0])]
    return found[-1] if found else -1


def _slice(value: Value, start: int, end: int) -> list[Value]:
    items = _items(value)
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(
            f"cannot slice({start}, {end}), start index must be less than or equal to end index"
        )
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return list(items[start:end])


def _flatten(value: Value, depth: int = 1) -> list[Value]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Value] = []
    for each in _items(value):
        inner = items_of(each)
        found += [each] if inner is None or depth == 0 else _flatten(inner, depth - 1)
    return found


def _distinct(value: Value) -> list[Value]:
    found: list[Value] = []
    for each in _items(value):
        if not any(equal(each, known) for known in found):
            found.append(each)
    return found


def _sort(value: Value) -> list[Value]:
    return sorted(_items(value), key=cmp_to_key(compare))


def _sort_by(value: Value, keys: Value) -> list[Value]:
    order = cmp_to_key(compare)
    paired = sorted(zip(_items(keys), _items(value), strict=True), key=lambda pair: order(pair[0]))
    return [each for _, each in paired]


def _contains_all(one: Value, other: Value) -> bool:
    return all(any(equal(a, b) for b in _items(one)) for a in _items(other))


def _insert(target: Value, *args: Value) -> Value:
    found = dict(target)
    pairs: list[tuple[Value, Value]] = [(args[0], args[-1])]
    if len(args) == 1:
        pairs = list(args[0].items())
    for key, each in pairs:
        if key in found:
            raise EvaluationError(f"insert failed: key {key} already exists")
        found[key] = each
    return found


FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "isSorted": _is_sorted,
    "sum": _sum,
    "max": lambda value: _extreme(value, 1, "max"),
    "min": lambda value: _extreme(value, -1, "min"),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "slice": _slice,
    "flatten": _flatten,
    "lists.range": lambda count: list(range(count)),
    "reverse": lambda value: list(reversed(_items(value))),
    "distinct": _distinct,
    "sort": _sort,
    "@sortByAssociatedKeys": _sort_by,
    "sets.contains": _contains_all,
    "sets.equivalent": lambda one, other: _contains_all(one, other) and _contains_all(other, one),
    "sets.intersects": lambda one, other: any(
        equal(a, b) for a in _items(one) for b in _items(other)
    ),
    "cel.@mapInsert": _insert,
}
