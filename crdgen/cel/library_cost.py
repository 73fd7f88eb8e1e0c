"""What calls of Kubernetes' CEL libraries cost, beside what their arguments cost.

None means that the language's own rule applies.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from crdgen.cel import ast
from crdgen.cel.size_range import MOST, ONE, UNKNOWN, Range, fixed

if TYPE_CHECKING:
    from crdgen.cel.cost import Part

Answer = tuple[Range, Range | None]
SizeOf = Callable[["Part"], Range | None]
_READ: Final = 0.1
_REGEX: Final = 0.25
_LONGEST_NAME_REGEX: Final = 128
_SCANS_ARGUMENT: Final = frozenset({
    "cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver",
})  # fmt: skip
_SCANS_TARGET: Final = frozenset({"lowerAscii", "upperAscii", "substring", "trim"})
_CONSTANT: Final = frozenset({
    "masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast",
    "isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign", "asInteger", "isInteger",
    "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub", "major",
    "minor", "patch", "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath",
    "getQuery",
})  # fmt: skip
_TRAVERSES: Final = frozenset({"isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"})
_UNIT_EQUALITY: Final = frozenset({
    "net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver",
})  # fmt: skip


def of(
    function: str, overload: str, target: "Part | None", args: "list[Part]", size_of: SizeOf
) -> Answer | None:
    """Cost and result size of a library call, or None when it is none."""
    call = _Call(function, overload, target, args, size_of)
    return call.allocating() or call.answer()


class _Call:
    def __init__(
        self, function: str, overload: str, target: "Part | None", args: "list[Part]",
        size_of: SizeOf,
    ) -> None:  # fmt: skip
        self._function = function
        self._overload = overload
        self._target = target
        self._args = args
        self._size_of = size_of

    def _size(self, part: "Part") -> Range:
        return self._size_of(part) or UNKNOWN

    def answer(self) -> Answer | None:
        """By the function's name."""
        name = self._function
        if name in _CONSTANT or self._overload == "cidr_ip":
            return ONE, None
        if name in _TRAVERSES and self._target is not None:
            return self._traversal(self._target)
        if name in _SCANS_ARGUMENT or (name == "ip" and self._args):
            return self._size(self._args[0]).scale(_READ), None
        if name in _SCANS_TARGET and self._target is not None:
            size = self._size(self._target)
            return size.scale(_READ), size
        special = {
            "url": self._url, "replace": self._replace, "split": self._split,
            "join": self._join, "find": self._find, "findAll": self._find,
            "ip.isCanonical": lambda: (self._size(self._args[0]).scale(2 * _READ), None),
            "containsIP": self._contains_ip, "containsCIDR": self._contains_cidr,
            "validate": self._validate, "_==_": self._equals,
        }.get(name)  # fmt: skip
        return special() if special is not None else None

    def allocating(self) -> Answer | None:
        """By the overload, for the calls that make lists."""
        name, target = self._overload, self._target
        if name.startswith("list_sets_"):
            factor = 2 if name == "list_sets_equivalent_list" else 1
            one, other = (self._size(part) for part in self._args)
            return (one * other).scale(factor) + ONE, None
        if name == "lists_range":
            return _allocated(1, fixed(_whole(self._args[0], MOST)))
        if target is None:
            return None
        if name == "list_slice":
            most = self._size(target).most
            length = _whole(self._args[1], most) - _whole(self._args[0], 0)
            return _allocated(1, fixed(length & MOST))
        if name == "list_reverse":
            return _allocated(1, self._size(target))
        if name in {"list_flatten", "list_flatten_int"}:
            depth = _whole(self._args[0], MOST) if self._args else 1
            return _allocated(depth, self._size(target))
        if name == "list_distinct":
            return _allocated(2, self._size(target) * self._size(target))
        return self._sorted(target)

    def _sorted(self, target: "Part") -> Answer | None:
        kind, _, name = self._overload.removeprefix("list_").rpartition("_")
        if name not in {"sort", "sortByAssociatedKeys"}:
            return None
        size = self._size(target if name == "sort" else self._args[0])
        return _allocated(2 + (_READ if kind in {"string", "bytes"} else 0), size * size)

    def _traversal(self, target: "Part") -> Answer:
        size = self._size(target)
        if not target.kind.params:
            return size.scale(_READ), None
        each = ONE
        if target.kind.params[0].kind in {"string", "bytes"}:
            each += self._item_size(target).scale(_READ)
        return size * each, None

    def _item_size(self, target: "Part") -> Range:
        from dataclasses import replace  # noqa: PLC0415 - keeps the type import one-way

        path = (*target.path, "@items") if target.path else ()
        kind = target.kind.params[0]
        return self._size(replace(target, path=path, kind=kind, size=None))

    def _url(self) -> Answer:
        size = self._size(self._args[0])
        return size.scale(_READ), size

    def _replace(self) -> Answer | None:
        if self._target is None:
            return None
        size, old, new = (self._size(part) for part in (self._target, *self._args[:2]))
        kept_most = size.most if old.least == 0 or new.most <= old.least else 0
        if old.least == 0:
            most = min(size.most + 1, MOST)
        else:
            most = 0 if new.most <= old.least else math.ceil(size.most / old.least)
        kept_least = size.least if old.most == 0 or old.most <= new.least else 0
        if old.most == 0:
            least = min(size.least + 1, MOST)
        else:
            least = 0 if old.most <= new.least else math.ceil(size.least / old.most)
        result = Range(least, min(most, MOST)) * new + Range(kept_least, kept_most)
        return size.scale(2 * _READ), result

    def _split(self) -> Answer | None:
        if self._target is None:
            return None
        size = self._size(self._target)
        most = size.most
        if len(self._args) > 1:
            most = _literal_int(self._args[1], most) & MOST
        return size.scale(2 * _READ), Range(0, most)

    def _join(self) -> Answer | None:
        if self._target is None:
            return None
        count = self._size(self._target)
        size = fixed(0)
        if self._target.kind.params:
            size = count * self._item_size(self._target)
        if self._args:
            gaps = Range(max(count.least - 1, 0), max(count.most - 1, 0))
            size += self._size(self._args[0]) * gaps
        return size.scale(_READ), size

    def _find(self) -> Answer | None:
        if self._target is None:
            return None
        size = self._size(self._target)
        cost = (size + ONE).scale(_READ) * self._size(self._args[0]).scale(_REGEX)
        return cost, Range(0, size.most)

    def _contains_ip(self) -> Answer:
        cost = Range(8, 32).scale(_READ)
        if self._overload == "cidr_contains_ip_string":
            cost += self._size(self._args[0]).scale(_READ)
        return cost, None

    def _contains_cidr(self) -> Answer:
        cost = Range(8, 32).scale(_READ) + Range(4, 16).scale(_READ) + ONE
        if self._overload == "cidr_contains_cidr_string":
            cost += self._size(self._args[0]).scale(_READ)
        return cost, None

    def _validate(self) -> Answer:
        size = self._size(self._args[0])
        return size.scale(_READ).scale(_LONGEST_NAME_REGEX * _REGEX), None

    def _equals(self) -> Answer | None:
        left, right = self._args
        if left.kind != right.kind:
            return None
        if left.kind.name in _UNIT_EQUALITY:
            return ONE, None
        if left.kind.name == "kubernetes.NamedFormat":
            return Range(1, 64).scale(_READ), None
        if left.kind.name == "kubernetes.URL":
            most = right.size.most if right.size else 1
            return Range(1, most).scale(_READ), None
        return None


def _allocated(factor: float, size: Range) -> Answer:
    return size.scale(factor) + fixed(11), size


def _whole(part: "Part", otherwise: int) -> int:
    return max(_literal_int(part, otherwise), 0)


def _literal_int(part: "Part", otherwise: int) -> int:
    node = part.node
    is_int = isinstance(node, ast.Literal) and type(node.value) is int
    return node.value if isinstance(node, ast.Literal) and is_int else otherwise
