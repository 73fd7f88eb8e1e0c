"""Functions of sets, which are arrays. Source: Kusto docs, "Dynamic functions"."""

from emulator.engine import literals
from emulator.engine.functions.dynamic import Json, same, variadic
from emulator.engine.functions.registry import python


def first_places(values: list[Json]) -> list[Json]:
    """Each distinct value once, in the order of first places."""
    seen: dict[str, Json] = {}
    for value in values:
        seen.setdefault(literals.to_json(value), value)
    return list(seen.values())


def _union(sets: list[Json]) -> Json:
    if not all(isinstance(one, list) for one in sets):
        return None
    return first_places([item for one in sets for item in one])


def _intersect(sets: list[Json]) -> Json:
    if not all(isinstance(one, list) for one in sets):
        return None
    others = [{literals.to_json(item) for item in one} for one in sets[1:]]
    return [
        item
        for item in first_places(sets[0])
        if all(literals.to_json(item) in other for other in others)
    ]


def _difference(sets: list[Json]) -> Json:
    if not all(isinstance(one, list) for one in sets):
        return None
    others = {literals.to_json(item) for one in sets[1:] for item in one}
    return [item for item in first_places(sets[0]) if literals.to_json(item) not in others]


def _has_element(array: Json, value: Json) -> bool | None:
    return any(same(item, value) for item in array) if isinstance(array, list) else None


def _jaccard(one: Json, other: Json) -> float | None:
    if not isinstance(one, list) or not isinstance(other, list):
        return None
    first = {literals.to_json(item) for item in one}
    second = {literals.to_json(item) for item in other}
    return len(first & second) / len(first | second) if first | second else None


variadic("set_union", _union)
variadic("set_intersect", _intersect)
variadic("set_difference", _difference)
python("set_has_element", "bool", ["dynamic", "any"], _has_element)
python("jaccard_index", "real", ["dynamic", "dynamic"], _jaccard)
