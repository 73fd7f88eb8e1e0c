"""Functions of arrays, bags, sets and JSON. Source: Kusto docs, "Dynamic functions"."""

import itertools
import json
from collections.abc import Callable
from typing import Any, Final

from emulator.engine import literals
from emulator.engine.conversion import convert, json_sql, text_sql, to_dynamic
from emulator.engine.functions.registry import Call, alias, define, python, register
from emulator.engine.typed import INTEGERS, NUMBERS, Typed, constant

Json = Any


@register("pack_array", 0, 128)
def _pack_array(call: Call) -> Typed:
    if not call.arguments:
        return constant("dynamic", [])
    joined = " || ',' || ".join(json_sql(value) for value in call.arguments)
    return call.result(f"('[' || {joined} || ']')", "dynamic")


@register("parse_json", 1)
def _bind_parse_json(call: Call) -> Typed:
    value = call.arguments[0]
    if value.type != "string":
        return to_dynamic(value)
    if isinstance(value.constant, str):
        return constant("dynamic", parse_json(value.constant))
    text = value.sql
    sql = (
        f"CASE WHEN {text} = '' THEN NULL WHEN json_valid({text}) THEN k_json({text}) "
        f"ELSE to_json({text})::VARCHAR END"
    )
    return call.result(sql, "dynamic")


alias("parse_json", "todynamic", "parsejson", "toobject")


def parse_json(text: str) -> Json:
    """The JSON value of `text`, `text` itself when it is not JSON, None when it is blank."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


define("json", "dynamic", ["string"], parse_json)


@register("array_length", 1)
def _array_length(call: Call) -> Typed:
    value = call.argument(0, "dynamic").sql
    return call.result(
        f"CASE WHEN json_type({value}) = 'ARRAY' THEN json_array_length({value})::BIGINT END",
        "long",
    )


alias("array_length", "arraylength")


def _array(value: Json) -> list[Json] | None:
    return value if isinstance(value, list) else None


def _concat(arrays: list[Json]) -> Json:
    found: list[Json] = []
    for array in arrays:
        found += array if isinstance(array, list) else [array]
    return found


def variadic(name: str, function: Callable[[list[Json]], Json], least: int = 1) -> None:
    """A function of any number of dynamics, which gets them as one list."""
    sql_name = define(name, "dynamic", ["dynamic"], function)

    def bind(call: Call) -> Typed:
        parts = " || ',' || ".join(
            f"coalesce({to_dynamic(value).sql}, 'null')" for value in call.arguments
        )
        return call.result(f"{sql_name}('[' || {parts} || ']')", "dynamic")

    register(name, least, 64)(bind)


variadic("array_concat", _concat)
variadic("bag_merge", lambda bags: _merge(bags))
alias("array_concat", "array_append")


def _merge(bags: list[Json]) -> Json:
    found: dict[str, Json] = {}
    for bag in bags:
        if isinstance(bag, dict):
            found |= {key: value for key, value in bag.items() if key not in found}
    return found if any(isinstance(bag, dict) for bag in bags) else None


def _array_iff(conditions: Json, yes: Json, no: Json) -> Json:
    if not isinstance(conditions, list):
        return None

    def item(values: Json, at: int) -> Json:
        if not isinstance(values, list):
            return values
        return values[at] if at < len(values) else None

    return [
        None if condition is None else item(yes if _is_true(condition) else no, at)
        for at, condition in enumerate(conditions)
    ]


def _is_true(value: Json) -> bool:
    return value not in (False, 0, None) and not isinstance(value, str)


python("array_iff", "dynamic", ["dynamic", "any", "any"], _array_iff)
alias("array_iff", "array_iif")


def _index_of(
    array: Json, wanted: Json, start: int | None, length: int | None, occurrence: int | None
) -> int | None:
    if not isinstance(array, list):
        return None
    start = start or 0
    start = max(start + len(array), 0) if start < 0 else start
    end = len(array) if length is None or length == -1 else min(start + length, len(array))
    found = [at for at in range(start, end) if same(array[at], wanted)]
    occurrence = 1 if occurrence is None else occurrence
    return found[occurrence - 1] if 1 <= occurrence <= len(found) else -1


def same(one: Json, other: Json) -> bool:
    """Whether two JSON values are equal, a bool never being a number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


python("array_index_of", "long", ["dynamic", "any", "long", "long", "long"], _index_of, optional=3)


def _slice(array: Json, start: int | None, end: int | None) -> Json:
    if not isinstance(array, list) or start is None or end is None:
        return None
    start = max(start + len(array), 0) if start < 0 else start
    end = end + len(array) if end < 0 else end
    return array[start : end + 1]


