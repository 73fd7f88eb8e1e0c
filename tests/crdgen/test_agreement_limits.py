"""Limits, keys, defaults and metadata that a model states and the API server reads otherwise."""
# ruff: noqa: E501 - one case a line

import re
from collections import OrderedDict
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    StringConstraints,
    model_serializer,
)

import crdgen
from crdgen import CrdgenError, generate, schema_extra, validate
from tests.crdgen.differential.server import Server
from tests.crdgen.differential.test_random_models import judge
from tests.crdgen.test_agreement_edges import (
    EMPTY,
    crd_of,
    model_of,
    object_of,
    refusal,
    schema_of,
)

SAME = AfterValidator(lambda value: value)
SPARSE = Field(max_length=5)


def whole(**limits: Any) -> Any:
    return Annotated[int, Field(**limits)]


def real(**limits: Any) -> Any:
    return Annotated[crdgen.Float, Field(**limits)]


class Place(NamedTuple):
    x: int
    y: int


class Size(IntEnum):
    SMALL = 1


class Count(Enum):
    ONE = 1


class Access(Flag):
    READ = 1
    WRITE = 2


class Mode(IntFlag):
    READ = 1
    WRITE = 2


class ByPython(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    text: Annotated[str, Field(pattern=r"^a\Z")]


JUDGED: list[tuple[Any, list[Any]]] = [
    (whole(le=2**63 - 1, ge=-(2**63)), [1, 2**63 - 1, -(2**63)]),
    (whole(lt=2**63, gt=-(2**63) - 1), [1, 2**63 - 1, -(2**63)]),
    (whole(le=2**64, ge=-(2**70)), [1]),
    (whole(le=2**62, ge=-(2**62)), [2**62, 2**62 + 1, -(2**62) - 1]),
    (Annotated[crdgen.Int32, Field(le=2**40, ge=-(2**31))], [1, -(2**31), 2**31]),
    (real(ge=0.5), [0, 1, 0.5, 0.4]),
    (real(gt=-0.5), [0, -1, -0.5, -0.4]),
    (real(lt=1.5), [1, 2, 1.5, 1.4]),
    (real(le=-0.5), [0, -1, -0.5, -0.4]),
    (real(le=1e22), [0, 1, 1e21, 1e23]),
    (real(ge=1e22, le=float("inf")), [0, 1e23]),
    (real(multiple_of=2), [4, 5, 4.0]),
    (Annotated[dict[Annotated[int, Field(le=2**64)], int], SPARSE], [{"1": 1}, {"a": 1}]),
    (Annotated[OrderedDict[int, str], SPARSE], [{"1": "a"}, {"a": "a"}]),
    (Annotated[dict[Size, int], SPARSE], [{"1": 1}, {"2": 1}]),
    (Annotated[Decimal, Field(decimal_places=0)], ["1", "1.0", "1.00", "1.1"]),
    (Annotated[Decimal, Field(max_digits=3)], ["123", "123.0", "12.30", "1234"]),
    (Annotated[Decimal, Field(max_digits=3, decimal_places=0)], ["123.0", "123.1"]),
    (Annotated[Annotated[str, Field(min_length=2, max_length=4)], SAME, Field(min_length=1, max_length=9)], ["ab", "a", "abcde"]),
    (Annotated[whole(ge=3, lt=5), SAME, Field(ge=1, lt=9)], [3, 1, 5]),
    (Annotated[Annotated[list[int], Field(min_length=2)], SAME, Field(min_length=1)], [[1, 2], [1]]),
    (set[frozenset[int]], [[[1, 2], [3]], [[1], [1]]]),
    (IPv4Network | IPv6Network, ["10.0.0.0/8", "::/0", "10.0.0.1/8", "a"]),
    (Place, [[1, 2], [1]]),
    (Annotated[str, Field(pattern=re.compile(r"^a\Z"))], ["a", "a\n", "b"]),
    (ByPython, [{"text": "a"}, {"text": "b"}]),
]  # fmt: skip


def test_the_server_admits_what_the_model_writes_and_nothing_that_it_refuses(
    server: Server,
) -> None:
    found = judge(server, JUDGED, first=900_000)
    assert found.disagreements == []
    assert found.counts["refused"] == 0
    assert found.counts["admitted"] > len(JUDGED)


class Written(BaseModel):
    n: int

    @model_serializer
    def write(self) -> str:
        return str(self.n)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    kind: Literal["open"]
    size: int = 0


class Wide(BaseModel):
    model_config = ConfigDict(extra="allow")
    kind: Literal["wide"]
    name: str = ""


REFUSED: list[tuple[Any, str]] = [
    (whole(le=2**53 + 1), "the API server holds maximum as a 64-bit float"),
    (whole(multiple_of=2**64), "the API server holds multipleOf as a 64-bit float"),
    (real(multiple_of=0.1), "the API server truncates a multipleOf that is a fraction"),
    (dict[Literal[1, 2], int], "keys are text, and the model does not read '1' as 1"),
    (dict[Count, int], "keys are text, and the model does not read '1' as 1"),
    (Annotated[whole(multiple_of=2), SAME, Field(multiple_of=3)], "it has two values of multipleOf"),
    (Access, "a flag takes combinations"),
    (dict[Mode, int], "a flag takes combinations"),
    (Annotated[Decimal, Field(allow_inf_nan=True)], "it takes NaN and infinity"),
    (IPv4Network | str, "its branches have rules, and nothing else tells them apart"),
    (Annotated[str, Field(pattern=re.compile("k", re.ASCII | re.IGNORECASE))], "its pattern takes both cases"),
    (Annotated[str, Field(pattern=r"\<a")], "its pattern means something else"),
    (Enum("Nothing", []), "it has no value"),
    (Enum("Pairs", {"A": (1, 2)}), "its values are of several types"),
    (Written, "it is read as object and written as string"),
    (Annotated[Open | Wide, Field(discriminator="kind")], "extra fields of one have the names of fields of another"),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "why"), REFUSED)
