"""Violations: what is wrong with a field of an object, in the API server's words.

The reasons are those of ``metav1.CauseType``. The messages have the format of ``field.Error``
(k8s.io/apimachinery), so that kubectl shows them like those of the API server.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from summaryrule.kql import go_quote

Reason = Literal[
    "FieldValueInvalid",
    "FieldValueRequired",
    "FieldValueForbidden",
    "FieldValueTypeInvalid",
    "FieldValueTooLong",
]

_OMITTED: Final = object()


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong, where, and what to write instead.

    ``field`` is a path such as ``spec.backfill.start``. ``message`` includes the value.
    """

    field: str
    reason: Reason
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def invalid(field: str, detail: str, value: Any = _OMITTED) -> FieldError:  # noqa: ANN401 - JSON
    """A value that is refused; leave out ``value`` for a rule about a whole object."""
    shown = "" if value is _OMITTED else f"{_quote(value)}: "
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown}{detail}")


def required(field: str, detail: str = "") -> FieldError:
    """A required field is missing; ``detail`` says what to write."""
    message = f"Required value: {detail}" if detail else "Required value"
    return FieldError(field, "FieldValueRequired", message)


def forbidden(field: str, detail: str) -> FieldError:
    """A field that this user may not set."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def too_long(field: str, limit: int) -> FieldError:
    """A string is longer than its maxLength."""
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def wrong_type(field: str, expected: str, value: Any) -> FieldError:  # noqa: ANN401 - JSON
    """A value of another JSON type than the schema has."""
    found = f'"{json_type(value)}"'
    detail = f"Invalid value: {found}: {field} in body must be of type {expected}: {found}"
    return FieldError(field, "FieldValueTypeInvalid", detail)


def json_type(value: Any) -> str:  # noqa: ANN401 - JSON
    """The JSON schema type of a decoded value."""
    names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array"}
    if value is None:
        return "null"
    return names.get(type(value), "object")


def _quote(value: Any) -> str:  # noqa: ANN401 - JSON
    return go_quote(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