def _split(array: Json, indices: Json) -> Json:
    if not isinstance(array, list):
        return None
    cuts = [indices] if isinstance(indices, int) else indices
    if not isinstance(cuts, list):
        return None
    bounds = [min(max(cut + len(array), 0) if cut < 0 else cut, len(array)) for cut in cuts]
    bounds = [0, *bounds, len(array)]
    return [array[a:b] for a, b in itertools.pairwise(bounds)]


def _rotate(array: Json, count: int | None) -> Json:
    if not isinstance(array, list) or count is None:
        return None
    if not array:
        return array
    count %= len(array)
    return array[count:] + array[:count]


def _rotate_right(array: Json, count: int | None) -> Json:
    return _rotate(array, None if count is None else -count)


def _shift(array: Json, count: int | None, fill: Json) -> Json:
    if not isinstance(array, list) or count is None:
        return None
    size = len(array)
    if count >= 0:
        return [*array[count:], *([fill] * min(count, size))]
    return [*([fill] * min(-count, size)), *array[: max(0, size + count)]]


def _shift_right(array: Json, count: int | None, fill: Json) -> Json:
    return _shift(array, None if count is None else -count, fill)


def _sum(array: Json) -> float | None:
    if not isinstance(array, list) or not all(
        isinstance(item, int | float) for item in array if item is not None
    ):
        return None
    return float(sum(item for item in array if item is not None))


python("array_slice", "dynamic", ["dynamic", "long", "long"], _slice)
python("array_split", "dynamic", ["dynamic", "any"], _split)
python("array_rotate_left", "dynamic", ["dynamic", "long"], _rotate)
python("array_rotate_right", "dynamic", ["dynamic", "long"], _rotate_right)
python("array_shift_left", "dynamic", ["dynamic", "long", "any"], _shift, optional=1)
python("array_shift_right", "dynamic", ["dynamic", "long", "any"], _shift_right, optional=1)
python("array_sum", "real", ["dynamic"], _sum)
python(
    "array_reverse",
    "dynamic",
    ["dynamic"],
    lambda array: array[::-1] if isinstance(array, list) else None,
)
python("bag_keys", "dynamic", ["dynamic"], lambda bag: list(bag) if isinstance(bag, dict) else None)


def _order(value: Json) -> tuple[int, Json]:
    if isinstance(value, bool):
        return (0, value)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, literals.to_json(value))


def sort_arrays(packed: Json, *, descending: bool) -> Json:
    """The arrays of `packed`, all in the order of the first; nulls stand last."""
    first, *others = packed[0]
    nulls_first = packed[1]
    if not isinstance(first, list):
        return [None] * len(packed[0])
    filled = [at for at, value in enumerate(first) if value is not None]
    if len({_order(first[at])[0] for at in filled}) > 1:
        raise ValueError("an array of several types, whose order Kusto does not document")
    filled.sort(key=lambda at: _order(first[at]), reverse=descending)
    if descending:
        filled.sort(key=lambda at: _order(first[at]), reverse=True)
    empty = [at for at, value in enumerate(first) if value is None]
    order = empty + filled if nulls_first else filled + empty
    found: list[Json] = [[first[at] for at in order]]
    for other in others:
        fits = isinstance(other, list) and len(other) == len(first)
        found.append([other[at] for at in order] if fits else None)
    return found


define(
    "array_sort_asc", "dynamic", ["dynamic"], lambda packed: sort_arrays(packed, descending=False)
)
define(
    "array_sort_desc", "dynamic", ["dynamic"], lambda packed: sort_arrays(packed, descending=True)
)


def sort_call(call: Call) -> list[Typed]:
    """The columns that `array_sort_…()` gives, one for each array."""
    arrays = list(call.arguments)
    nulls_first = False
    if len(arrays) > 1 and arrays[-1].type == "bool":
        nulls_first = arrays.pop().constant is False
    parts = " || ',' || ".join(f"coalesce({to_dynamic(value).sql}, 'null')" for value in arrays)
    packed = f"'[[' || {parts} || '],{'true' if nulls_first else 'false'}]'"
    sql = f"k_{call.name}({packed})"
    return [
        Typed(
            f"__emulator.element(json_extract({sql}, '$[{number}]'))",
            "dynamic",
            name=_sorted_name(value, number),
        )
        for number, value in enumerate(arrays)
    ]


def _sorted_name(value: Typed, number: int) -> str:
    return f"{value.name}_sorted" if value.name else f"array{number}_sorted"


