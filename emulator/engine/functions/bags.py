"""Functions of bags. Source: Kusto docs, "Dynamic functions"."""

import itertools
import json
import re

from emulator.engine.conversion import convert, json_sql, to_string
from emulator.engine.functions.dynamic import Json, parse_json
from emulator.engine.functions.registry import Call, alias, define, python, register
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.typed import Typed, constant


def bag_sql(pairs: list[tuple[Typed, Typed]], *, skip_empty: bool = False) -> str:
    """SQL for a bag of the pairs (key, value), the last of equal keys kept."""
    if skip_empty:
        parts = [
            f"CASE WHEN {value.sql} IS NULL{_or_empty(value)} THEN NULL "
            f"ELSE {json_sql(to_string(key))} || ':' || {json_sql(value)} END"
            for key, value in pairs
        ]
        return f"('{{' || concat_ws(',', {', '.join(parts)}) || '}}')"
    if not pairs:
        return "'{}'"
    last = {}
    for key, value in pairs:
        last[key.sql] = (key, value)
    parts = [
        f"{json_sql(to_string(key))} || ':' || {json_sql(value)}" for key, value in last.values()
    ]
    sql = "('{' || " + " || ',' || ".join(parts) + " || '}')"
    if any(not key.is_constant for key, _ in pairs):
        return f"k_last_of_equal_keys({sql})"
    return sql


def _or_empty(value: Typed) -> str:
    return f" OR {value.sql} = ''" if value.type == "string" else ""


define("last_of_equal_keys", "dynamic", ["dynamic"], lambda bag: bag)
define(
    "sorted_json",
    "string",
    ["string"],
    lambda text: (
        ""
        if not text
        else json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    ),
)


@register("bag_pack", 0, 128)
def _bag_pack(call: Call) -> Typed:
    if len(call.arguments) % 2:
        raise call.error("takes pairs of a key and a value")
    pairs = list(zip(call.arguments[::2], call.arguments[1::2], strict=True))
    return call.result(bag_sql(pairs), "dynamic")


alias("bag_pack", "pack", "pack_dictionary")


@register("bag_pack_columns", 1, 64)
def _bag_pack_columns(call: Call) -> Typed:
    pairs = []
    for value in call.arguments:
        if value.name is None:
            raise call.error("takes columns")
        pairs.append((constant("string", value.name), value))
    return call.result(bag_sql(pairs), "dynamic")


def path_steps(text: str) -> list[str | int]:
    """The names and indices of a path such as `$.a[0]`."""
    if not text.startswith("$"):
        return [text]
    steps: list[str | int] = []
    for name, quoted, index in re.findall(r"\.([^.\[\]]+)|\['([^']*)'\]|\[(\d+)\]", text):
        steps.append(int(index) if index else quoted or name)
    return steps


def follow_step(value: Json, step: str | int) -> tuple[bool, Json]:
    """Whether `value` has the member or item `step`, and what it is."""
    if isinstance(value, dict) and step in value:
        return True, value[step]
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return True, value[step]
    return False, None


def _has_key(bag: Json, key: str) -> bool | None:
    if not isinstance(bag, dict):
        return None if bag is None else False
    found, value = True, bag
    for step in path_steps(key):
        found, value = follow_step(value, step)
        if not found:
            return False
    return found


def _remove(bag: Json, steps: list[str | int]) -> None:
    for step in steps[:-1]:
        found, bag = follow_step(bag, step)
        if not found:
            return
    if isinstance(bag, dict):
        bag.pop(steps[-1], None)


def _remove_keys(bag: Json, keys: Json) -> Json:
    if not isinstance(bag, dict):
        return None
    for key in keys if isinstance(keys, list) else [keys]:
        _remove(bag, path_steps(str(key)))
    return bag


def _set_key(bag: Json, key: str, value: Json) -> Json:
    if not isinstance(bag, dict):
        return None
    target, steps = bag, path_steps(key)
    for step in steps[:-1]:
        inner = target.get(str(step))
        if not isinstance(inner, dict):
            inner = target[str(step)] = {}
        target = inner
    target[str(steps[-1])] = value
    return bag


def _zip_bag(keys: Json, values: Json) -> Json:
    if not isinstance(keys, list) or not isinstance(values, list):
        return None
    pairs = itertools.zip_longest(keys, values[: len(keys)])
    return {key: value for key, value in pairs if isinstance(key, str)}


python("bag_has_key", "bool", ["dynamic", "string"], _has_key)
python("bag_remove_keys", "dynamic", ["dynamic", "dynamic"], _remove_keys)
python("bag_set_key", "dynamic", ["dynamic", "string", "any"], _set_key)
python("bag_zip", "dynamic", ["dynamic", "dynamic"], _zip_bag)


def _tree(value: Json, path: str) -> list[str]:
    if isinstance(value, dict):
        return [
            one
            for key, item in value.items()
            for one in [f"{path}['{key}']", *_tree(item, f"{path}['{key}']")]
        ]
    if isinstance(value, list) and value:
        return [f"{path}[0]", *_tree(value[0], f"{path}[0]")]
    return []


python("treepath", "dynamic", ["dynamic"], lambda value: _tree(value, ""))


@register("extract_json", 2, 3)
def _extract_json(call: Call) -> Typed:
    path, value = call.argument(0, "string"), call.arguments[1]
    if not isinstance(path.constant, str):
        raise UnsupportedProblem(f"a computed path in '{call.name}()'", call.at)
    source = to_string(value).sql if value.type != "dynamic" else f"coalesce({value.sql}, '')"
    found = call.result(f"k_extract_json({source}, {path.sql})", "dynamic")
    kind = str(call.arguments[2].constant) if len(call.arguments) > 2 else "string"
    return convert(found, kind)


alias("extract_json", "extractjson")


def _follow(text: str, path: str) -> Json:
    value = parse_json(text)
    for step in path_steps(path):
        found, value = follow_step(value, step)
        if not found:
            return None
    return value


define("extract_json", "dynamic", ["string", "string"], _follow)
