"""The checks on numbers: bounds, multiples, widths that formats give. Called by `schema`."""

from typing import Final

from crdgen.admit.result import Result
from crdgen.admit.scalars import is_whole
from crdgen.marks import Schema
from crdgen.problem import Problem, invalid

_INT32: Final = 2**31
_INT64: Final = 2**63
_FLOAT32: Final = 3.4028235677973366e38
Number = int | float


def number(value: Number, schema: Schema, kinds: tuple[str, ...], path: str) -> Result:
    """Problems of a number: its width, multiple and bounds."""
    found = Result()
    name, form = _named(schema, kinds)
    found.add(*_range(value, name, form, "Checked", path))
    for part in (
        _multiple(value, schema, name, form, path),
        _minimum(value, schema, name, form, path),
        _maximum(value, schema, name, form, path),
    ):
        found.add(*part)
    found.matched += 1
    return found


def _named(schema: Schema, kinds: tuple[str, ...]) -> tuple[str, str]:
    known = {"integer": ("int32", "int64"), "number": ("float", "double")}
    if len(kinds) != 1 or kinds[0] not in known:
        return "", ""
    form = schema.get("format", "")
    return kinds[0], form if form in known[kinds[0]] else ""


def _range(value: Number, name: str, form: str, what: str, path: str) -> list[Problem]:
    if name == "integer":
        limit = _INT32 if form == "int32" else _INT64
        fits = value == int(value) and -limit <= int(value) < limit
    else:
        fits = form != "float" or abs(value) <= _FLOAT32
    if fits:
        return []
    shown = f"format {form}" if form else ""
    words = f"with {shown} in {path}" if form else f"(default format) in {path}"
    return [invalid("<nil>", "", f"{what} value must be of type {name} {words}")]


def _multiple(value: Number, schema: Schema, name: str, form: str, path: str) -> list[Problem]:
    factor = schema.get("multipleOf")
    if factor is None:
        return []
    found = _range(factor, name, form, "MultipleOf", path)
    exact = isinstance(value, int) and not found
    factor = int(factor) if exact else factor
    if factor <= 0:
        words = f"factor MultipleOf declared for {path} must be positive: {_shown(factor)}"
        return [*found, invalid(path, factor, words)]
    fits = (
        value % factor == 0
        if exact
        else is_whole(1 / factor * value if factor < 1 else value / factor)
    )
    if fits:
        return found
    words = f"{path} in body should be a multiple of {_shown(factor)}"
    return [*found, invalid(path, value, words)]


def _maximum(value: Number, schema: Schema, name: str, form: str, path: str) -> list[Problem]:
    bound = schema.get("maximum")
    if bound is None:
        return []
    found = _range(bound, name, form, "Maximum boundary", path)
    limit = int(bound) if isinstance(value, int) and not found else bound
    exclusive = bool(schema.get("exclusiveMaximum"))
    if value > limit or (exclusive and value == limit):
        words = "less than" if exclusive else "less than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {words} {_shown(limit)}"))
    return found


def _minimum(value: Number, schema: Schema, name: str, form: str, path: str) -> list[Problem]:
    bound = schema.get("minimum")
    if bound is None:
        return []
    found = _range(bound, name, form, "Minimum boundary", path)
    limit = int(bound) if isinstance(value, int) and not found else bound
    exclusive = bool(schema.get("exclusiveMinimum"))
    if value < limit or (exclusive and value == limit):
        words = "greater than" if exclusive else "greater than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {words} {_shown(limit)}"))
    return found


def _shown(value: Number) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:  # noqa: PLR2004
        return str(int(value))
    return str(value)
