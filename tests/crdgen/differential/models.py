"""Random Pydantic models, values that they take, and values near those.

A `Kind` is an annotation with a strategy of JSON values for it. Models hold fields of kinds, and
are kinds themselves, so they nest and stand in unions.
"""

import json
import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired
from uuid import UUID

from hypothesis import strategies as st
from pydantic import (
    UUID4,
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    ByteSize,
    Field,
    HttpUrl,
    IPvAnyAddress,
    IPvAnyNetwork,
    Json,
    NaiveDatetime,
    RootModel,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

import crdgen

Json_ = Any
Values = st.SearchStrategy[Any]
NAMES = ("size", "name", "ports", "in", "mode", "kind_of", "a1")
ALIASES = ("sizeOf", "namespace", "mode-of", "x.y", "for")


@dataclass(frozen=True)
class Kind:
    """An annotation and JSON values that it takes."""

    annotation: Any
    values: Values


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    ONE = 1
    TWO = "two"


@pydantic_dataclass
class Point:
    x: int
    y: int = 0


class Row(TypedDict):
    name: str
    size: NotRequired[int]


class Names(RootModel[list[str]]):
    pass


class Place(NamedTuple):
    x: int
    y: int


class Access(Flag):
    READ = 1
    WRITE = 2


class Recursive(BaseModel):
    inner: "Recursive | None" = None


def _of(annotation: Any, *values: Any) -> Kind:
    return Kind(annotation, st.sampled_from(values))


WORDS = st.sampled_from(["", "a", "ab", "abc", "a b", " a ", "A", "1", "é", "x" * 9])
SIMPLE: Sequence[Kind] = (
    Kind(bool, st.booleans()),
    Kind(int, st.integers(-9, 9)),
    Kind(str, WORDS),
    Kind(crdgen.Float, st.floats(-9, 9, width=16)),
    Kind(crdgen.Int32, st.integers(-(2**31), 2**31 - 1)),
    _of(Decimal, "1", "-1.5", "0.25"),
    _of(Annotated[Decimal, Field(max_digits=3)], "123", "1.23", "0.12", "1234"),
    _of(Annotated[Decimal, Field(max_digits=4, decimal_places=1)], "123.4", "1.23", "9999"),
    _of(Annotated[Decimal, Field(decimal_places=0)], "1", "1.0", "1.1"),
    _of(IPv4Network | IPv6Network, "10.0.0.0/8", "::/0", "10.0.0.1/8"),
    _of(Place, [1, 2], [1]),
    _of(date, "2026-01-31", "2024-02-29"),
    _of(datetime, "2026-01-31T13:00:00Z", "2026-01-31T13:00:00+02:00"),
    _of(AwareDatetime, "2026-01-31T13:00:00Z", "2026-01-31T13:00:00.5Z"),
    _of(time, "10:11:12", "10:11:12.500000", "10:11:12Z", "10:11:12+02:00"),
    _of(UUID, "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-169f-a165-70867728950e"),
    _of(UUID4, "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-169f-a165-70867728950e"),
    _of(IPv4Address, "10.0.0.1", "0.0.0.0", "10.0.0.256"),  # noqa: S104 - a value
    _of(IPv6Address, "::1", "fe80::1", "1::1::1"),
    _of(IPvAnyAddress, "::1", "10.0.0.1", "10.0.0.01"),
    _of(IPv4Network, "10.0.0.0/8", "10.0.0.1/8", "10.0.0.1/32"),
    _of(IPv6Network, "fe80::/64", "fe80::1/64"),
    _of(IPvAnyNetwork, "fe80::/64", "10.0.0.0/8"),
    _of(IPv4Interface, "10.0.0.1/8", "10.0.0.1/33"),
    _of(HttpUrl, "http://a.example/", "https://a.example:8080/b?c=d#e", "ftp://a.example/"),
    _of(Path, "/a/b", "c"),
    _of(Colour, "red", "blue"),
    _of(Level, 1, 2),
    _of(Mixed, 1, "two"),
    _of(Literal["a", "b"], "a", "b"),
    _of(Literal[1, 3], 1, 3),
    _of(Literal["a", 1], "a", 1),
    _of(Literal[True], True),  # noqa: FBT003 - a value
    _of(SecretStr, "hidden"),
    _of(crdgen.Base64, "aGVsbG8=", "aGVsbA=="),
    _of(Point, {"x": 1}, {"x": 1, "y": 2}),
    _of(Row, {"name": "a"}, {"name": "a", "size": 1}),
    _of(Names, ["a"], []),
)
REFUSED: Sequence[Kind] = tuple(
    _of(annotation, 1)
    for annotation in (
        float, Any, bytes, Access, dict[Literal[1], int],
        Annotated[Decimal, Field(allow_inf_nan=True)],
        timedelta, complex, object, AnyUrl, ByteSize, NaiveDatetime, Recursive,
        Json[int], re.Pattern, tuple[int, str], str | bool, type[int], dict[date, int],
        dict[float, int], list, dict, set[int | None], Literal[b"x"], None, Path | bool,
    )
)  # fmt: skip


@st.composite
def _validated(draw: st.DrawFn, inner: st.SearchStrategy[Kind]) -> Kind:
    """A kind behind a validator of Python that takes everything, with a constraint after it.

    A constraint that no value of the kind has, such as the length of a number, makes pydantic raise
    at every value; the kind is left as it is then.
    """
    kind = draw(inner)
    limits: list[dict[str, Any]] = [
        {"ge": 1},
        {"max_length": 2},
        {"pattern": "^a"},
        {"min_length": 1},
        {"lt": 5},
    ]
    limit = draw(st.sampled_from(limits))
    taken: Any = kind.annotation
    annotation: Any = Annotated[taken, AfterValidator(_same), _field(**limit)]
    try:
        TypeAdapter(annotation).validate_json(json.dumps(draw(kind.values)))
    except ValidationError:
        return Kind(annotation, kind.values)
    except Exception:  # noqa: BLE001 - pydantic has several for what has no such constraint
        return kind
    return Kind(annotation, kind.values)


def _field(*default: Any, **limits: Any) -> Any:
    return Field(*default, **limits)


def _same(value: Any) -> Any:
    return value


@cache
def _numbers() -> st.SearchStrategy[Kind]:
    whole = _bounded(int, [-(2**63), -5, -2, 0], [1, 5, 9, 2**63 - 1], [1, 2, 3])
    real = _bounded(crdgen.Float, [-5.0, -0.5, 0.5, 0], [1, 1.5, 5.5, 9, 1e22], [1, 2, 0.5])
    return st.one_of(whole, real)


def _bounded(
    kind: Any, least: list[float], most: list[float], factors: list[float]
) -> st.SearchStrategy[Kind]:
    """Numbers with bounds, and values on both sides of them."""
    bounds = st.fixed_dictionaries(
        {},
        optional={
            "ge": st.sampled_from(least), "gt": st.sampled_from(least), "le": st.sampled_from(most),
            "lt": st.sampled_from(most), "multiple_of": st.sampled_from(factors),
        },
    )  # fmt: skip
    values = st.one_of(st.integers(-9, 12), st.sampled_from([-0.5, 0.5, 1.5, 5.5]))
    return bounds.map(lambda found: Kind(Annotated[kind, _field(**found)], values))


@cache
def _texts() -> st.SearchStrategy[Kind]:
    patterns = ["^a", "b$", r"^\w*$", r"^\S+$", r"^[^\d]*$", "(?i)^A", "^.b?$", "^[a-c]{1,2}$"]
    limits: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {},
        optional={
            "min_length": st.integers(0, 2), "max_length": st.integers(2, 5),
            "pattern": st.sampled_from([*patterns, re.compile("^a", re.IGNORECASE)]),
            "strip_whitespace": st.booleans(),
        },
    )  # fmt: skip
    return limits.map(lambda found: Kind(Annotated[str, StringConstraints(**found)], WORDS))


