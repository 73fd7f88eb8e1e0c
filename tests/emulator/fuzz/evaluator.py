"""Kusto's rules on plain Python values, row by row, written from its documentation.

Independent of the engine: nothing of `emulator` is imported. A long or an int is an int, a real a
float, a datetime or a timespan a number of ticks, a dynamic a JSON value, a null None; a string is
never None. Sources: Kusto docs, "Null values", "Numerical operators", "bin()", "join operator",
"union operator", "mv-expand operator", "make-series operator", "Aggregation functions".
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]
Table = list[Row]
Value = Any


def add(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a + b


def subtract(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a - b


def multiply(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a * b


def divide(a: Value, b: Value) -> Value:
    """An integer division by zero is null, a real one infinite or NaN."""
    if a is None or b is None:
        return None
    if isinstance(a, float) or isinstance(b, float):
        if b == 0:
            if a == 0 or math.isnan(a):
                return math.nan
            return math.copysign(math.inf, a) * math.copysign(1, b)
        return a / b
    return None if b == 0 else int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def modulo(a: Value, b: Value) -> Value:
    """Never negative for integers."""
    return None if a is None or b is None or b == 0 else a % abs(b)


def equal(a: Value, b: Value) -> Value:
    if a is None and b is None:
        return None
    return False if a is None or b is None else a == b


def unequal(a: Value, b: Value) -> Value:
    found = equal(a, b)
    return None if found is None else not found


def less(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a < b


def at_most(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a <= b


def between(value: Value, low: Value, high: Value) -> Value:
    return both(at_most(low, value), at_most(value, high))


def both(a: Value, b: Value) -> Value:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a: Value, b: Value) -> Value:
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def negation(a: Value) -> Value:
    return None if a is None else not a


def binned(value: Value, size: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, float) or isinstance(size, float):
        return math.floor(value / size) * size
    return value // size * size


def has(text: str, term: str) -> bool:
    terms = re.findall(r"[^\W_]+", text.lower())
    return term.lower() in terms


def member(value: Value, name: str) -> Value:
    return value.get(name) if isinstance(value, dict) else None


def text_of(value: Value, kind: str) -> str:
    """`tostring(value)`."""
    if value is None:
        return ""
    if kind == "bool":
        return "True" if value else "False"
    if kind == "dynamic":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    if kind == "real":
        return (
            "NaN"
            if math.isnan(value)
            else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(
                value, repr(value).replace("e", "E")
            )
        )
    return str(value)


def long_of_text(text: str) -> Value:
    return int(text) if re.fullmatch(r"\s*[+-]?\d+\s*", text) else None


def first_given(*values: Value) -> Value:
    """`coalesce()`: the first that is neither null nor empty."""
    return next((value for value in values if value not in (None, "")), values[-1])


# ----- aggregates, over the values of a group


def total(values: Iterable[Value], kind: str = "long") -> Value:
    found = sum(value for value in values if value is not None)
    return float(found) if kind == "real" else found


def average(values: Iterable[Value]) -> Value:
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else math.nan


def extreme(values: Iterable[Value], choose: Callable[[list[Value]], Value], kind: str) -> Value:
    found = [value for value in values if value is not None]
    return choose(found) if found else ("" if kind == "string" else None)


def percentile(values: Iterable[Value], percent: float) -> Value:
    found = sorted(value for value in values if value is not None)
    return found[max(math.ceil(percent / 100 * len(found)) - 1, 0)] if found else None


# ----- operators


def summarize(
    rows: Table,
    keys: list[tuple[str, Callable[[Row], Value]]],
    aggregates: list[tuple[str, Callable[[Table], Value]]],
) -> Table:
    if not keys:
        return [{name: compute(rows) for name, compute in aggregates}]
    groups: dict[Any, Table] = {}
    for row in rows:
        groups.setdefault(tuple(exact(key(row)) for _, key in keys), []).append(row)
    found = []
    for group in groups.values():
        result = {name: key(group[0]) for name, key in keys}
        result |= {name: compute(group) for name, compute in aggregates}
        found.append(result)
    return found


def join(left: Table, right: Table, key: str, kind: str, nulls: tuple[Row, Row]) -> Table:
    """Join on a column of both; `nulls` are the rows of nulls of each side. Null keys match."""

    def combined(one: Row, other: Row) -> Row:
        row = dict(one)
        for name, value in other.items():
            row[f"{name}1" if name in one else name] = value
        return row

    if kind in ("leftsemi", "leftanti"):
        known = {exact(row[key]) for row in right}
        return [row for row in left if (exact(row[key]) in known) == (kind == "leftsemi")]
    pairs = [
        (one, other) for one in left for other in right if exact(one[key]) == exact(other[key])
    ]
    found = [combined(one, other) for one, other in pairs]
    if kind in ("leftouter", "fullouter"):
        known = {exact(row[key]) for row in right}
        found += [combined(row, nulls[1]) for row in left if exact(row[key]) not in known]
    if kind in ("rightouter", "fullouter"):
        known = {exact(row[key]) for row in left}
        found += [combined(nulls[0], row) for row in right if exact(row[key]) not in known]
    return found


def expand(rows: Table, column: str) -> Table:
    found = []
    for row in rows:
        value = row[column]
        if isinstance(value, list):
            items = value
        elif isinstance(value, dict):
            items = [{name: item} for name, item in value.items()]
        else:
            items = [value]
        found += [row | {column: item} for item in items]
    return found


def series(
    rows: Table, key: str, axis: str, span: tuple[int, int, int], compute: Callable[[Table], Value]
) -> Table:
    """`make-series counts = … on axis from … to … step … by key`, with the default 0."""
    start, stop, step = span
    count = math.ceil((stop - start) / step)
    groups: dict[Any, Table] = {}
    for row in rows:
        if row[axis] is not None and start <= row[axis] < stop:
            groups.setdefault(exact(row[key]), []).append(row)
    found = []
    for group in groups.values():
        places: dict[int, Table] = {}
        for row in group:
            places.setdefault((row[axis] - start) // step, []).append(row)
        values = [compute(places[place]) if place in places else 0 for place in range(count)]
        found.append(
            {key: group[0][key], "counts": values, axis: [start + step * at for at in range(count)]}
        )
    return found


def exact(value: Value) -> Any:
    """A form of a value that can be hashed; a NaN equals a NaN, and 0.0 equals -0.0."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def freeze(value: Value) -> Any:
    """A form of a value to compare results by: reals to six digits."""
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return f"{value}"
        return round(value, 6) + 0.0
    if isinstance(value, list):
        return ("list", *(freeze(item) for item in value))
    if isinstance(value, dict):
        return ("bag", *sorted((name, freeze(item)) for name, item in value.items()))
    return value


def distinct(rows: Table) -> Table:
    seen: dict[Any, Row] = {}
    for row in rows:
        seen.setdefault(tuple(exact(value) for value in row.values()), row)
    return list(seen.values())


def bag_of(rows: Table, columns: list[str]) -> list[Any]:
    """The rows in an order of their own, to be compared as a bag."""
    return sorted((tuple(freeze(row[name]) for name in columns) for row in rows), key=repr)
