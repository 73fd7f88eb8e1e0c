"""CEL's types and when one fits where another is expected (cel-spec, "Gradual type checking").

A `Bindings` collects what type parameters stand for while an expression is checked.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `kind` is its family, `name` tells structs, opaque types and parameters apart."""

    kind: str
    name: str = ""
    params: tuple["Type", ...] = ()

    def __str__(self) -> str:
        if self.kind == "param":
            return self.name
        named = self.name or self.kind
        inner = ", ".join(str(each) for each in self.params)
        return f"{named}({inner})" if inner else named


BOOL: Final = Type("bool")
BYTES: Final = Type("bytes")
DOUBLE: Final = Type("double")
DURATION: Final = Type("duration", "google.protobuf.Duration")
DYN: Final = Type("dyn")
ERROR: Final = Type("error", "!error!")
INT: Final = Type("int")
NULL: Final = Type("null", "null_type")
STRING: Final = Type("string")
TIMESTAMP: Final = Type("timestamp", "google.protobuf.Timestamp")
UINT: Final = Type("uint")
TYPE: Final = Type("type")
_NULLABLE: Final = frozenset({"opaque", "struct", "duration", "timestamp"})
_OPTIONAL: Final = "optional_type"


def list_of(item: Type) -> Type:
    """`list(item)`."""
    return Type("list", "list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """`map(key, value)`."""
    return Type("map", "map", (key, value))


def optional_of(inner: Type) -> Type:
    """`optional_type(inner)`."""
    return Type("opaque", _OPTIONAL, (inner,))


def type_of(inner: Type) -> Type:
    """`type(inner)`, the type of a type."""
    return Type("type", "type", (inner,))


def unwrap(kind: Type) -> tuple[Type, bool]:
    """The type inside an optional and True, or the type itself and False."""
    if kind.kind == "opaque" and kind.name == _OPTIONAL:
        return kind.params[0], True
    return kind, False


def is_free(kind: Type) -> bool:
    """Whether anything fits: dynamic, or the type of something that did not check."""
    return kind.kind in {"dyn", "error"}


class Bindings:
    """What each type parameter stands for so far."""

    def __init__(self) -> None:
        self._bound: dict[Type, Type] = {}
        self._fresh = 0

    def fresh(self) -> Type:
        """A type parameter that nothing else uses."""
        self._fresh += 1
        return Type("param", f"_var{self._fresh - 1}")

    def fits(self, given: list[Type], wanted: list[Type]) -> bool:
        """Whether each given type fits the wanted one; binds parameters when all do."""
        before = dict(self._bound)
        if len(given) == len(wanted) and all(
            self._assignable(one, other) for one, other in zip(given, wanted, strict=True)
        ):
            return True
        self._bound = before
        return False

    def resolved(self, kind: Type, *, free_as_dyn: bool = False) -> Type:
        """The type with its bound parameters replaced."""
        if kind in self._bound:
            return self.resolved(self._bound[kind], free_as_dyn=free_as_dyn)
        if kind.kind == "param" and free_as_dyn:
            return DYN
        if not kind.params:
            return kind
        params = tuple(self.resolved(each, free_as_dyn=free_as_dyn) for each in kind.params)
        return Type(kind.kind, kind.name, params)

    def _assignable(self, one: Type, other: Type) -> bool:
        if other.kind == "param":
            valid, bound = self._substitutes(one, other)
            if valid or bound:
                return valid
        if one.kind == "param":
            return self._substitutes(other, one)[0]
        if is_free(one) or is_free(other):
            return True
        if one.kind == "null" or other.kind == "null":
            rest = other if one.kind == "null" else one
            return rest.kind in _NULLABLE or rest.kind == "null"
        if one.kind == "type":
            return other.kind == "type"
        if one.kind in {"opaque", "list", "map"}:
            same = one.kind == other.kind and one.name == other.name
            return same and self._all_assignable(one.params, other.params)
        return one == other

    def _all_assignable(self, ones: tuple[Type, ...], others: tuple[Type, ...]) -> bool:
        return len(ones) == len(others) and all(
            self._assignable(one, other) for one, other in zip(ones, others, strict=True)
        )

    def _substitutes(self, given: Type, param: Type) -> tuple[bool, bool]:
        if given == param:
            return True, True
        bound = self._bound.get(param)
        if bound is not None:
            if given == bound:
                return True, True
            if self._assignable(given, bound):
                general = more_general(given, bound)
                if self._free_of(param, general):
                    self._bound[param] = general
                return True, True
            return False, True
        if self._free_of(param, given):
            self._bound[param] = given
            return True, False
        return False, False

    def _free_of(self, param: Type, within: Type) -> bool:
        if param == within:
            return False
        if within.kind == "param":
            bound = self._bound.get(within)
            return bound is None or self._free_of(param, bound)
        return all(self._free_of(param, each) for each in within.params)


def more_general(one: Type, other: Type) -> Type:
    """The less specific of two types that fit each other."""
    return one if _is_at_most_as_specific(one, other) else other


def _is_at_most_as_specific(one: Type, other: Type) -> bool:
    if one.kind in {"dyn", "param"}:
        return True
    if other.kind in {"dyn", "param"} or one.kind != other.kind:
        return False
    if one.kind == "type":
        return True
    if one.kind in {"opaque", "list", "map"}:
        return (
            one.name == other.name
            and len(one.params) == len(other.params)
            and all(
                _is_at_most_as_specific(a, b) for a, b in zip(one.params, other.params, strict=True)
            )
        )
    return one == other