def _lists(inner: Kind, maker: Any, limits: dict[str, int]) -> Kind:
    item: Any = inner.annotation
    values = st.lists(
        inner.values, max_size=4, unique_by=_text if maker in {set, frozenset} else None
    )
    if maker is tuple:
        return Kind(tuple[item, item], values)
    if maker is Ellipsis:
        return Kind(tuple[item, ...], values)
    return Kind(Annotated[maker[item], _field(**limits)], values)


def _text(value: Any) -> str:
    return repr(value)


KEYS: Sequence[Kind] = (
    Kind(str, st.sampled_from(["a", "b c", ""])),
    _of(int, "1", "-2"),
    _of(Annotated[int, Field(ge=1)], "1", "0"),
    _of(Colour, "red", "blue"),
    _of(Literal["a", "b"], "a"),
    _of(UUID, "0f8fad5b-d9cb-469f-a165-70867728950e"),
    _of(Annotated[str, Field(pattern="^[a-z]+$", max_length=3)], "abc", "a"),
)


def _maps(key: Kind, inner: Kind, maker: Any) -> Kind:
    values = st.dictionaries(key.values, inner.values, max_size=3)
    return Kind(Annotated[maker[key.annotation, inner.annotation], Field(max_length=9)], values)


@st.composite
def _models(draw: st.DrawFn, inner: st.SearchStrategy[Kind], tag: str = "") -> Kind:
    """A model of a few fields; `tag` is the value of a Literal field `kind` that it has then."""
    extra = draw(st.sampled_from(["ignore", "ignore", "forbid", "allow"]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    aliases = draw(st.permutations(ALIASES))
    fields: dict[str, Any] = {}
    strategies: dict[str, tuple[bool, Values]] = {}
    if tag:
        default = draw(st.sampled_from([..., tag]))
        fields["kind"] = (Literal[tag], default)
        strategies["kind"] = (True, st.just(tag))
    for name, alias in zip(names, aliases, strict=False):
        kind = draw(inner)
        more = {"alias": alias} if draw(st.integers(0, 3)) == 0 else {}
        required, default = draw(_defaults(kind))
        shown = kind.annotation if required or default is not None else kind.annotation | None
        fields[name] = (shown, _field(default, **more))
        strategies[more.get("alias", name)] = (required, kind.values)
    config: Any = {"extra": extra}
    model = create_model(f"M{draw(st.integers(0, 10**9))}", __config__=config, **fields)
    needed = {name: values for name, (required, values) in strategies.items() if required}
    loose = {name: values for name, (required, values) in strategies.items() if not required}
    return Kind(model, st.fixed_dictionaries(needed, optional=loose))


@st.composite
def _defaults(draw: st.DrawFn, kind: Kind) -> tuple[bool, Any]:
    """Whether a field is required, and its default when not; None for one that may be absent."""
    choice = draw(st.sampled_from(["required", "required", "absent", "default"]))
    if choice == "required":
        return True, ...
    if choice == "default":
        try:
            return False, TypeAdapter(kind.annotation).validate_python(draw(kind.values))
        except (ValueError, TypeError):
            return True, ...
    return False, None


@st.composite
def _tagged(draw: st.DrawFn, inner: st.SearchStrategy[Kind]) -> Kind:
    branches = [
        draw(_models(inner, tag)) for tag in ("one", "t'wo", "three")[: draw(st.integers(2, 3))]
    ]
    union: Any = branches[0].annotation
    for branch in branches[1:]:
        union |= branch.annotation
    values = st.one_of([branch.values for branch in branches])
    return Kind(Annotated[union, Field(discriminator="kind")], values)


def _union(one: Kind, other: Kind) -> Kind:
    return Kind(one.annotation | other.annotation, st.one_of(one.values, other.values))


def _nullable(kind: Kind) -> Kind:
    return Kind(kind.annotation | None, st.one_of(st.none(), kind.values))


def _nested(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    makers = st.sampled_from([list, list, set, frozenset, deque, tuple, Ellipsis])
    limits = st.fixed_dictionaries(
        {}, optional={"min_length": st.integers(0, 1), "max_length": st.integers(1, 3)}
    )
    return st.one_of(
        st.builds(_lists, inner, makers, limits),
        st.builds(_maps, st.sampled_from(KEYS), inner, st.sampled_from([dict, dict, OrderedDict])),
        _models(inner),
        _models(inner),
        _tagged(inner),
        st.builds(_union, inner, inner),
        inner.map(_nullable),
        _validated(inner),
    )


@cache
def kinds() -> st.SearchStrategy[Kind]:
    """Annotations of every sort that pydantic documents, nested and in unions."""
    simple = st.one_of(
        st.sampled_from(SIMPLE),
        st.sampled_from(SIMPLE),
        _numbers(),
        _texts(),
        st.sampled_from(REFUSED),
    )
    plain = st.one_of(st.sampled_from(SIMPLE), _numbers(), _texts())
    return st.one_of(
        simple, st.recursive(plain, _nested, max_leaves=6), st.recursive(plain, _nested)
    )


POOL: tuple[Any, ...] = (
    None, True, 0, -1, 1, 3, 100, 1.5, 2**40, "", "a", " a ", "abc", "red", "1", "2026-01-31", "ÿ",
    "one", "::1", {}, {"kind": "one"}, {"a": 1}, "x" * 50, "a\n",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """A value near `value`: something replaced, left out, added or repeated in one place."""
    value = deepcopy(value)
    holder: dict[str, Any] = {"": value}
    at: Any = holder
    key: Any = ""
    while isinstance(at[key], (dict, list)) and at[key] and draw(st.booleans()):
        at = at[key]
        key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
    _mutate(draw, at, key)
    return holder.get("")


def _mutate(draw: st.DrawFn, at: Any, key: Any) -> None:
    found = at[key]
    choice = draw(st.integers(0, 4))
    if isinstance(found, dict) and choice == 0:
        found[draw(st.sampled_from(["zz", "kind", "size", "1", "mode"]))] = draw(
            st.sampled_from(POOL)
        )
    elif isinstance(found, list) and found and choice == 1:
        found.append(draw(st.sampled_from([found[0], None, "a", 1])))
    elif isinstance(at, dict) and key and choice == 2:
        del at[key]
    elif isinstance(found, str) and choice == 3:
        at[key] = draw(
            st.sampled_from([f"{found}x", f" {found}", found.upper(), found[1:], f"{found}\n"])
        )
    else:
        # NB: the server takes a list where a text with a format should be (1.37), so none is drawn.
        at[key] = draw(st.sampled_from(POOL))
