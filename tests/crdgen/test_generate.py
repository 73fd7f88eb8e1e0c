"""What a model becomes, field by field."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from crdgen import NotStructuralError, Options, generate

EXTRA: Any = {
    "x-kubernetes-crd": {"group": "example.com", "version": "v1", "names": {"kind": "Oven"}}
}


def spec_of(annotation: Any, options: Options | None = None, **field: Any) -> dict[str, Any]:
    """The schema of one spec field called `dish`."""
    spec = create_model("Spec", dish=(annotation, Field(**field)))
    root = create_model("Oven", spec=(spec, ...), __config__=ConfigDict(json_schema_extra=EXTRA))
    crd = generate(root, options=options)[0]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = schema["properties"]["spec"]["properties"]["dish"]
    return found


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    inner: T


class Node(BaseModel):
    name: str
    children: "list[Node]" = []


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (int | str, {"x-kubernetes-int-or-string": True}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (datetime, {"type": "string", "format": "date-time"}),
        (
            set[str],
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (tuple[int, int], {
            "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2,
        }),
        (Annotated[int, Field(gt=3, lt=9)], {
            "type": "integer",
            "minimum": 3, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": True,
        }),
        (Decimal, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
        (Box[int], {
            "type": "object", "properties": {"inner": {"type": "integer"}}, "required": ["inner"],
        }),
    ],
)  # fmt: skip
def test_a_type_becomes_its_structural_schema(annotation: Any, expected: dict[str, Any]) -> None:
    assert spec_of(annotation) == expected


def test_none_as_a_default_makes_a_field_absent_and_not_nullable() -> None:
    assert spec_of(str | None, default=None) == {"type": "string"}


def test_a_required_field_that_may_be_none_is_nullable() -> None:
    assert spec_of(str | None) == {"type": "string", "nullable": True}


def test_a_default_is_written_as_the_model_writes_it() -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    assert spec_of(datetime, default=moment)["default"] == "2026-01-31T00:00:00Z"


def test_an_empty_list_as_a_default_is_left_out_unless_it_is_asked_for() -> None:
    assert "default" not in spec_of(list[str], default=[])
    assert spec_of(list[str], default=[], json_schema_extra={"default": []})["default"] == []


def test_a_discriminated_union_is_one_object_whose_branches_say_what_they_require() -> None:
    assert spec_of(Annotated[Cat | Dog, Field(discriminator="kind")]) == {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["cat", "dog"]},
            "lives": {"type": "integer", "minimum": 1, "maximum": 9},
            "tricks": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["kind"],
        "oneOf": [
            {"properties": {"kind": {"enum": ["cat"]}}, "required": ["lives"]},
            {"properties": {"kind": {"enum": ["dog"]}}, "required": ["tricks"]},
        ],
    }


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (timedelta, r"spec\.dish: a timedelta .* use crdgen\.GoDuration"),
        (float, r"spec\.dish: a float .* crdgen\.Quantity"),
        (dict[str, Any], r"spec\.dish.*: it holds values of any type"),
        (list[bytes], r"spec\.dish\[\*\]: raw bytes"),
        (tuple[int, str], r"spec\.dish: a tuple of several types"),
        (str | bool, r"spec\.dish: a union of boolean and string"),
        (
            Annotated[str, WithJsonSchema({"type": "string", "pattern": "^(?=a)b"})],
            r"spec\.dish: its pattern is not RE2",
        ),
        (Node, r"spec\.dish\.children\[\*\]: the model contains itself \(Node → Node\)"),
    ],
)
def test_what_has_no_structural_form_is_refused_with_its_path(annotation: Any, why: str) -> None:
    with pytest.raises(NotStructuralError, match=why):
        spec_of(annotation)


def test_a_recursive_model_is_unrolled_as_often_as_asked() -> None:
    schema = spec_of(Node, Options(depth=1))
    inner = schema["properties"]["children"]["items"]["properties"]["children"]["items"]
    assert inner == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