def _bind_sort(call: Call) -> Typed:
    return sort_call(call)[0]


register("array_sort_asc", 1, 64)(_bind_sort)
register("array_sort_desc", 1, 64)(_bind_sort)


@register("zip", 2, 16)
def _bind_zip(call: Call) -> Typed:
    parts = " || ',' || ".join(
        f"coalesce({to_dynamic(value).sql}, 'null')" for value in call.arguments
    )
    return call.result(f"k_zip('[' || {parts} || ']')", "dynamic")


def _zip(arrays: list[Json]) -> Json:
    lists = [
        array if isinstance(array, list) else [] if array is None else [array] for array in arrays
    ]
    return [list(items) for items in itertools.zip_longest(*lists)]


define("zip", "dynamic", ["dynamic"], _zip)


def _range(start: float | None, stop: float | None, step: float | None) -> Json:
    if start is None or stop is None or not step:
        return None
    count = int((stop - start) / step) + 1 if (stop - start) / step >= 0 else 0
    return [start + number * step for number in range(min(count, _LONGEST))]


_LONGEST: Final = 1_048_576
define("range_real", "dynamic", ["real", "real", "real"], _range)
define("range_long", "dynamic", ["long", "long", "long"], _range)
define(
    "range_datetime",
    "dynamic",
    ["long", "long", "long"],
    lambda a, b, c: _texts(_range(a, b, c), literals.datetime_text),
)
define(
    "range_timespan",
    "dynamic",
    ["long", "long", "long"],
    lambda a, b, c: _texts(_range(a, b, c), literals.timespan_text),
)


def _texts(values: Json, text: Callable[[int], str]) -> Json:
    return None if values is None else [text(value) for value in values]


@register("range", 2, 3)
def _bind_range(call: Call) -> Typed:
    start, stop = call.arguments[:2]
    if start.type in ("datetime", "timespan"):
        step = (
            call.arguments[2]
            if len(call.arguments) > 2
            else constant("timespan", literals.SECOND * 3600)
        )
        step = convert(step, "timespan")
        stop = convert(stop, start.type)
        return call.result(f"k_range_{start.type}({start.sql}, {stop.sql}, {step.sql})", "dynamic")
    step = call.arguments[2] if len(call.arguments) > 2 else constant("long", 1)
    values = [start, stop, step]
    if not all(value.type in (*NUMBERS, "dynamic") for value in values):
        raise call.error("takes numbers, datetimes or timespans")
    kind = "long" if all(value.type in INTEGERS for value in values) else "real"
    a, b, c = (convert(value, kind).sql for value in values)
    return call.result(f"k_range_{kind}({a}, {b}, {c})", "dynamic")


@register("repeat", 2)
def _bind_repeat(call: Call) -> Typed:
    value, count = json_sql(call.arguments[0]), call.argument(1, "long").sql
    items = f"array_to_string(list_transform(range(greatest({count}, 0)), lambda i: {value}), ',')"
    return call.result(f"CASE WHEN {count} >= 0 THEN '[' || {items} || ']' END", "dynamic")


@register("strcat_array", 2)
def _strcat_array(call: Call) -> Typed:
    array, delimiter = to_dynamic(call.arguments[0]).sql, text_sql(call.arguments[1])
    return call.result(f"coalesce(k_strcat_array({array}, {delimiter}), '')", "string")


def _joined(array: Json, delimiter: str) -> str:
    return delimiter.join(
        element_text(item) for item in (array if isinstance(array, list) else [array])
    )


def element_text(value: Json) -> str:
    """A JSON value as `tostring()` gives it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else literals.to_json(value)


define("strcat_array", "string", ["dynamic", "string"], _joined)


def _in_dynamic(array: Json, value: Json) -> bool:
    items = array if isinstance(array, list) else [array]
    return any(same(item, value) for item in items)


def _in_dynamic_ci(array: Json, value: Json) -> bool:
    lowered = str(value).lower()
    return any(
        str(item).lower() == lowered for item in (array if isinstance(array, list) else [array])
    )


define("in_dynamic", "bool", ["dynamic", "dynamic"], _in_dynamic)
define("in_dynamic_ci", "bool", ["dynamic", "dynamic"], _in_dynamic_ci)


def _member(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


define("member", "dynamic", ["dynamic", "string"], _member)


def _item(value: Json, index: int | None) -> Json:
    if not isinstance(value, list) or index is None or not -len(value) <= index < len(value):
        return None
    return value[index]


define("item", "dynamic", ["dynamic", "long"], _item)
