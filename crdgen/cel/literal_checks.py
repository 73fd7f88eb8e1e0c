"""Checks that Kubernetes makes on literals once an expression has its types.

Duration, timestamp and regular expression literals must be valid, and the elements of a list or
map literal must be of one type.
"""

import re
from collections.abc import Iterator
from typing import Final

from crdgen.cel import ast, gotime, types
from crdgen.cel.ast import Node
from crdgen.cel.checker import Checked
from crdgen.cel.parser import locate
from crdgen.cel.types import Type
from crdgen.regex import re2_error

_CLAUSE: Final = re.compile(r"%(?:%|(?:\.\d+)?([a-zA-Z]?))")
_FITS: Final = {
    "d": ("int", "uint", "double", "dyn"), "o": ("int", "uint", "dyn"),
    "b": ("int", "uint", "bool", "dyn"), "f": ("int", "uint", "double", "dyn"),
    "e": ("int", "uint", "double", "dyn"), "x": ("int", "uint", "string", "bytes", "dyn"),
    "X": ("int", "uint", "string", "bytes", "dyn"),
}  # fmt: skip


def errors(checked: Checked) -> Iterator[str]:
    """What is wrong with the literals of a checked expression, as CEL prints it."""
    exempt = set(_exempt(checked.expression.root))
    for node in ast.descendants(checked.expression.root):
        if isinstance(node, ast.Call) and node.args:
            yield from _argument(checked, node)
            yield from _clauses(checked, node)
        elif node.id in exempt:
            continue
        elif isinstance(node, ast.ListOf):
            items = [
                (each, _inside(checked.types[each.id], optional=index in node.optional))
                for index, each in enumerate(node.items)
            ]
            yield from _homogeneous(checked, items, first=True)
        elif isinstance(node, ast.MapOf):
            keys = [(entry.key, checked.types[entry.key.id]) for entry in node.entries]
            values = [
                (e.value, _inside(checked.types[e.value.id], optional=e.optional))
                for e in node.entries
            ]
            yield from _homogeneous(checked, keys, first=False)
            yield from _homogeneous(checked, values, first=False)


def _exempt(root: Node) -> Iterator[int]:
    """The nodes below a `format`, which may mix types."""
    for node in ast.descendants(root):
        if isinstance(node, ast.Call) and node.function == "format":
            yield from (each.id for each in ast.descendants(node))


def _clauses(checked: Checked, node: ast.Call) -> Iterator[str]:
    """What is wrong with the arguments of a `format` whose text and list are literal."""
    text, args = node.target, node.args[0]
    if node.function != "format" or not isinstance(text, ast.Literal):
        return
    if not isinstance(text.value, str) or not isinstance(args, ast.ListOf):
        return
    wanted = [found[1] for found in _CLAUSE.finditer(text.value) if found[0] != "%%"]
    given = [checked.types[each.id].kind for each in args.items]
    wrong = None
    if len(given) < len(wanted):
        wrong = f"index {len(given)} out of range"
    elif len(given) > len(wanted):
        words = "too many arguments supplied to string.format"
        wrong = f"{words} (expected {len(wanted)}, got {len(given)})"
    elif misfits := [k for c, k in zip(wanted, given, strict=True) if k not in _FITS.get(c, (k,))]:
        wrong = f"error during formatting: the clause does not take a value of type {misfits[0]}"
    if wrong is not None:
        yield locate(checked.expression.text, checked.expression.positions.get(node.id, 0), wrong)


def _argument(checked: Checked, node: ast.Call) -> Iterator[str]:
    name, first = node.function, node.args[0]
    if not isinstance(first, ast.Literal) or not isinstance(first.value, str):
        return
    wrong = (
        (name == "duration" and gotime.duration(first.value) is None)
        or (name == "timestamp" and gotime.moment(first.value) is None)
        or (name == "matches" and re2_error(first.value) is not None)
    )
    if wrong:
        offset = checked.expression.positions.get(first.id, 0)
        yield locate(checked.expression.text, offset, f"invalid {name} argument")


def patterns(checked: Checked) -> Iterator[str]:
    """Why the regular expressions written into the expression do not compile."""
    for node in ast.descendants(checked.expression.root):
        if not isinstance(node, ast.Call) or node.function not in {"matches", "find", "findAll"}:
            continue
        at = 0 if node.target is not None else 1
        pattern = node.args[at] if len(node.args) > at else None
        if isinstance(pattern, ast.Literal) and isinstance(pattern.value, str):
            error = re2_error(pattern.value)
            if error is not None:
                yield error


def _homogeneous(checked: Checked, items: list[tuple[Node, Type]], *, first: bool) -> Iterator[str]:
    for node, kind in items[1:]:
        if kind != items[0][1]:
            offset = checked.expression.positions.get(node.id, 0)
            words = f"expected type '{items[0][1]}' but found '{kind}'"
            yield locate(checked.expression.text, offset, words)
            if first:
                return


def _inside(kind: Type, *, optional: bool) -> Type:
    return types.unwrap(kind)[0] if optional else kind
