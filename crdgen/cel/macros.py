"""The macros that the parser does not know: two-variable ones, `existsOne`, `sortBy`.

They are expanded as cel-go's extensions do, since the estimated cost depends on the shape.
"""

from collections.abc import Callable
from typing import Final

from crdgen.cel import ast
from crdgen.cel.ast import Node

_ACCUMULATOR: Final = "@result"
_SORTED: Final = "@__sortBy_input__"
_INSERT: Final = "cel.@mapInsert"


class MacroError(ValueError):
    """A macro's arguments are not what it takes; `id` is the node to point at."""

    def __init__(self, ident: int, message: str) -> None:
        self.id = ident
        super().__init__(message)


def expand(root: Node, positions: dict[int, int]) -> tuple[Node, dict[int, int]]:
    """The tree with every macro expanded, and the positions with those of new nodes.

    Raises:
        MacroError: a macro is called with something else than names where names belong.
    """
    expander = _Expander(positions)
    return expander.node(root), expander.positions


class _Expander:
    def __init__(self, positions: dict[int, int]) -> None:
        self.positions = dict(positions)
        self._next = max(positions, default=0) + 1
        self._at = 0

    def node(self, node: Node) -> Node:
        """The node with everything below it and itself expanded."""
        node = ast.with_children(node, self.node)
        if not isinstance(node, ast.Call) or node.target is None:
            return node
        macro = _MACROS.get((node.function, len(node.args)))
        if macro is None:
            return node
        self._at = self.positions.get(node.id, 0)
        return macro(self, node.target, node.args)

    def fresh(self) -> int:
        """An id for a node that a macro makes; it stands where the macro stands."""
        self._next += 1
        self.positions[self._next] = self._at
        return self._next

    def call(self, function: str, *args: Node) -> Node:
        """A call of a function or operator."""
        return ast.Call(self.fresh(), function, None, args)

    def literal(self, value: object) -> Node:
        """A constant."""
        return ast.Literal(self.fresh(), value)

    def ident(self, name: str = _ACCUMULATOR) -> Node:
        """A name."""
        return ast.Ident(self.fresh(), name)

    def list_of(self, *items: Node) -> Node:
        """A list."""
        return ast.ListOf(self.fresh(), items, frozenset())

    def loop(
        self, over: Node, names: tuple[str, str], parts: tuple[Node, Node, Node],
        result: Node | None = None,
    ) -> Node:  # fmt: skip
        """A fold over `over`; `parts` are its start, condition and step."""
        result = result or self.ident()
        return ast.Loop(self.fresh(), *names, over, _ACCUMULATOR, *parts, result)


_Macro = Callable[[_Expander, Node, tuple[Node, ...]], Node]


def _names(args: tuple[Node, ...], count: int = 2) -> tuple[str, str]:
    """The names of the variables, the second one empty where there is one only."""
    names = []
    for node in args[:count]:
        if not isinstance(node, ast.Ident):
            raise MacroError(node.id, "argument must be a simple name")
        if node.name in {_ACCUMULATOR, "__result__"}:
            raise MacroError(node.id, "iteration variable overwrites accumulator variable")
        names.append(node.name)
    if len(set(names)) < len(names):
        raise MacroError(args[1].id, f"duplicate variable name: {names[0]}")
    return names[0], names[1] if count > 1 else ""


def _quantifier(operator: str, *, start: bool) -> _Macro:
    def expanded(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
        names, decided = _names(args), make.ident()
        condition = make.call("@not_strictly_false", decided if start else make.call("!_", decided))
        step = make.call(operator, make.ident(), args[2])
        return make.loop(target, names, (make.literal(value=start), condition, step))

    return expanded


def _exists_one(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    names = _names(args, len(args) - 1)
    more = make.call("_+_", make.ident(), make.literal(1))
    step = make.call("_?_:_", args[-1], more, make.ident())
    result = make.call("_==_", make.ident(), make.literal(1))
    return make.loop(target, names, (make.literal(0), make.literal(value=True), step), result)


def _transform_list(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    one, start = make.list_of(args[-1]), make.list_of()
    return _transform(make, target, args, start, make.call("_+_", make.ident(), one))


def _transform_map(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    key, start = make.ident(_names(args)[0]), ast.MapOf(make.fresh(), "", ())
    step = make.call(_INSERT, make.ident(), key, args[-1])
    return _transform(make, target, args, start, step)


def _transform_entry(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    start = ast.MapOf(make.fresh(), "", ())
    return _transform(make, target, args, start, make.call(_INSERT, make.ident(), args[-1]))


def _transform(
    make: _Expander, target: Node, args: tuple[Node, ...], start: Node, step: Node
) -> Node:
    if len(args) == 4:  # noqa: PLR2004 - with a filter
        step = make.call("_?_:_", args[2], step, make.ident())
    return make.loop(target, _names(args), (start, make.literal(value=True), step))


def _sort_by(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    one, start = make.list_of(args[1]), make.list_of()
    step, over = make.call("_+_", make.ident(), one), make.ident(_SORTED)
    keys = make.loop(over, _names(args, 1), (start, make.literal(value=True), step))
    result = ast.Call(make.fresh(), "@sortByAssociatedKeys", make.ident(_SORTED), (keys,))
    parts = (target, make.literal(value=False), make.ident(_SORTED))
    return ast.Loop(make.fresh(), "#unused", "", make.list_of(), _SORTED, *parts, result)


_MACROS: Final[dict[tuple[str, int], _Macro]] = {
    ("all", 3): _quantifier("_&&_", start=True),
    ("exists", 3): _quantifier("_||_", start=False),
    **{("existsOne", count): _exists_one for count in (2, 3)},
    ("exists_one", 3): _exists_one,
    **{("transformList", count): _transform_list for count in (3, 4)},
    **{("transformMap", count): _transform_map for count in (3, 4)},
    **{("transformMapEntry", count): _transform_entry for count in (3, 4)},
    ("sortBy", 2): _sort_by,
}
