"""Checks that Kubernetes makes on literals once an expression has its types.

Duration, timestamp and regular expression literals must be valid, and the elements of a list or
map literal must be of one type.
"""

from collections.abc import Iterator

from crdgen.cel import gotime, kinds, tree
from crdgen.cel.checker import Checked
from crdgen.cel.kinds import Type
from crdgen.cel.parse import located
from crdgen.cel.tree import Node
from crdgen.regex import re2_error


def errors(checked: Checked) -> Iterator[str]:
    """What is wrong with the literals of a checked expression, as CEL prints it."""
    for node in descendants(checked.expression.root):
        if isinstance(node, tree.Call) and node.args:
            yield from _argument(checked, node)
        elif isinstance(node, tree.ListOf):
            items = [
                (each, _inside(checked.types[each.id], optional=index in node.optional))
                for index, each in enumerate(node.items)
            ]
            yield from _homogeneous(checked, items, first=True)
        elif isinstance(node, tree.MapOf):
            keys = [(entry.key, checked.types[entry.key.id]) for entry in node.entries]
            values = [
                (e.value, _inside(checked.types[e.value.id], optional=e.optional))
                for e in node.entries
            ]
            yield from _homogeneous(checked, keys, first=False)
            yield from _homogeneous(checked, values, first=False)


def descendants(node: Node) -> Iterator[Node]:
    """`node` and every node below it."""
    yield node
    for child in _children(node):
        yield from descendants(child)


def _children(node: Node) -> Iterator[Node]:
    match node:
        case tree.Select():
            yield node.operand
        case tree.Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case tree.ListOf():
            yield from node.items
        case tree.MapOf():
            for entry in node.entries:
                yield entry.key
                yield entry.value
        case tree.Loop():
            yield from (node.over, node.start, node.condition, node.step, node.result)


def _argument(checked: Checked, node: tree.Call) -> Iterator[str]:
    name, first = node.function, node.args[0]
    if not isinstance(first, tree.Literal) or not isinstance(first.value, str):
        return
    wrong = (
        (name == "duration" and gotime.duration(first.value) is None)
        or (name == "timestamp" and gotime.moment(first.value) is None)
        or (name == "matches" and re2_error(first.value) is not None)
    )
    if wrong:
        offset = checked.expression.positions.get(first.id, 0)
        yield located(checked.expression.text, offset, f"invalid {name} argument")


def _homogeneous(checked: Checked, items: list[tuple[Node, Type]], *, first: bool) -> Iterator[str]:
    for node, kind in items[1:]:
        if kind != items[0][1]:
            offset = checked.expression.positions.get(node.id, 0)
            words = f"expected type '{items[0][1]}' but found '{kind}'"
            yield located(checked.expression.text, offset, words)
            if first:
                return


def _inside(kind: Type, *, optional: bool) -> Type:
    return kinds.unwrapped(kind)[0] if optional else kind
