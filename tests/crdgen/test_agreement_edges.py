"""Models as people write them, where a definition once said less or more than its model."""
# ruff: noqa: E501 - one case a line

import json
import re
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Interface
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    AnyUrl,
    Base64Bytes,
    Base64Str,
    Base64UrlBytes,
    BaseModel,
    ByteSize,
    ConfigDict,
    Discriminator,
    Field,
    HttpUrl,
    IPvAnyAddress,
    IPvAnyNetwork,
    Json,
    NaiveDatetime,
    PastDate,
    PlainSerializer,
    SecretStr,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
    computed_field,
    create_model,
)

import crdgen
from crdgen import CrdgenError, check, generate, schema_extra, to_yaml, validate
from crdgen.__main__ import main
from tests.crdgen.differential.server import Server

GROUP = "edges.example.com"


def model_of(spec: Any, **more: Any) -> type[BaseModel]:
    """A root model whose spec is `spec`; `more` are its other fields and `extra` its metadata."""
    extra = {"group": GROUP, "version": "v1"} | more.pop("resource", {})
    config = ConfigDict(json_schema_extra={"x-kubernetes-crd": extra})
    return create_model("Probe", spec=(spec, ...), __config__=config, **more)


def field_model(annotation: Any, default: Any = ...) -> type[BaseModel]:
    return model_of(create_model("Spec", field=(annotation, default)))


def crd_of(model: type[BaseModel]) -> dict[str, Any]:
    """The definition, which `check` must take."""
    crd = generate(model)[0]
    assert check(crd).problems == ()
    return crd


def schema_of(annotation: Any, default: Any = ...) -> dict[str, Any]:
    crd = crd_of(field_model(annotation, default))
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: dict[str, Any] = root["properties"]["spec"]["properties"]["field"]
    return found


def object_of(spec: Any, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "Probe", "metadata": {"name": "a"} | metadata,
        "spec": spec,
    }  # fmt: skip


def words(annotation: Any, value: Any) -> list[str]:
    """Why the definition of a field refuses `value`."""
    outcome = validate(crd_of(field_model(annotation)), object_of({"field": value}))
    return [str(problem) for problem in outcome.problems]


def admitted(annotation: Any, values: list[Any], server: Server) -> list[bool]:
    """Which of `values` a real server admits; crdgen must say the same."""
    crd = crd_of(field_model(annotation))
    path = server.install(crd)
    try:
        bodies = [object_of({"field": value}) for value in values]
        found = [server.try_object(path, body).accepted for body in bodies]
    finally:
        server.remove(crd)
    assert found == [validate(crd, body).admitted for body in bodies]
    return found


