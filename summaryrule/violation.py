"""One thing that is wrong with an object, in the API server's own words.

The reasons are metav1.CauseType's; the messages read as ``field.Error`` prints them, so that
kubectl shows ours beside the server's and nobody sees a seam.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from summaryrule.quoting import quoted

Reason = Literal[
    "FieldValueInvalid",
    "FieldValueRequired",
    "FieldValueForbidden",
    "FieldValueTypeInvalid",
    "FieldValueTooLong",
]

_OMITTED: Final = object()


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong, where, and what to write instead.

    ``field`` is the path, as in ``spec.backfill.start``; ``message`` carries the value.
    """

    field: str
    reason: Reason
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def invalid(field: str, detail: str, value: Any = _OMITTED) -> Violation:  # noqa: ANN401 - JSON
    """A value that is refused; without ``value`` as the server writes rules on whole objects."""
    shown = "" if value is _OMITTED else f"{_quote(value)}: "
    return Violation(field, "FieldValueInvalid", f"Invalid value: {shown}{detail}")


def required(field: str) -> Violation:
    """A field that is missing."""
    return Violation(field, "FieldValueRequired", "Required value")


def forbidden(field: str, detail: str) -> Violation:
    """A field that this user may not set."""
    return Violation(field, "FieldValueForbidden", f"Forbidden: {detail}")


def too_long(field: str, limit: int) -> Violation:
    """A string beyond its maxLength."""
    return Violation(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def wrong_type(field: str, wanted: str, value: Any) -> Violation:  # noqa: ANN401 - JSON
    """A value of another JSON type than the schema's."""
    found = f'"{json_type(value)}"'
    detail = f"Invalid value: {found}: {field} in body must be of type {wanted}: {found}"
    return Violation(field, "FieldValueTypeInvalid", detail)


def json_type(value: Any) -> str:  # noqa: ANN401 - JSON
    """The JSON schema type of a decoded value."""
    names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array"}
    if value is None:
        return "null"
    return names.get(type(value), "object")


def _quote(value: Any) -> str:  # noqa: ANN401 - JSON
    return quoted(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
