"""The syntax tree of an expression: what `parse` gives and everything else in this room walks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: None, bool, int, `Uint`, float, str or bytes."""

    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Uint:
    """An unsigned literal; its type distinguishes it from an int."""

    value: int


@dataclass(frozen=True, slots=True)
class Ident:
    """A name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` when `test` is true."""

    id: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function, an operator (`_+_`) or, with a target, a method."""

    id: int
    function: str
    target: "Node | None"
    args: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, ?b]`; `optional` holds the indexes of the elements with a question mark."""

    id: int
    items: tuple["Node", ...]
    optional: frozenset[int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a map."""

    key: "Node"
    value: "Node"
    optional: bool


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{k: v}`, or a message `Name{field: v}` when `message` is given."""

    id: int
    message: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """What every macro over a range becomes: a fold with an accumulator."""

    id: int
    item: str
    item2: str
    over: "Node"
    accumulator: str
    start: "Node"
    condition: "Node"
    step: "Node"
    result: "Node"


Node = Literal | Ident | Select | Call | ListOf | MapOf | Loop


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text, its tree, and where each node stands (code point offsets)."""

    text: str
    root: Node
    positions: dict[int, int]


def with_children(node: Node, change: Callable[[Node], Node]) -> Node:
    """A copy of `node` with `change` applied to each node right below it, in order."""

    def changed(part: Any) -> Any:  # noqa: ANN401 - a node, several, or no node
        if isinstance(part, tuple):
            return tuple(changed(each) for each in part)
        if isinstance(part, Entry):
            return replace(part, key=change(part.key), value=change(part.value))
        return change(part) if isinstance(part, Node) else part

    return replace(node, **{each.name: changed(getattr(node, each.name)) for each in fields(node)})


def descendants(node: Node) -> Iterator[Node]:
    """`node` and every node below it, parents first."""
    yield node
    for each in fields(node):
        part = getattr(node, each.name)
        for child in part if isinstance(part, tuple) else (part,):
            if isinstance(child, Entry):
                yield from descendants(child.key)
                yield from descendants(child.value)
            elif isinstance(child, Node):
                yield from descendants(child)
