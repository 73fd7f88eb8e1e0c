"""Constraints on values: bounds, enums, patterns, formats, and `anyOf`, `oneOf`, `allOf`, `not`."""

from collections.abc import Iterator
from typing import Any, Final

from crdgen.admission import formats
from crdgen.compatibility.change import READERS, Change, breaking, ratcheted, safe
from crdgen.compatibility.types import type_name
from crdgen.schema_keywords import Schema

_LOWER: Final = ("minLength", "minItems", "minProperties")
_UPPER: Final = ("maxLength", "maxItems", "maxProperties")
_NUMBERS: Final = ("int32", "int64", "float", "double")


def changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the values that one node takes."""
    for keyword in _LOWER:
        yield from _bound(keyword, _floor(old.get(keyword)), _floor(new.get(keyword)), path, 1)
    for keyword in _UPPER:
        yield from _bound(keyword, old.get(keyword), new.get(keyword), path, -1)
    yield from _bound("minimum", _edge(old, "inimum"), _edge(new, "inimum"), path, 1)
    yield from _bound("maximum", _edge(old, "aximum"), _edge(new, "aximum"), path, -1)
    yield from _multiple(old.get("multipleOf"), new.get("multipleOf"), path)
    yield from _enum(old.get("enum") or [], new.get("enum") or [], path)
    yield from _text("pattern", old.get("pattern") or "", new.get("pattern") or "", path)
    yield from _text("format", _format(old), _format(new), path)


def _floor(value: int | None) -> int | None:
    return value or None


def _edge(schema: Schema, name: str) -> tuple[float, int] | None:
    bound = schema.get(f"m{name}")
    if bound is None:
        return None
    step = (1 if name == "inimum" else -1) * bool(schema.get(f"exclusiveM{name}"))
    return (bound + step, 0) if schema.get("type") == "integer" else (bound, step)


def _bound(keyword: str, was: Any, now: Any, path: str, sign: int) -> Iterator[Change]:  # noqa: ANN401
    if was == now:
        return
    what = f"{keyword} {_show(was)} → {_show(now)}"
    loosened = now is None or (was is not None and (now < was) == (sign > 0))
    if loosened:
        yield safe(f"{keyword.lower()}-loosened", path, what, "more values are taken", READERS)
    else:
        yield ratcheted(f"{keyword.lower()}-tightened", path, what, "fewer values are taken")


def _show(value: Any) -> str:  # noqa: ANN401 - a bound
    if isinstance(value, tuple):
        return f"{value[0]:g}{' exclusive' if value[1] else ''}"
    return "none" if value is None else str(value)


def _multiple(was: float | None, now: float | None, path: str) -> Iterator[Change]:
    if was == now:
        return
    what = f"multipleOf {_show(was)} → {_show(now)}"
    if now is None or (was is not None and now and was % now == 0):
        yield safe("multipleof-loosened", path, what, "more values are taken")
    else:
        yield ratcheted("multipleof-tightened", path, what, "fewer values are taken")


def _enum(was: list[Any], now: list[Any], path: str) -> Iterator[Change]:
    if not was and now:
        what = f"enum {', '.join(map(str, now))}"
        yield ratcheted("enum-added", path, what, "any other value is refused")
        return
    if was and not now:
        yield safe("enum-dropped", path, "enum dropped", "any value is taken", READERS)
        return
    for value in was:
        if value not in now:
            why = "it is refused as a new value"
            yield ratcheted("enum-value-removed", path, f"enum value {value} removed", why)
    for value in now:
        if value not in was:
            why = "old clients may not know it"
            yield safe("enum-value-added", path, f"enum value {value} added", why, READERS)


def _format(schema: Schema) -> str:
    written = str(schema.get("format", ""))
    return written if written in _NUMBERS or formats.is_known(written) else ""


def _text(keyword: str, was: str, now: str, path: str) -> Iterator[Change]:
    if was == now or (keyword, was, now) == ("format", "int32", "int64"):
        return
    what = f"{keyword} {was or 'none'} → {now or 'none'}"
    if not now or now in {"int64", "double"}:
        yield safe(f"{keyword}-removed", path, what, "more values are taken", READERS)
    else:
        why = "values that do not match are refused"
        yield ratcheted(f"{keyword}-{'changed' if was else 'added'}", path, what, why)


def combinator_changes(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """What changed in the combinations that one node takes."""
    for keyword in ("anyOf", "oneOf", "allOf", "not"):
        was, now = old.get(keyword), new.get(keyword)
        if was == now:
            continue
        if not now:
            why = "more combinations are taken"
            yield safe(f"{keyword.lower()}-removed", path, f"{keyword} removed", why)
        elif was and _is_looser(keyword, was, now):
            why = "every old combination is taken"
            yield safe(f"{keyword.lower()}-loosened", path, f"{keyword} loosened", why)
        else:
            verb = "changed" if was else "added"
            yield tighten(f"{keyword.lower()}-{verb}", new, path, f"{keyword} {verb}")


def tighten(rule: str, node: Schema, path: str, what: str) -> Change:
    """A new constraint on a node: ratcheted, unless any edit inside the node brings it up."""
    if type_name(node) == "object" and node.get("properties"):
        why = f"objects that break it are refused at any edit inside {path}"
        return breaking(rule, path, what, why)
    return ratcheted(rule, path, what, "values that break it are refused")


def _is_looser(keyword: str, was: Any, now: Any) -> bool:  # noqa: ANN401 - JSON
    if keyword == "anyOf":
        return all(branch in now for branch in was)
    if keyword == "allOf":
        return all(branch in was for branch in now)
    if keyword == "oneOf":
        added = [branch for branch in now if branch not in was]
        kept = all(branch in now for branch in was)
        return kept and all(_are_distinct(one, other) for one in added for other in was)
    return False


def _are_distinct(one: Schema, other: Schema) -> bool:
    """Whether no object fits both branches, since a required field's enums do not meet."""
    for name in set(one.get("properties", {})) & set(other.get("properties", {})):
        first, second = (branch["properties"][name].get("enum") for branch in (one, other))
        if first and second and not any(value in second for value in first):
            return True
    return False
