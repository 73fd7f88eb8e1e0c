"""The checks on one value by itself: type, length, pattern, format, bounds, enum.

The server picks the branch of an `anyOf` to report by the number of checks that matched; counting
as it does makes the messages the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from crdgen.admission import formats
from crdgen.field_errors import FieldError, invalid, show_number
from crdgen.regex import matches
from crdgen.schema_keywords import Schema

_NUMERIC: Final = ("integer", "number")
_INT64: Final = 2**63
_FORMS: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}


@dataclass(slots=True)
class Result:
    """Problems found, without repeats, and the number of checks that were made."""

    problems: list[FieldError] = field(default_factory=list)
    matched: int = 0

    @property
    def fine(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def add(self, *problems: FieldError) -> None:
        """Add problems that are not there yet."""
        for problem in problems:
            if problem not in self.problems:
                self.problems.append(problem)

    def merge(self, other: "Result") -> None:
        """Take over what another result found and matched."""
        self.add(*other.problems)
        self.matched += other.matched


def json_type(value: Any) -> str:  # noqa: ANN401 - JSON
    """The JSON type of a value that is not null."""
    if type(value) is int and not -_INT64 <= value < _INT64:
        return "number"  # Go decodes it as a float
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def kept_format(schema: Schema, kinds: tuple[str, ...]) -> str:
    """The format that the server keeps; it drops those that it does not know for the type."""
    written = str(schema.get("format", ""))
    kind = kinds[0] if len(kinds) == 1 else ""
    if kind in _FORMS:
        return written if written in _FORMS[kind] else ""
    if kind in {"", "string"}:
        return written if written and formats.is_known(written) else ""
    return ""


def checks_format(schema: Schema, kinds: tuple[str, ...]) -> bool:
    """Whether texts are held against the schema's format."""
    kept = kept_format(schema, kinds)
    return bool(kept) and formats.is_known(kept)


def check_null(schema: Schema, kinds: tuple[str, ...], path: str) -> Iterator[FieldError]:
    """What is wrong with null here."""
    if kinds and not schema.get("nullable"):
        yield _type_error(path, ",".join(kinds), "null")
    if schema.get("enum"):
        yield _enum_error(path, None, schema["enum"])


def check_type(value: Any, schema: Schema, kinds: tuple[str, ...], path: str) -> Result:  # noqa: ANN401
    """Whether the value has the schema's type."""
    found, actual, kept = Result(), json_type(value), kept_format(schema, kinds)
    numeric = any(each in kinds for each in _NUMERIC)
    whole = actual == "number" and is_whole(value) and "integer" in kinds
    fits = actual in kinds or whole or (actual == "integer" and "number" in kinds)
    if not numeric and kept and actual in {"string", "array"}:
        # NB: with a format, a list passes where text is wanted (kube-apiserver 1.37).
        found.matched = 1
    elif fits:
        found.matched = 1
    elif kept and actual not in {"string", "array"}:
        given = {"integer": "int64", "number": "float64"}.get(actual, "")
        found.add(_type_error(path, kept, given))
    else:
        found.add(_type_error(path, ",".join(kinds), actual))
    return found


def is_whole(value: float) -> bool:
    """Whether a JSON number counts as an integer, within JavaScript's exact range."""
    return abs(value) <= 2**53 - 1 and abs(value - round(value)) <= 1e-9 * max(abs(value), 1e-300)


def check_text(value: str, schema: Schema, path: str) -> Result:
    """Length and pattern; only the first that fails is reported."""
    found = Result()
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        unit = "byte" if most == 1 else "bytes"
        words = f"may not be more than {most} {unit}" if most >= 0 else "value is too long"
        found.add(FieldError(path, "TooLong", words))
    elif least is not None and len(value) < least:
        words = f"{path} in body should be at least {least} chars long"
        found.add(invalid(path, value, words))
    elif schema.get("pattern") and not matches(schema["pattern"], value):
        words = f"{path} in body should match '{schema['pattern']}'"
        found.add(invalid(path, value, words))
    return found


def check_format(value: str, schema: Schema, path: str) -> Result:
    """The schema's format, which `checks_form` said is checked."""
    found = Result()
    if not formats.is_valid(schema["format"], value):
        found.add(_type_error(path, schema["format"], value))
    return found


