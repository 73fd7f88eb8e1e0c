"""The checks on one value by itself: type, text, format, enum. Called by `schema`."""

import json
from collections.abc import Iterator
from typing import Any, Final

from crdgen.admit import formats
from crdgen.admit.result import Result
from crdgen.marks import Schema
from crdgen.problem import Problem, invalid
from crdgen.regex import matches

_NUMERIC: Final = ("integer", "number")
_FORMS: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}


def json_type(value: Any) -> str:  # noqa: ANN401 - JSON
    """The JSON type of a value that is not null."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def form(schema: Schema, kinds: tuple[str, ...]) -> str:
    """The format that the server keeps; it drops those that it does not know for the type."""
    written = str(schema.get("format", ""))
    kind = kinds[0] if len(kinds) == 1 else ""
    if kind in _FORMS:
        return written if written in _FORMS[kind] else ""
    if kind in {"", "string"}:
        return written if written and formats.is_known(written) else ""
    return ""


def checks_form(schema: Schema, kinds: tuple[str, ...]) -> bool:
    """Whether texts are held against the schema's format."""
    kept = form(schema, kinds)
    return bool(kept) and formats.is_known(kept)


def null(schema: Schema, kinds: tuple[str, ...], path: str) -> Iterator[Problem]:
    """What is wrong with null here."""
    if kinds and not schema.get("nullable"):
        yield _type_error(path, ",".join(kinds), "null")
    if schema.get("enum"):
        yield _enum_error(path, None, schema["enum"])


def kind(value: Any, schema: Schema, kinds: tuple[str, ...], path: str) -> Result:  # noqa: ANN401
    """Whether the value has the schema's type."""
    found, actual, kept = Result(), json_type(value), form(schema, kinds)
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


def text(value: str, schema: Schema, path: str) -> Result:
    """Length and pattern; the first that fails is told."""
    found = Result()
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        unit = "byte" if most == 1 else "bytes"
        words = f"may not be more than {most} {unit}" if most >= 0 else "value is too long"
        found.add(Problem(path, "TooLong", words))
    elif least is not None and len(value) < least:
        words = f"{path} in body should be at least {least} chars long"
        found.add(invalid(path, value, words))
    elif schema.get("pattern") and not matches(schema["pattern"], value):
        words = f"{path} in body should match '{schema['pattern']}'"
        found.add(invalid(path, value, words))
    return found


def formatted(value: str, schema: Schema, path: str) -> Result:
    """The schema's format, which `checks_form` said is checked."""
    found = Result()
    if not formats.is_valid(schema["format"], value):
        found.add(_type_error(path, schema["format"], value))
    return found


def enumerated(value: Any, schema: Schema, path: str) -> Result:  # noqa: ANN401 - JSON
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


def _enum_error(path: str, value: Any, values: list[Any]) -> Problem:  # noqa: ANN401 - JSON
    shown = [each if isinstance(each, str) else json.dumps(each) for each in values]
    listed = ", ".join(json.dumps(each, ensure_ascii=False) for each in shown)
    return Problem(path, "Unsupported", f"supported values: {listed}", value)


def _type_error(path: str, wanted: str, found: str) -> Problem:
    words = f"{path} in body must be of type {wanted}: {json.dumps(found, ensure_ascii=False)}"
    return Problem(path, "TypeInvalid", words, found)
