"""One thing that the API server would hold against a definition or an object, in its own words.

Every check yields these; the commands print them. The wording is that of Kubernetes'
`field.Error`, so that an answer given offline reads like the one on the cluster.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Literal

Kind = Literal[
    "Invalid", "TypeInvalid", "Required", "Forbidden", "Unsupported", "Duplicate", "TooMany",
    "TooLong", "Decode",
]  # fmt: skip
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at `field`; `str()` gives the server's sentence."""

    field: str
    kind: Kind
    detail: str
    value: Any = _ABSENT

    def __str__(self) -> str:
        shown = "" if self.value is _ABSENT else f": {_show(self.value)}"
        words = {
            "Invalid": f"Invalid value{shown}",
            "TypeInvalid": f"Invalid value{shown}",
            "TooLong": "Too long",
            "Required": "Required value",
            "Forbidden": "Forbidden",
            "Unsupported": f"Unsupported value{shown}",
            "Duplicate": f"Duplicate value{shown}",
            "TooMany": f"Too many{shown}",
            "Decode": "strict decoding error",
        }[self.kind]
        return f"{self.field}: {words}" + (f": {self.detail}" if self.detail else "")


def invalid(field: str, value: Any, detail: str) -> FieldError:  # noqa: ANN401 - JSON
    """A value that breaks a rule."""
    return FieldError(field, "Invalid", detail, value)


def invalid_unshown(field: str, detail: str) -> FieldError:
    """A value that breaks a rule and is too large to be shown."""
    return FieldError(field, "Invalid", detail)


def required(field: str, detail: str = "") -> FieldError:
    """Something that is missing."""
    return FieldError(field, "Required", detail)


def forbidden(field: str, detail: str) -> FieldError:
    """Something that must not be there."""
    return FieldError(field, "Forbidden", detail)


def unsupported(field: str, value: Any, known: "tuple[str, ...]") -> FieldError:  # noqa: ANN401 - JSON
    """A value that is none of the known ones."""
    listed = ", ".join(json.dumps(each) for each in known)
    return FieldError(field, "Unsupported", f"supported values: {listed}", value)


def duplicate(field: str, value: Any) -> FieldError:  # noqa: ANN401 - JSON
    """A value that is there twice."""
    return FieldError(field, "Duplicate", "", value)


def show_number(value: float) -> str:
    """A number as Go's `%v` writes it: `1e+06` for the float of a million."""
    if isinstance(value, int) or not isfinite(value):
        return str(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if value and not -5 < power < 6:  # noqa: PLR2004 - Go's limits
        shown = "".join(map(str, digits))
        mantissa = f"{shown[0]}.{shown[1:]}" if shown[1:] else shown
        return f"{'-' * sign}{mantissa}e{power:+03d}"
    return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"


def _show(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return show_number(value)
    text = json.dumps(_as_go(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if not isinstance(value, str):  # Go quotes text, and writes anything else as JSON for HTML
        for sign in "<>&":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _as_go(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:  # noqa: PLR2004
        return int(value)
    if isinstance(value, list):
        return [_as_go(each) for each in value]
    if isinstance(value, dict):
        return {key: _as_go(each) for key, each in value.items()}
    return value