def check_enum(value: Any, schema: Schema, path: str) -> Result:  # noqa: ANN401 - JSON
    """Whether the value is one of the schema's."""
    found = Result()
    values = schema.get("enum")
    if values and not any(_is_same(value, each) for each in values):
        found.add(_enum_error(path, value, values))
    return found


def _is_same(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, float) and isinstance(wanted, int):
        # NB: the server truncates before it compares, so 1.5 is one of [1] (1.37).
        return int(value) == wanted
    return value is not None and bool(value == wanted)


def _enum_error(path: str, value: Any, values: list[Any]) -> FieldError:  # noqa: ANN401 - JSON
    shown = [each if isinstance(each, str) else json.dumps(each) for each in values]
    listed = ", ".join(json.dumps(each, ensure_ascii=False) for each in shown)
    return FieldError(path, "Unsupported", f"supported values: {listed}", value)


def _type_error(path: str, wanted: str, found: str) -> FieldError:
    words = f"{path} in body must be of type {wanted}: {json.dumps(found, ensure_ascii=False)}"
    return FieldError(path, "TypeInvalid", words, found)


_INT32: Final = 2**31
_FLOAT32: Final = 3.4028235677973366e38
Number = int | float


def check_number(value: Number, schema: Schema, kinds: tuple[str, ...], path: str) -> Result:
    """Problems of a number: its width, multiple and bounds."""
    found = Result()
    name, form = _named(schema, kinds)
    found.add(*_range(value, name, form, "Checked", path))
    value = value if abs(value) < _INT64 else float(value)  # as Go decodes it
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


def _range(value: Number, name: str, form: str, what: str, path: str) -> list[FieldError]:
    if name == "integer":
        limit = _INT32 if form == "int32" else _INT64
        # NB: the server reads a bound back from the fewest digits that tell the float (1.37).
        whole = value if what == "Checked" else Decimal(repr(float(value)))
        fits = value == int(value) and -limit <= whole < limit
    else:
        fits = form != "float" or abs(value) <= _FLOAT32
    if fits:
        return []
    shown = f"format {form}" if form else ""
    words = f"with {shown} in {path}" if form else f"(default format) in {path}"
    return [invalid("<nil>", "", f"{what} value must be of type {name} {words}")]


def _multiple(value: Number, schema: Schema, name: str, form: str, path: str) -> list[FieldError]:
    factor = schema.get("multipleOf")
    if factor is None:
        return []
    found = _range(factor, name, form, "MultipleOf", path)
    exact = isinstance(value, int) and not found
    factor = int(factor) if exact else float(factor)
    if factor <= 0:
        words = f"factor MultipleOf declared for {path} must be positive: {show_number(factor)}"
        return [*found, invalid(path, factor, words)]
    fits = (
        value % factor == 0
        if exact
        else is_whole(1 / factor * value if factor < 1 else value / factor)
    )
    if fits:
        return found
    words = f"{path} in body should be a multiple of {show_number(factor)}"
    return [*found, invalid(path, value, words)]


def _maximum(value: Number, schema: Schema, name: str, form: str, path: str) -> list[FieldError]:
    bound = schema.get("maximum")
    if bound is None:
        return []
    found = _range(bound, name, form, "Maximum boundary", path)
    value, limit = _compared(value, bound, in_floats=bool(found))
    exclusive = bool(schema.get("exclusiveMaximum"))
    if value > limit or (exclusive and value == limit):
        words = "less than" if exclusive else "less than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {words} {show_number(limit)}"))
    return found


def _minimum(value: Number, schema: Schema, name: str, form: str, path: str) -> list[FieldError]:
    bound = schema.get("minimum")
    if bound is None:
        return []
    found = _range(bound, name, form, "Minimum boundary", path)
    value, limit = _compared(value, bound, in_floats=bool(found))
    exclusive = bool(schema.get("exclusiveMinimum"))
    if value < limit or (exclusive and value == limit):
        words = "greater than" if exclusive else "greater than or equal to"
        found.append(invalid(path, value, f"{path} in body should be {words} {show_number(limit)}"))
    return found


def _compared(value: Number, bound: Number, *, in_floats: bool) -> tuple[Number, Number]:
    """The value and the bound as the server compares them: it truncates a bound for an integer.

    NB: a bound beyond 64 bits becomes the least integer of Go on amd64 (1.37).
    """
    if in_floats or isinstance(value, float):
        return float(value), float(bound)
    return value, int(bound) if abs(bound) < _INT64 else -_INT64
