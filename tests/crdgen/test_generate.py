"""What a model becomes, field by field."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from crdgen import (
    ModelError,
    NotStructuralError,
    Options,
    Rule,
    generate,
    resource,
    schema_extra,
    to_yaml,
)

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


class Renamed(BaseModel):
    lives: int = Field(validation_alias="read", serialization_alias="written")


class Kitten(Cat):
    """A young cat."""

    model_config = ConfigDict(extra="allow")
    kind: Literal["cat"] = "cat"
    weeks: int = Field(alias="ageInWeeks", description="", json_schema_extra={"format": "int32"})


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    inner: T


class Many(BaseModel):
    anything: Any
    share: float
    inner: list["Many"]


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
        (Any, r"spec\.dish: it holds values of any type"),
        (Renamed, r"spec\.dish\.read: it is read under one name"),
        (Cat | bool, r"spec\.dish: a union of boolean and object"),
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


def test_every_field_without_a_structural_form_is_named_at_once() -> None:
    with pytest.raises(NotStructuralError) as refused:
        spec_of(dict[str, Many])
    assert [each.path for each in refused.value.refusals] == [
        "spec.dish[*].anything",
        "spec.dish[*].share",
        "spec.dish[*].inner[*]",
    ]
    assert len(str(refused.value).splitlines()) == 3


def test_a_recursive_model_is_unrolled_as_often_as_asked() -> None:
    schema = spec_of(Node, Options(depth=1))
    inner = schema["properties"]["children"]["items"]["properties"]["children"]["items"]
    assert inner == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_a_model_inherits_fields_and_says_what_it_holds_beside_them() -> None:
    assert spec_of(Kitten) == {
        "type": "object",
        "description": "A young cat.",
        "properties": {
            "kind": {"type": "string", "enum": ["cat"], "default": "cat"},
            "lives": {"type": "integer", "minimum": 1, "maximum": 9},
            "ageInWeeks": {"type": "integer", "format": "int32"},
        },
        "required": ["ageInWeeks", "lives"],
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_a_default_of_one_branch_is_not_filled_into_another() -> None:
    class Http(BaseModel):
        model_config = ConfigDict(extra="forbid")
        url: str
        port: int = 80

    class Command(BaseModel):
        model_config = ConfigDict(extra="forbid")
        argv: str

    schema = spec_of(Http | Command)
    assert schema["properties"]["port"] == {"type": "integer"}
    assert schema["anyOf"] == [
        {"required": ["url"], "not": {"anyOf": [{"required": ["argv"]}]}},
        {"required": ["argv"], "not": {"anyOf": [{"required": ["port"]}, {"required": ["url"]}]}},
    ]


def test_rules_of_a_model_and_of_a_field_that_holds_it_both_stay() -> None:
    class Small(BaseModel):
        model_config = ConfigDict(json_schema_extra=schema_extra(Rule("self.size < 9")))
        size: int

    rules = spec_of(Annotated[Small, Rule("self.size > 1", message="too small")])
    assert [rule["rule"] for rule in rules["x-kubernetes-validations"]] == [
        "self.size < 9",
        "self.size > 1",
    ]


def test_an_enum_that_may_be_null_is_a_rule_since_the_server_holds_null_against_an_enum() -> None:
    schema = spec_of(Literal["a", "b"] | None)
    assert "enum" not in schema
    assert schema["x-kubernetes-validations"][0]["rule"] == 'self in ["a", "b"]'


def test_versions_of_one_kind_must_mark_one_as_stored_and_agree_on_names() -> None:
    def version(name: str, **more: Any) -> type[BaseModel]:
        extra: Any = resource(group="example.com", version=name, kind="Oven", **more)
        return create_model("Oven", spec=(Cat, ...), __config__=ConfigDict(json_schema_extra=extra))

    crd = generate(version("v1", storage=True), version("v2", storage=False, deprecated=True))[0]
    assert [(v["name"], v["storage"]) for v in crd["spec"]["versions"]] == [
        ("v1", True),
        ("v2", False),
    ]
    with pytest.raises(ModelError, match="0 of its versions v1, v2 are marked"):
        generate(version("v1"), version("v2"))
    with pytest.raises(ModelError, match="differ in names"):
        generate(version("v1", storage=True), version("v2", short_names=["ov"]))


def test_text_that_a_parser_could_take_for_something_else_is_quoted() -> None:
    text = to_yaml(
        {"a": ["y", "No", "1e3", "0o14", "1_000", "null", "~", "2026-01-31", "x: y", ""]}
    )
    assert all(f"- '{word}'" in text for word in ("y", "No", "1e3", "0o14", "1_000", "null"))
    assert yaml.safe_load(text)["a"][0] == "y"
