"""The macros that the parser does not know: two-variable ones, `existsOne`, `sortBy`.

They are expanded as cel-go's extensions do, since the estimated cost depends on the shape.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from crdgen.cel import ast
from crdgen.cel.ast import Node

_ACCUMULATOR: Final = "@result"
_SORTED: Final = "@__sortBy_input__"


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
        match node:
            case ast.Select():
                return replace(node, operand=self.node(node.operand))
            case ast.ListOf():
                return replace(node, items=tuple(self.node(each) for each in node.items))
            case ast.MapOf():
                entries = tuple(
                    replace(e, key=self.node(e.key), value=self.node(e.value)) for e in node.entries
                )
                return replace(node, entries=entries)
            case ast.Loop():
                return self._loop(node)
            case ast.Call():
                return self._call(node)
        return node

    def _loop(self, node: ast.Loop) -> Node:
        return replace(
            node,
            over=self.node(node.over),
            start=self.node(node.start),
            condition=self.node(node.condition),
            step=self.node(node.step),
            result=self.node(node.result),
        )

    def _call(self, node: ast.Call) -> Node:
        target = self.node(node.target) if node.target is not None else None
        args = tuple(self.node(each) for each in node.args)
        macro = _MACROS.get((node.function, len(args))) if target is not None else None
        if macro is None or target is None:
            return replace(node, target=target, args=args)
        self._at = self.positions.get(node.id, 0)
        return macro(self, target, args)

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

    def loop(  # noqa: PLR0917 - the parts of a fold, in order
        self, over: Node, names: tuple[str, str], start: Node, condition: Node, step: Node,
        result: Node,
    ) -> Node:  # fmt: skip
        """A fold over `over`."""
        return ast.Loop(
            self.fresh(), names[0], names[1], over, _ACCUMULATOR, start, condition, step, result
        )


_Macro = Callable[[_Expander, Node, tuple[Node, ...]], Node]


def _name(node: Node) -> str:
    if not isinstance(node, ast.Ident):
        raise MacroError(node.id, "argument must be a simple name")
    if node.name in {_ACCUMULATOR, "__result__"}:
        raise MacroError(node.id, "iteration variable overwrites accumulator variable")
    return node.name


def _names(args: tuple[Node, ...]) -> tuple[str, str]:
    first, second = _name(args[0]), _name(args[1])
    if first == second:
        raise MacroError(args[1].id, f"duplicate variable name: {first}")
    return first, second


def _all(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    names = _names(args)
    condition = make.call("@not_strictly_false", make.ident())
    step = make.call("_&&_", make.ident(), args[2])
    return make.loop(target, names, make.literal(value=True), condition, step, make.ident())


def _exists(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    names = _names(args)
    condition = make.call("@not_strictly_false", make.call("!_", make.ident()))
    step = make.call("_||_", make.ident(), args[2])
    return make.loop(target, names, make.literal(value=False), condition, step, make.ident())


def _exists_one(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    names = (_name(args[0]), "") if len(args) == 2 else _names(args)  # noqa: PLR2004 - arity
    more = make.call("_+_", make.ident(), make.literal(1))
    step = make.call("_?_:_", args[-1], more, make.ident())
    result = make.call("_==_", make.ident(), make.literal(1))
    return make.loop(target, names, make.literal(0), make.literal(value=True), step, result)


def _transform_list(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    one = ast.ListOf(make.fresh(), (args[-1],), frozenset())
    start = ast.ListOf(make.fresh(), (), frozenset())
    return _transform(make, target, args, start, make.call("_+_", make.ident(), one))


def _transform_map(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    key = make.ident(_names(args)[0])
    start = ast.MapOf(make.fresh(), "", ())
    step = make.call("cel.@mapInsert", make.ident(), key, args[-1])
    return _transform(make, target, args, start, step)


def _transform_entry(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    start = ast.MapOf(make.fresh(), "", ())
    step = make.call("cel.@mapInsert", make.ident(), args[-1])
    return _transform(make, target, args, start, step)


def _transform(
    make: _Expander, target: Node, args: tuple[Node, ...], start: Node, step: Node
) -> Node:
    if len(args) == 4:  # noqa: PLR2004 - with a filter
        step = make.call("_?_:_", args[2], step, make.ident())
    return make.loop(target, _names(args), start, make.literal(value=True), step, make.ident())


def _sort_by(make: _Expander, target: Node, args: tuple[Node, ...]) -> Node:
    one = ast.ListOf(make.fresh(), (args[1],), frozenset())
    start = ast.ListOf(make.fresh(), (), frozenset())
    step = make.call("_+_", make.ident(), one)
    keys = make.loop(
        make.ident(_SORTED),
        (_name(args[0]), ""),
        start,
        make.literal(value=True),
        step,
        make.ident(),
    )
    result = ast.Call(make.fresh(), "@sortByAssociatedKeys", make.ident(_SORTED), (keys,))
    return ast.Loop(
        make.fresh(), "#unused", "", ast.ListOf(make.fresh(), (), frozenset()), _SORTED, target,
        make.literal(value=False), make.ident(_SORTED), result,
    )  # fmt: skip


_MACROS: Final[dict[tuple[str, int], _Macro]] = {
    ("all", 3): _all,
    ("exists", 3): _exists,
    ("existsOne", 2): _exists_one,
    ("existsOne", 3): _exists_one,
    ("exists_one", 3): _exists_one,
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_entry,
    ("transformMapEntry", 4): _transform_entry,
    ("sortBy", 2): _sort_by,
}