def takes(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


def refusal(annotation: Any, default: Any = ...) -> str:
    with pytest.raises(CrdgenError) as refused:
        generate(field_model(annotation, default))
    return str(refused.value).removeprefix(f"{__name__}:Probe: ")


class Range(BaseModel):
    model_config = ConfigDict(
        json_schema_extra=schema_extra(crdgen.Rule("self.low <= self.high", message="upside down"))
    )
    low: int
    high: int


class Sum(BaseModel):
    model_config = ConfigDict(
        json_schema_extra=schema_extra(crdgen.Rule("self.total < 9", message="too much"))
    )
    total: int


class Grow(BaseModel):
    kind: Literal["grow"]
    limits: Range
    every: crdgen.GoDuration = "1m"


class Spend(BaseModel):
    kind: Literal["spend"]
    limits: Sum
    every: str = ""


Guarded = Annotated[Grow | Spend, Field(discriminator="kind")]


def test_a_rule_inside_one_branch_of_a_union_holds_for_that_branch(server: Server) -> None:
    cases: list[tuple[Any, str]] = [
        ({"kind": "grow", "limits": {"low": 1, "high": 2}}, ""),
        (
            {"kind": "grow", "limits": {"low": 3, "high": 2}},
            "spec.field.limits: Invalid value: upside",
        ),
        ({"kind": "spend", "limits": {"total": 1}}, ""),
        ({"kind": "spend", "limits": {"total": 10}}, "spec.field.limits: Invalid value: too much"),
        ({"kind": "spend", "limits": {"total": 1}, "every": "tomorrow"}, ""),
        (
            {"kind": "grow", "limits": {"low": 1, "high": 2}, "every": "tomorrow"},
            "spec.field.every",
        ),
    ]
    for value, said in cases:
        found = words(Guarded, value)
        assert any(said in word for word in found) if said else found == []
    values = [value for value, _ in cases]
    assert admitted(Guarded, values, server) == [not said for _, said in cases]


def test_a_rule_on_old_values_in_one_branch_only_is_refused() -> None:
    class Fixed(BaseModel):
        kind: Literal["fixed"]
        region: Annotated[str, crdgen.immutable()]

    class Free(BaseModel):
        kind: Literal["free"]
        region: str

    said = refusal(Annotated[Fixed | Free, Field(discriminator="kind")])
    assert said.startswith("spec.field: a rule of region that reads oldSelf")
    assert "use another name in one branch" in said


class Old(BaseModel):
    model_config = ConfigDict(json_schema_extra=schema_extra(crdgen.Rule("self.a <= self.b")))
    version: Literal[1]
    a: int
    b: int


class New(BaseModel):
    version: Literal[2]
    a: int = 0


class Ours(BaseModel):
    model_config = ConfigDict(json_schema_extra=schema_extra(crdgen.Rule("self.size > 0")))
    where: Literal["it's", "a\\b"] = Field(alias="namespace")
    size: int


class Theirs(BaseModel):
    where: Literal["b"] = Field(alias="namespace")
    size: int = 0


class Dashed(BaseModel):
    model_config = ConfigDict(json_schema_extra=schema_extra(crdgen.Rule("self.size > 0")))
    mode: Literal["x"] = Field(alias="mode-of")
    size: int


class Plain(BaseModel):
    mode: Literal["y"] = Field(alias="mode-of")


@pytest.mark.parametrize(
    ("union", "tag", "fine", "wrong"),
    [
        (Old | New, "version", {"version": 2}, {"version": 1, "a": 2, "b": 1}),
        (Ours | Theirs, "where", {"namespace": "b"}, {"namespace": "it's", "size": 0}),
        (Dashed | Plain, "mode", {"mode-of": "y"}, {"mode-of": "x", "size": 0}),
    ],
    ids=["an integer", "a reserved word with a quoted value", "a dashed name"],
)
def test_a_branch_is_known_by_any_literal_under_any_name(
    union: Any, tag: str, fine: Any, wrong: Any, server: Server
) -> None:
    annotation = Annotated[union, Field(discriminator=tag)]
    assert admitted(annotation, [fine, wrong], server) == [True, False]
    assert any("failed rule" in word for word in words(annotation, wrong))


class Bucket(BaseModel):
    kind: Literal["bucket"] = "bucket"
    name: str


class Claim(BaseModel):
    kind: Literal["claim"] = "claim"
    name: str


def test_a_discriminator_is_required_even_where_it_has_a_default() -> None:
    annotation = Annotated[Bucket | Claim, Field(discriminator="kind")]
    assert not takes(annotation, {"name": "x"})
    assert "spec.field.kind: Required value" in words(annotation, {"name": "x"})


def test_a_function_that_chooses_the_branch_is_refused() -> None:
    union = Annotated[Bucket, Tag("a")] | Annotated[Claim, Tag("b")]
    said = refusal(Annotated[union, Discriminator(str)])
    assert "the API server cannot call" in said


class Opened(BaseModel):
    model_config = ConfigDict(extra="allow")
    kind: Literal["opened"]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["closed"]


class Nullable(BaseModel):
    kind: Literal["nullable"]
    name: str | None


@pytest.mark.parametrize(
    ("union", "said"),
    [
        (Opened | Closed, "spec.field: extra fields are kept in some"),
        (Nullable | Bucket, "spec.field.name: it may be null in some"),
        (dict[str, int] | Bucket, "spec.field: maps cannot be distinguished"),
        (Annotated[int, Field(ge=5)] | Annotated[float, crdgen.Rule("true")], "spec.field: "),
        (int | IPv4Address, "spec.field: 'format' cannot hold"),
        (int | crdgen.GoDuration, "spec.field: 'x-kubernetes-validations' cannot hold"),
    ],
)
def test_branches_whose_shapes_contradict_are_refused(union: Any, said: str) -> None:
    with pytest.raises(CrdgenError, match=re.escape(said)):
        generate(field_model(union), options=crdgen.Options(allow_float=True))


def test_open_branches_keep_extra_fields() -> None:
    class Other(Opened):
        kind: Literal["other"]  # type: ignore[assignment]

    annotation = Annotated[Opened | Other, Field(discriminator="kind")]
    stored = validate(
        crd_of(field_model(annotation)), object_of({"field": {"kind": "other", "x": 1}})
    )
    assert stored.object["spec"]["field"]["x"] == 1


def test_a_rule_on_a_field_joins_the_rules_of_the_branches() -> None:
    annotation = Annotated[Old | New, Field(discriminator="version"), crdgen.Rule("self.a < 9")]
    assert len(schema_of(annotation)["x-kubernetes-validations"]) == 2


class Status(BaseModel):
    ready: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """Ready of all."""
        return f"{self.ready} ready"


STATUS: Any = {"subresources": {"status": {}}}
EMPTY = create_model("Empty")


def test_a_required_status_beside_the_status_subresource_is_refused() -> None:
    with pytest.raises(
        CrdgenError, match=r":Probe: status: it is required, .* write status: Status"
    ):
        generate(model_of(EMPTY, status=(Status, ...), resource=STATUS))


def test_a_computed_field_is_stored_with_its_type_and_without_a_default() -> None:
    crd = crd_of(model_of(EMPTY, status=(Status, Status()), resource=STATUS))
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert root["properties"]["summary"] == {"type": "string", "description": "Ready of all."}
    assert root["default"] == {"ready": 0}
    assert "required" not in root


def test_a_model_that_refuses_its_own_computed_field_is_refused() -> None:
    class Strict(Status):
        model_config = ConfigDict(extra="forbid")

    assert "writes the computed summary and refuses to read it" in refusal(Strict)


class Tier(StrEnum):
    DEV = "dev"
    PROD = "prod"


class Rank(IntEnum):
    FIRST = 1


@pytest.mark.parametrize(
    ("keys", "good", "bad", "said"),
    [
        (int, "-12", "abc", "keys must be whole numbers"),
        (Annotated[int, Field(ge=1, lt=9)], "8", "9", "be less than 9"),
        (Annotated[int, Field(multiple_of=5)], "10", "11", "be multiples of 5"),
        (UUID, "0f8fad5b-d9cb-469f-a165-70867728950e", "zz", "keys must match"),
        (Tier, "dev", "qa", "keys must be one of dev, prod"),
        (Rank, "1", "2", "keys must be one of 1"),
        (Literal["a"], "a", "b", "keys must be one of a"),
        (Annotated[str, StringConstraints(pattern="^[a-z]+$", max_length=3)], "abc", "abcd", "have at most 3 characters"),
        (Annotated[str, StringConstraints(min_length=2)], "ab", "a", "have at least 2 characters"),
    ],
)  # fmt: skip
def test_keys_of_a_map_are_held_and_the_message_says_to_what(
    keys: Any, good: str, bad: str, said: str
) -> None:
    annotation = dict[keys, str]
    assert takes(annotation, {good: "x"})
    assert not takes(annotation, {bad: "x"})
    assert words(annotation, {good: "x"}) == []
    found = words(annotation, {bad: "x"})
    assert any(said in word for word in found), found


@pytest.mark.parametrize("keys", [date, bool, float, IPv4Network, tuple[int, int]])
def test_keys_that_no_rule_tells_apart_are_refused(keys: Any) -> None:
    assert refusal(dict[keys, str]).startswith("spec.field: ")


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (IPv4Network, ["10.0.0.0/8"], ["banana", "10.0.0.1/8", "::/0"]),
        (IPvAnyNetwork, ["10.0.0.0/8", "::/0"], ["banana", "fe80::1/64"]),
        (IPv6Interface, ["fe80::1/64"], ["10.0.0.1/8"]),
        (IPvAnyAddress, ["10.0.0.1", "::1"], ["banana", "01.2.3.4"]),
        (IPv4Address, ["10.0.0.1"], ["010.0.0.1", "::ffff:1.2.3.4"]),
        (time, ["10:11", "10:11:12.5", "10:11:12+02:00"], ["banana", "24:00", "10:11:12+24:00"]),
        (HttpUrl, ["https://a.example/b?c=d", "http://[::1]:8080", "http://10.0.0.1"],
         ["/banana", "ftp://a", "http://", "http://a:99999", "http://1.2.3.999", "http://a b"]),
        (UUID, ["0F8FAD5B-d9cb-469f-a165-70867728950e"], ["0f8fad5bd9cb-469f-a165-70867728950e"]),
        (Path, ["/a/b", "c"], [1]),
        (Base64Bytes, ["aGk=", ""], ["a", "a-b_"]),
        (Base64UrlBytes, ["a-_="], ["a"]),
    ],
)  # fmt: skip
def test_a_format_that_the_server_does_not_know_is_held_all_the_same(
    annotation: Any, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert takes(annotation, value), value
        assert words(annotation, value) == [], value
    for value in bad:
        assert not takes(annotation, value), value
        assert words(annotation, value) != [], value


@pytest.mark.parametrize(
    "annotation",
    [
        re.Pattern, Json[dict[str, int]], AnyUrl, Base64Str, NaiveDatetime, PastDate, ByteSize, complex,
        Annotated[date, Field(ge=date(2026, 1, 1))], tuple[()], bytes,
    ],
)  # fmt: skip
def test_what_the_server_cannot_hold_is_refused_with_its_path(annotation: Any) -> None:
    assert refusal(annotation).startswith("spec.field: ")


def test_a_format_of_ones_own_is_refused() -> None:
    said = refusal(Annotated[str, Field(json_schema_extra={"format": "colour"})])
    assert said.startswith("spec.field: the API server does not know the format colour")


@pytest.mark.parametrize(
    ("constraints", "good", "bad"),
    [
        ({"max_digits": 3}, ["123", "1.23", "0.123", "0012.3"], ["1234", "12.34", "0.0123"]),
        ({"max_digits": 2, "decimal_places": 2}, ["0.12", "0.120"], ["1.2", "1"]),
        ({"max_digits": 4, "decimal_places": 2}, ["12.34", "12"], ["123.4", "1.234"]),
        ({"decimal_places": 1}, ["1.50", "1"], ["1.55"]),
    ],
)
def test_digits_of_a_decimal_are_counted_as_the_model_counts_them(
    constraints: dict[str, int], good: list[str], bad: list[str]
) -> None:
    annotation = Annotated[Decimal, Field(**constraints)]
    for value in good:
        assert takes(annotation, value), value
        assert words(annotation, value) == [], value
    for value in bad:
        assert not takes(annotation, value), value
        assert words(annotation, value) != [], value


class Verb(Enum):
    LIST = "list"
    GET = "get"


class Grant(BaseModel):
    verbs: set[Verb] = {Verb.LIST, Verb.GET}
    ports: frozenset[int | str] = frozenset({80, "https"})


def test_the_default_of_a_set_is_in_the_same_order_each_time() -> None:
    assert schema_of(set[Verb], {Verb.LIST, Verb.GET})["default"] == ["get", "list"]
    assert schema_of(frozenset[int | str], frozenset({"https", 80}))["default"] == [80, "https"]
    assert schema_of(Grant, Grant())["default"] == {
        "verbs": ["get", "list"],
        "ports": [80, "https"],
    }


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (SecretStr, SecretStr("hidden")),
        (crdgen.Base64, b"not base64!"),
        (int, "many"),
        (Annotated[int, Field(ge=1)], 0),
        (Annotated[str, PlainSerializer(lambda value: f"{value}!", return_type=str)], "a"),
    ],
    ids=["secret", "bytes", "another type", "out of bounds", "serializer"],
)
def test_a_default_that_does_not_read_back_is_refused(annotation: Any, default: Any) -> None:
    said = refusal(annotation, default)
    assert said.startswith("spec.field: its default ")
    assert "default_factory" in said


