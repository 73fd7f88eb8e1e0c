"""A definition admits what its model admits, and refuses what it refuses, value by value."""

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

import crdgen
from crdgen import check, generate, validate

EXTRA: Any = {"x-kubernetes-crd": {"group": "example.com", "version": "v1"}}


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Http(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["http"]
    port: int = Field(default=80, ge=1, le=65535)


class Command(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["command"]
    argv: list[str] = Field(min_length=1)


class Here(BaseModel):
    path: str


class There(BaseModel):
    url: str
    port: int = 443


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    size: int


Probe = Annotated[Http | Command, Field(discriminator="kind")]
VALUES: list[Any] = [
    None, True, 0, 1, 3, 7, 1.5, "", "a", "abc", "small", "2026-01-31", "1.25", "b1", [], ["a"],
    ["a", "b"], ["a", "a"], [1, 2], [1, None], {}, {"a": 1}, {"b": 2}, {"a": "x"},
    "2026-01-31T13:00:00Z", "0f8fad5b-d9cb-469f-a165-70867728950e",
    {"kind": "http"}, {"kind": "http", "port": 0}, {"kind": "http", "argv": ["x"]},
    {"kind": "command", "argv": ["x"]}, {"kind": "command", "argv": []}, {"kind": "other"},
    {"path": "x"}, {"url": "x"}, {"url": "x", "port": 1}, {"port": 1}, {"size": 1, "more": [1]},
]  # fmt: skip


@pytest.mark.parametrize(
    "annotation",
    [
        str, int, bool, bool | None, str | None, int | str, Size, Size | None,
        Literal["a", "abc"], Literal["a"] | None, Literal[1, 3], Literal["a", 1],
        Annotated[int, Field(gt=0, lt=7)], Annotated[int, Field(multiple_of=3)],
        Annotated[str, Field(min_length=1, max_length=2)], Annotated[str, Field(pattern="^a")],
        list[str], list[int | None], list[str] | None, Annotated[list[str], Field(max_length=1)],
        dict[str, int], dict[str, int | str], dict[Annotated[str, Field(pattern="^a")], int],
        tuple[int, int], UUID, date, datetime, Decimal, Probe, Http, Command, Here | There, Open,
        crdgen.Float, crdgen.Data,
    ],
    ids=lambda annotation: re.sub(r" object at 0x[0-9a-f]+", "", str(annotation)),
)  # fmt: skip
def test_a_value_that_the_model_takes_is_admitted_and_any_other_is_not(annotation: Any) -> None:
    spec = create_model("Spec", dish=(annotation, ...))
    root = create_model("Oven", spec=(spec, ...), __config__=ConfigDict(json_schema_extra=EXTRA))
    crd = generate(root)[0]
    assert check(crd).problems == ()
    strict = TypeAdapter(annotation)
    for value in VALUES:
        outcome = validate(crd, oven(value))
        admitted = outcome.admitted and not outcome.unknown
        if admitted != takes(strict, value):
            assert is_known(annotation, value), (
                value,
                admitted,
                [str(p) for p in outcome.problems],
            )


def oven(value: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Oven",
        "metadata": {"name": "a"},
        "spec": {"dish": value},
    }


def takes(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_json(TypeAdapter(Any).dump_json(value), strict=True)
    except ValidationError:
        return False
    return True


def is_known(annotation: Any, value: Any) -> bool:
    """Where the two differ by design.

    Pydantic reads numbers as decimals and times, and `true` as the literal 1; the API server has
    one form of each. Without `extra="forbid"` Pydantic ignores what kubectl refuses.
    """
    if isinstance(value, list):
        # NB: the server takes a list where a text with a format should be (1.37).
        return annotation in {UUID, date, datetime}
    if annotation in {Decimal, date, datetime}:
        return isinstance(value, (int, float)) or value in ("1.25", "1")
    if value is True:
        return annotation in {Literal[1, 3], Literal["a", 1]}
    return isinstance(value, dict) and annotation == Here | There
