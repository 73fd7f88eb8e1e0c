"""Typed ways to say what Kubernetes knows of a field and Pydantic does not.

Each is put into `Annotated[…]`; the ones for a whole model go into `model_config` through
`schema_extra(…)`. All of it ends up as plain `x-kubernetes-*` data in the model's JSON schema,
which can be written by hand just as well.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, GetJsonSchemaHandler, StringConstraints, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from crdgen.passes.inline import merge_keywords
from crdgen.schema_keywords import ANY, DEPTH, FLOAT

_RULES = "x-kubernetes-validations"
_BASE64 = re.compile(
    rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
)


class Marker:
    """Something that adds keywords to a field's schema."""

    keywords: ClassVar[dict[str, Any]] = {}

    def extra(self) -> dict[str, Any]:
        """The keywords, in the API's own spelling."""
        return dict(self.keywords)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return merge_keywords(handler(core), self.extra())


@dataclass(frozen=True)
class Rule(Marker):
    """A CEL rule; `self` is the field's value, `oldSelf` what it replaces.

    Source of the six fields: Kubernetes documentation, "Validation rules".
    """

    rule: str
    message: str | None = None
    message_expression: str | None = None
    reason: str | None = None
    field_path: str | None = None
    optional_old_self: bool | None = None

    def extra(self) -> dict[str, Any]:
        """The rule as an entry of `x-kubernetes-validations`."""
        written = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "reason": self.reason,
            "fieldPath": self.field_path,
            "optionalOldSelf": self.optional_old_self,
        }
        return {_RULES: [{key: value for key, value in written.items() if value is not None}]}


def immutable(message: str = "is immutable") -> Rule:
    """A field that keeps its first value. It may still be set once and taken away."""
    return Rule("self == oldSelf", message=message)


def exactly_one_of(*fields: str) -> Rule:
    """A model in which exactly one of `fields` (as the API names them) is set."""
    return Rule(f"{_count(fields)} == 1", message=f"exactly one of {', '.join(fields)} must be set")


def at_most_one_of(*fields: str) -> Rule:
    """A model in which at most one of `fields` (as the API names them) is set."""
    return Rule(f"{_count(fields)} <= 1", message=f"at most one of {', '.join(fields)} may be set")


def _count(fields: tuple[str, ...]) -> str:
    from crdgen.cel.declarations import escape  # noqa: PLC0415 - keeps the import of markers light

    tests = ", ".join(f"has(self.{escape(field) or field})" for field in fields)
    return f"[{tests}].filter(set, set).size()"


@dataclass(frozen=True)
class ListMap(Marker):
    """A list whose items have unique `keys`; appliers may own single items."""

    keys: tuple[str, ...]

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)

    def extra(self) -> dict[str, Any]:
        """List type and keys."""
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}


class ListSet(Marker):
    """A list without duplicates, as `set[…]` is."""

    keywords: ClassVar = {"x-kubernetes-list-type": "set"}


class AtomicList(Marker):
    """A list that appliers replace as a whole; what a list is unless it says otherwise."""

    keywords: ClassVar = {"x-kubernetes-list-type": "atomic"}


class AtomicMap(Marker):
    """A model or map that appliers replace as a whole."""

    keywords: ClassVar = {"x-kubernetes-map-type": "atomic"}


class PreserveUnknown(Marker):
    """Data that is kept as it is, without a schema."""

    keywords: ClassVar = {"x-kubernetes-preserve-unknown-fields": True}


class Embedded(Marker):
    """A whole Kubernetes object of any kind, such as a Pod template."""

    keywords: ClassVar = {
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }


class Unrolled(Marker):
    """A model that contains itself, written out `depth` times; below that anything is kept.

    For `model_config` through `schema_extra`.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def extra(self) -> dict[str, Any]:
        """The depth, which the generator takes out again."""
        return {DEPTH: self._depth}


class _Allowed(Marker):
    def __init__(self, mark: str) -> None:
        self._mark = mark

    def extra(self) -> dict[str, Any]:
        """The mark, said to be meant."""
        return {self._mark: "allowed"}


def schema_extra(*parts: Marker | dict[str, Any]) -> dict[str, Any]:
    """Markers and plain keywords of a whole model as its `json_schema_extra`."""
    merged: dict[str, Any] = {}
    for part in parts:
        merged = merge_keywords(merged, part.extra() if isinstance(part, Marker) else part)
    return merged


class _Format(Marker):
    def __init__(self, name: str) -> None:
        self._name = name

    def extra(self) -> dict[str, Any]:
        """The format."""
        return {"format": self._name}


def _bits(number: int) -> AfterValidator:
    def fit(value: int) -> int:
        if not -(2 ** (number - 1)) <= value < 2 ** (number - 1):
            raise ValueError(f"must fit into {number} bits")
        return value

    return AfterValidator(fit)


Int32 = Annotated[int, _bits(32), _Format("int32")]
"""A whole number that fits into 32 bits, which the API server and the model check."""
Int64 = Annotated[int, _bits(64), _Format("int64")]
"""A whole number that fits into 64 bits."""
Float = Annotated[float, _Allowed(FLOAT)]
"""A float that is meant, though API conventions advise against them."""
Data = Annotated[Any, _Allowed(ANY), PreserveUnknown()]
"""Any JSON, kept as it is."""
IntOrString = int | str
"""A number or a text, such as a port or a percentage."""


def _base64(value: bytes) -> bytes:
    """The bytes, which must be base64 as the API server reads it.

    Raises:
        ValueError: they are not.
    """
    if not _BASE64.fullmatch(value):
        raise ValueError("must be base64, such as aGVsbG8=")
    return value


Base64 = Annotated[
    bytes, AfterValidator(_base64), WithJsonSchema({"type": "string", "format": "byte"})
]
"""Bytes, in base64 on the wire and in the model."""
GoDuration = Annotated[
    str,
    StringConstraints(max_length=64),
    Rule(
        r"self.matches('^[-+]?(0|([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+$')",
        message="must be a Go duration such as 90s, 15m or 1h30m",
    ),
]
"""A length of time as Go writes it; compare it in CEL with `duration(self)`."""
Quantity = Annotated[
    int | str,
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
            r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        }
    ),
]
"""An amount such as 500m or 2Gi."""