def test_a_field_that_is_written_as_another_type_is_refused() -> None:
    written = PlainSerializer(lambda value: f"{value} pieces", return_type=str)
    assert refusal(Annotated[int, written]).startswith(
        "spec.field: it is read as integer and written"
    )
    assert refusal(Annotated[int, written] | None).startswith(
        "spec.field: it is read as integer or"
    )
    assert schema_of(Annotated[Decimal, PlainSerializer(str, return_type=str)])["type"] == "string"


def test_a_set_of_what_cannot_be_hashed_is_refused() -> None:
    class Frozen(BaseModel):
        model_config = ConfigDict(frozen=True)
        name: str

    for annotation in (set[Range], frozenset[dict[str, int]], set[list[int]]):
        assert "its items cannot be hashed" in refusal(annotation)
    assert schema_of(set[Frozen])["items"]["x-kubernetes-map-type"] == "atomic"


class Meta(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: Annotated[str, Field(max_length=20, pattern="^db-")]


def test_limits_of_the_name_are_in_the_definition(server: Server) -> None:
    crd = crd_of(model_of(EMPTY, metadata=(Meta, ...)))
    named = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["metadata"]
    assert named["properties"]["name"] == {"type": "string", "maxLength": 20, "pattern": "^db-"}
    assert not validate(crd, object_of({})).admitted
    assert validate(crd, object_of({}, name="db-a")).admitted
    assert server.try_definition(crd).accepted


def test_limits_of_other_metadata_are_refused_and_types_are_not() -> None:
    class Labelled(BaseModel):
        labels: Annotated[dict[str, str], Field(max_length=3)] = {}

    class Typed(BaseModel):
        labels: dict[str, str] = {}
        annotations: dict[str, str] | None = None

    with pytest.raises(CrdgenError, match=r"metadata\.labels: a definition limits only name"):
        generate(model_of(EMPTY, metadata=(Labelled, ...)))
    crd_of(model_of(EMPTY, metadata=(Typed | None, None)))


def test_an_api_version_that_can_never_be_is_refused() -> None:
    with pytest.raises(CrdgenError, match="kind: it is never 'Probe'"):
        generate(model_of(EMPTY, kind=(Literal["Other"], "Other")))
    crd_of(model_of(EMPTY, apiVersion=(Literal["edges.example.com/v1"], ...)))


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Annotated[str, Field(pattern=re.compile("^a.b$", re.IGNORECASE))], ["A-B"], ["a\nb"]),
        (Annotated[str, Field(pattern=re.compile("^a.b$", re.DOTALL))], ["a\nb"], ["A-B"]),
        (Annotated[str, Field(pattern=r"^\S+$")], ["é"], ["a\u00a0b", "a b"]),
        (Annotated[str, Field(pattern=r"^[^\s\d]+$")], ["a"], ["٣", "\u2003"]),
        (Annotated[str, Field(pattern=r"^\w+\D\d$")], ["é-٣"], ["½-1", "a12", " -1"]),
        (Annotated[str, Field(pattern=re.compile(r"^\w$", re.ASCII))], ["a"], ["é"]),
        (Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)], [" ab "], [" a "]),
        (Annotated[str, StringConstraints(strip_whitespace=True, max_length=2)], [" ab "], ["abc"]),
        (Annotated[str, StringConstraints(strip_whitespace=True, pattern="^a$")], [" a"], [" b"]),
    ],
)  # fmt: skip
def test_a_pattern_means_the_same_to_the_server(
    annotation: Any, good: list[str], bad: list[str]
) -> None:
    for value in good:
        assert takes(annotation, value), value
        assert words(annotation, value) == [], value
    for value in bad:
        assert not takes(annotation, value), value
        assert words(annotation, value) != [], value


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Annotated[int, AfterValidator(abs), Field(ge=1, lt=5)], [1, 4], [0, 5]),
        (Annotated[int, AfterValidator(abs), Field(gt=1, le=6, multiple_of=3)], [3, 6], [0, 4]),
        (Annotated[str, AfterValidator(str), Field(pattern="^a", max_length=2)], ["a"], ["b", "aaa"]),
        (Annotated[list[int], AfterValidator(list), Field(min_length=1)], [[1]], [[]]),
        (Annotated[dict[str, int], AfterValidator(dict), Field(max_length=1)], [{"a": 1}], [{"a": 1, "b": 2}]),
        (Annotated[crdgen.Int32, Field(ge=1)], [1, 2**31 - 1], [0, 2**31]),
    ],
)  # fmt: skip
def test_a_constraint_behind_a_validator_is_held(
    annotation: Any, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert takes(annotation, value), value
        assert words(annotation, value) == [], value
    for value in bad:
        assert not takes(annotation, value), value
        assert words(annotation, value) != [], value


def test_a_constraint_on_a_union_that_one_half_does_not_have_is_refused() -> None:
    assert refusal(Annotated[int | str, Field(ge=1)]).startswith(
        "spec.field: 'ge' holds for a value"
    )


@pytest.mark.parametrize("pattern", [r"\bx", r"[\W]", "[a&&b]", "[a[b]]", r"[^\S]"])
def test_a_pattern_that_means_something_else_to_the_server_is_refused(pattern: str) -> None:
    said = refusal(Annotated[str, Field(pattern=pattern)])
    assert said.startswith("spec.field: its pattern ")


def test_a_pattern_that_python_reads_otherwise_than_pydantic_is_refused() -> None:
    assert "or compile it with re.ASCII" in refusal(
        Annotated[str, Field(pattern=re.compile(r"\w"))]
    )


def test_a_verbose_pattern_is_refused() -> None:
    said = refusal(Annotated[str, Field(pattern=re.compile("a  # b", re.VERBOSE))])
    assert "without re.VERBOSE" in said


def test_addresses_with_a_zone_and_numbers_beyond_64_bits_are_refused_as_on_a_server(
    server: Server,
) -> None:
    ip = Annotated[str, Field(json_schema_extra={"format": "ipv6"})]
    assert admitted(ip, ["fe80::1%eth0", "fe80::1"], server) == [False, True]
    (said,) = words(ip, "fe80::1%eth0")
    assert said.startswith('spec.field: Invalid value: "fe80::1%eth0": spec.field in body must be')
    assert [word.partition(":")[0] for word in words(int, 2**63)] == ["spec.field", "<nil>"]
    assert admitted(int, [2**63, 2**63 - 1], server) == [False, True]


def test_an_aware_time_is_held_to_its_offset() -> None:
    assert schema_of(datetime, datetime(2026, 1, 31, tzinfo=UTC))["format"] == "date-time"
    assert words(datetime, "2026-01-31T00:00:00") != []


PARTS = {f"part_{n:02}": (str, Field("", description="what it is " * 40)) for n in range(60)}


def test_check_says_when_kubectl_needs_server_side_apply(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = create_model("Part", **PARTS)  # type: ignore[call-overload]
    spec = create_model("Spec", **{f"f{n}": (part | None, None) for n in range(12)})  # type: ignore[call-overload]
    (tmp_path / "crd.yaml").write_text(to_yaml(*generate(model_of(spec))), encoding="utf-8")
    assert main(["check", str(tmp_path / "crd.yaml")]) == 0
    said = capsys.readouterr().out
    assert "would be accepted" in said
    assert "use kubectl apply --server-side, or generate --no-descriptions" in said


def test_a_definition_that_etcd_does_not_store_is_refused(server: Server) -> None:
    part = create_model("Part", **PARTS)  # type: ignore[call-overload]
    spec = create_model("Spec", **{f"f{n}": (part | None, None) for n in range(60)})  # type: ignore[call-overload]
    with pytest.raises(CrdgenError, match=r"the definition has [\d,]+ bytes, .* --no-descriptions"):
        generate(model_of(spec))
    crd = crd_of(field_model(str))
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    root["description"] = "x" * 1_572_000
    (problem,) = check(crd).problems
    assert "etcdserver: request is too large" in str(problem)
    assert "request is too large" in server.try_creation(crd).message


MODULE = """
from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

if TYPE_CHECKING:
    from decimal import Decimal

CRD = {"x-kubernetes-crd": {"group": "example.com", "version": "v1"}}


class Spec(BaseModel):
    price: Decimal


class Invoice(BaseModel):
    model_config = {"json_schema_extra": CRD}
    spec: Spec


class Outer:
    class Inner(BaseModel):
        model_config = {"json_schema_extra": CRD}
        size: int = 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "invoices_for_tests.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "invoices_for_tests", raising=False)
    return "invoices_for_tests"


def test_a_name_that_only_a_type_checker_sees_is_one_sentence(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", f"{module}:Invoice"]) == 2
    assert capsys.readouterr().err == (
        f"crdgen: {module}:Invoice: `Invoice` is not fully defined; import `Decimal` outside of"
        " TYPE_CHECKING, or call Invoice.model_rebuild()\n"
    )


@pytest.mark.parametrize("form", ["{}:Outer.Inner", "{}.py:Outer.Inner", "./{}.py:Outer.Inner"])
def test_a_module_may_be_named_by_its_file_and_a_class_may_be_nested(
    module: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", form.format(module)]) == 0
    assert "kind: Inner" in capsys.readouterr().out


def test_columns_of_a_resource_come_with_the_age_unless_it_is_refused() -> None:
    columns = [crdgen.Column("Phase", ".status.phase")]
    for age, names in ((True, ["Phase", "Age"]), (False, ["Phase"])):
        extra = crdgen.resource(group=GROUP, version="v1", columns=columns, age=age)
        shown = extra["x-kubernetes-crd"]["additionalPrinterColumns"]
        assert [column["name"] for column in shown] == names