def test_what_the_server_reads_otherwise_is_refused(annotation: Any, why: str) -> None:
    assert refusal(annotation).startswith(f"spec.field: {why}")


@pytest.mark.parametrize(
    ("annotation", "given", "written"),
    [
        (Decimal, 1, "1"), (bool, 1, True), (int, "3", 3), (Size, 1, 1), (crdgen.Quantity, "1Gi", "1Gi"),
        (Annotated[dict[UUID, int], SPARSE], {UUID(int=1): 1}, {"00000000-0000-0000-0000-000000000001": 1}),
    ],
)  # fmt: skip
def test_a_default_is_written_with_the_type_of_its_field(
    annotation: Any, given: Any, written: Any
) -> None:
    assert schema_of(annotation, given)["default"] == written


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (datetime, datetime(2026, 1, 1)),  # noqa: DTZ001 - without an offset
        (int, 2**70),
        (crdgen.Quantity, "1Zi"),
        (Annotated[int, PlainSerializer(lambda value: f"{value}")], 1),
        (crdgen.Float, float("inf")),
        (Annotated[list[int], Field(min_length=1)], []),
        (Annotated[int, AfterValidator(lambda value: value + 1)], 1),
    ],
)
def test_a_default_that_the_server_or_the_model_refuses_is_refused(
    annotation: Any, default: Any
) -> None:
    said = refusal(annotation, default)
    assert re.match(r"spec\.field: (its default |the API server refuses its default)", said)


class Labels(BaseModel):
    team: str


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"labels": (Labels, ...)}, r"metadata\.labels: an object may have none"),
        ({"annotations": (dict[str, str], ...)}, r"metadata\.annotations: an object may have none"),
        ({"name": (int, ...)}, r"metadata\.name: it is of type string"),
        ({"labels": (dict[str, int], {})}, r"metadata\.labels: it holds text"),
        ({"owner": (str, "")}, r"metadata\.owner: metadata has no field owner"),
        ({"namespace": (UUID, ...)}, r"metadata\.namespace: a definition limits only name"),
    ],
)
def test_metadata_that_an_object_may_not_have_is_refused(fields: Any, said: str) -> None:
    metadata = type(
        "Meta",
        (BaseModel,),
        {"__annotations__": {n: t for n, (t, _) in fields.items()}}
        | {n: d for n, (_, d) in fields.items() if d is not ...},
    )
    with pytest.raises(CrdgenError, match=said):
        generate(model_of(EMPTY, metadata=(metadata, ...)))


class Meta(BaseModel):
    name: UUID
    uid: UUID
    namespace: str
    creationTimestamp: datetime  # noqa: N815 - as the API spells it
    labels: dict[str, str] = {}
    ownerReferences: list[dict[str, Any]] = []  # noqa: N815


def test_metadata_as_the_server_writes_it_is_taken_and_a_name_keeps_its_format(
    server: Server,
) -> None:
    crd = crd_of(model_of(EMPTY, metadata=(Meta, ...)))
    path = server.install(crd)
    cases = [({"name": str(UUID(int=1))}, True), ({"name": "a"}, False)]
    bodies = [object_of({}, **named) for named, _ in cases]
    unnamed = object_of({}) | {"metadata": {"generateName": "a-"}}
    for body, fine in [*zip(bodies, (fine for _, fine in cases), strict=True), (unnamed, False)]:
        assert server.try_object(path, body).accepted == validate(crd, body).admitted == fine
    server.remove(crd)


def test_a_model_that_refuses_what_every_object_has_is_refused() -> None:
    closed = ConfigDict(extra="forbid")

    class Strict(BaseModel):
        model_config = closed
        name: str

    with pytest.raises(CrdgenError, match="metadata: it refuses creationTimestamp, generation"):
        generate(model_of(EMPTY, metadata=(Strict, ...)))

    class Root(BaseModel):
        model_config = closed | ConfigDict(
            json_schema_extra=schema_extra({"x-kubernetes-crd": {"group": "a.b", "version": "v1"}})
        )
        spec: dict[str, str] = {}

    with pytest.raises(CrdgenError, match="the model refuses apiVersion, kind, metadata"):
        generate(Root)
    with pytest.raises(CrdgenError, match="a RootModel has no fields"):
        generate(RootModel[dict[str, int]])


def test_stripped_limits_of_a_name_are_rules_of_the_name() -> None:
    class Short(BaseModel):
        name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)]

    crd = crd_of(model_of(EMPTY, metadata=(Short, ...)))
    (problem,) = validate(crd, object_of({})).problems
    assert str(problem).startswith('metadata.name: Invalid value: "a": must have at least 3')
