"""What calls of Kubernetes' CEL libraries cost, beside what their arguments cost.

None means that the language's own rule applies.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
_ADDRESS: Final = Range(8, 32).scale(_READ)
_NETWORK: Final = _ADDRESS + Range(4, 16).scale(_READ) + ONE
_UNIT_EQUALITY: Final = frozenset({
    "net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver",
})  # fmt: skip


def of(
    function: str, overload: str, target: "Part | None", args: "list[Part]", size_of: SizeOf
) -> Answer | None:
    """Cost and result size of a library call, or None when it is none."""
    rule = _RULES.get(function)
    return rule(_Call(overload, target, args, size_of)) if rule is not None else None


@dataclass(frozen=True, slots=True)
class _Call:
    overload: str
    target: "Part | None"
    args: "list[Part]"
    size_of: SizeOf

    @property
    def own(self) -> Range:
        """The size of the target of a method."""
        return (self.target and self.size_of(self.target)) or UNKNOWN

    def arg(self, at: int) -> Range:
        """The size of an argument."""
        return self.size_of(self.args[at]) or UNKNOWN

    def items(self) -> Range | None:
        """The size of the items of the target, or None when it has none."""
        if self.target is None or not self.target.kind.params:
            return None
        path = (*self.target.path, "@items") if self.target.path else ()
        item = replace(self.target, path=path, kind=self.target.kind.params[0], size=None)
        return self.size_of(item) or UNKNOWN

    def integer(self, at: int, otherwise: int) -> int:
        """The integer that is written as an argument."""
        node = self.args[at].node if len(self.args) > at else None
        is_int = isinstance(node, ast.Literal) and type(node.value) is int
        return node.value if isinstance(node, ast.Literal) and is_int else otherwise


def _read(size: Range, factor: float = 1) -> Answer:
    return size.scale(factor * _READ), None


def _allocated(factor: float, size: Range) -> Answer:
    return size.scale(factor) + fixed(11), size


def _sets(factor: float) -> Callable[[_Call], Answer]:
    return lambda call: ((call.arg(0) * call.arg(1)).scale(factor) + ONE, None)


def _slice(call: _Call) -> Answer:
    length = max(call.integer(1, call.own.most), 0) - max(call.integer(0, 0), 0)
    return _allocated(1, fixed(length & MOST))


def _sorted(call: _Call) -> Answer:
    kind, _, name = call.overload.removeprefix("list_").rpartition("_")
    size = call.own if name == "sort" else call.arg(0)
    return _allocated(2 + (_READ if kind in {"string", "bytes"} else 0), size * size)


def _traversal(call: _Call) -> Answer:
    items = call.items()
    if call.target is None or items is None:
        return _read(call.own)
    is_text = call.target.kind.params[0].kind in {"string", "bytes"}
    return call.own * (ONE + items.scale(_READ) if is_text else ONE), None


def _replace(call: _Call) -> Answer:
    size, old, new = call.own, call.arg(0), call.arg(1)
    most, kept_most = _replaced(size.most, old.least, new.most)
    least, kept_least = _replaced(size.least, old.most, new.least)
    result = Range(least, most) * new + Range(kept_least, kept_most)
    return size.scale(2 * _READ), result


def _replaced(size: int, old: int, new: int) -> tuple[int, int]:
    """How often `old` is replaced in a text, and how much of the text stays."""
    if old == 0:
        return min(size + 1, MOST), size
    return (0, size) if new <= old else (min(math.ceil(size / old), MOST), 0)


def _split(call: _Call) -> Answer:
    most = call.own.most if len(call.args) == 1 else call.integer(1, call.own.most) & MOST
    return call.own.scale(2 * _READ), Range(0, most)


def _join(call: _Call) -> Answer:
    count, items = call.own, call.items()
    size = fixed(0) if items is None else count * items
    if call.args:
        size += call.arg(0) * Range(max(count.least - 1, 0), max(count.most - 1, 0))
    return size.scale(_READ), size


def _find(call: _Call) -> Answer:
    cost = (call.own + ONE).scale(_READ) * call.arg(0).scale(_REGEX)
    return cost, Range(0, call.own.most)


def _contains(fixed_cost: Range) -> Callable[[_Call], Answer]:
    def cost(call: _Call) -> Answer:
        read = call.overload.endswith("_string")
        return fixed_cost + (call.arg(0).scale(_READ) if read else fixed(0)), None

    return cost


def _equals(call: _Call) -> Answer | None:
    left, right = call.args
    if left.kind != right.kind:
        return None
    if left.kind.name in _UNIT_EQUALITY:
        return ONE, None
    if left.kind.name == "kubernetes.NamedFormat":
        return _read(Range(1, 64))
    if left.kind.name == "kubernetes.URL":
        return _read(Range(1, right.size.most if right.size else 1))
    return None


_RULES: Final[dict[str, Callable[[_Call], Answer | None]]] = {
    **dict.fromkeys(
        ("masked", "prefixLength", "family", "isUnspecified", "isLoopback",
         "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast", "format.named", "sign",
         "asInteger", "isInteger", "asApproximateFloat", "isGreaterThan", "isLessThan",
         "compareTo", "add", "sub", "major", "minor", "patch", "getScheme", "getHostname",
         "getHost", "getPort", "getEscapedPath", "getQuery"),
        lambda _: (ONE, None),
    ),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _traversal),
    **dict.fromkeys(
        ("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"),
        lambda call: _read(call.arg(0)),
    ),
    "ip": lambda call: _read(call.arg(0)) if call.args else (ONE, None),
    "ip.isCanonical": lambda call: _read(call.arg(0), 2),
    **dict.fromkeys(
        ("lowerAscii", "upperAscii", "substring", "trim"),
        lambda call: (call.own.scale(_READ), call.own),
    ),
    "url": lambda call: (call.arg(0).scale(_READ), call.arg(0)),
    "replace": _replace, "split": _split, "join": _join, "find": _find, "findAll": _find,
    "containsIP": _contains(_ADDRESS), "containsCIDR": _contains(_NETWORK),
    "validate": lambda call: (
        call.arg(0).scale(_READ).scale(_LONGEST_NAME_REGEX * _REGEX), None
    ),
    "_==_": _equals,
    "sets.contains": _sets(1), "sets.intersects": _sets(1), "sets.equivalent": _sets(2),
    "lists.range": lambda call: _allocated(1, fixed(max(call.integer(0, MOST), 0))),
    "slice": _slice,
    "reverse": lambda call: _allocated(1, call.own),
    "flatten": lambda call: _allocated(
        max(call.integer(0, MOST), 0) if call.args else 1, call.own
    ),
    "distinct": lambda call: _allocated(2, call.own * call.own),
    "sort": _sorted, "@sortByAssociatedKeys": _sorted,
}  # fmt: skip
