"""Bounds, enums, patterns and formats: which values of a type are taken."""

from collections.abc import Iterator
from typing import Any, Final

from crdgen.admit import formats
from crdgen.compare.change import READERS, Change, ratcheted, safe
from crdgen.marks import Schema

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
    what = f"{keyword} {_shown(was)} → {_shown(now)}"
    loosened = now is None or (was is not None and (now < was) == (sign > 0))
    if loosened:
        yield safe(f"{keyword.lower()}-loosened", path, what, "more values are taken", READERS)
    else:
        yield ratcheted(f"{keyword.lower()}-tightened", path, what, "fewer values are taken")


def _shown(value: Any) -> str:  # noqa: ANN401 - a bound
    if isinstance(value, tuple):
        return f"{value[0]:g}{' exclusive' if value[1] else ''}"
    return "none" if value is None else str(value)


def _multiple(was: float | None, now: float | None, path: str) -> Iterator[Change]:
    if was == now:
        return
    what = f"multipleOf {_shown(was)} → {_shown(now)}"
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
