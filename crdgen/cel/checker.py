"""Type-checks an expression against a schema and resolves its overloads.

Called by `compile_`; follows cel-spec's gradual type checking with Kubernetes' choice of
libraries.
"""

from dataclasses import dataclass, field
from typing import Final

from crdgen.cel import kinds, tree
from crdgen.cel.kinds import Bindings, Type
from crdgen.cel.parse import CelError, located
from crdgen.cel.signatures import TYPE_NAMES, Overload, functions
from crdgen.cel.tree import Expression, Node

_OPERATORS: Final = frozenset({"_&&_", "_||_"})


@dataclass(slots=True)
class Checked:
    """A checked expression: the type and the overloads of each node, and the names it reads."""

    expression: Expression
    result: Type
    types: dict[int, Type] = field(default_factory=dict)
    overloads: dict[int, list[str]] = field(default_factory=dict)
    calls: dict[int, tree.Call] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def call(self, node: tree.Call) -> tree.Call:
        """The call with a qualified name (`sets.contains`) told apart from a method."""
        return self.calls.get(node.id, node)


def checked(
    expression: Expression, variables: dict[str, Type], structs: dict[str, dict[str, Type]]
) -> Checked:
    """Check `expression` with `variables` in scope and `structs` as the known object types.

    Raises:
        CelError: it does not check; the message lists every error with its place.
    """
    checker = _Checker(expression, variables, structs)
    checker.check(expression.root)
    if checker.errors:
        raise CelError("\n".join(checker.errors))
    types = {
        ident: checker.bindings.resolved(kind, free_as_dyn=True)
        for ident, kind in checker.types.items()
    }
    return Checked(
        expression,
        types[expression.root.id],
        types,
        checker.overloads,
        checker.calls,
        checker.names,
    )


class _Checker:
    def __init__(
        self,
        expression: Expression,
        variables: dict[str, Type],
        structs: dict[str, dict[str, Type]],
    ) -> None:
        self.expression = expression
        self.errors: list[str] = []
        self.types: dict[int, Type] = {}
        self.overloads: dict[int, list[str]] = {}
        self.calls: dict[int, tree.Call] = {}
        self.names: set[str] = set()
        self.bindings = Bindings()
        self._structs = structs
        self._globals = variables
        self._scopes: list[dict[str, Type]] = []

    def check(self, node: Node) -> Type:
        """The type of `node`, kept with it."""
        kind = self._kind(node)
        self.types[node.id] = kind
        return kind

    def _error(self, node_id: int, message: str) -> None:
        offset = self.expression.positions.get(node_id, 0)
        self.errors.append(located(self.expression.text, offset, message))

    def _kind(self, node: Node) -> Type:
        match node:
            case tree.Literal():
                return _literal(node.value)
            case tree.Ident():
                return self._ident(node)
            case tree.Select():
                return self._select(node)
            case tree.Call():
                return self._call(node)
            case tree.ListOf():
                return self._list(node)
            case tree.MapOf():
                return self._map(node) if not node.message else self._message(node)
            case tree.Loop():
                return self._loop(node)

    def _named(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._globals:
            self.names.add(name)
            return self._globals[name]
        if name in TYPE_NAMES:
            return kinds.type_of(TYPE_NAMES[name])
        return None

    def _ident(self, node: tree.Ident) -> Type:
        kind = self._named(node.name)
        if kind is not None:
            return kind
        self._error(node.id, f"undeclared reference to '{node.name}' (in container '')")
        return kinds.ERROR

    def _select(self, node: tree.Select) -> Type:
        qualified = None if node.test else _qualified(node)
        if qualified is not None and qualified in TYPE_NAMES:
            return kinds.type_of(TYPE_NAMES[qualified])
        kind = self._field(node, node.operand, node.field, optional=False)
        return kinds.BOOL if node.test else self.bindings.resolved(kind)

    def _field(self, node: Node, operand: Node, name: str, *, optional: bool) -> Type:
        target, inside = kinds.unwrapped(self.bindings.resolved(self.check(operand)))
        result = kinds.DYN
        if target.kind == "map":
            result = target.params[1]
        elif target.kind == "struct":
            found = self._structs.get(target.name, {}).get(name)
            if found is None:
                self._error(node.id, f"undefined field '{name}'")
            result = found or kinds.ERROR
        elif target.kind == "param":
            self.bindings.fits([kinds.DYN], [target])
        elif not kinds.is_free(target):
            self._error(node.id, f"type '{target}' does not support field selection")
        return kinds.optional_of(result) if inside or optional else result

    def _call(self, node: tree.Call) -> Type:
        if node.function == "_?._":
            return self._optional_select(node)
        args = [self.check(each) for each in node.args]
        if node.target is not None:
            prefix = _qualified(node.target)
            if prefix is not None and f"{prefix}.{node.function}" in functions():
                whole = tree.Call(node.id, f"{prefix}.{node.function}", None, node.args)
                self.calls[node.id] = whole
                return self._resolved(whole, args)
            args = [self.check(node.target), *args]
        if node.function not in functions():
            self._error(node.id, f"undeclared reference to '{node.function}' (in container '')")
            return kinds.ERROR
        return self._resolved(node, args)

    def _optional_select(self, node: tree.Call) -> Type:
        operand, name = node.args
        if not isinstance(name, tree.Literal) or not isinstance(name.value, str):
            self._error(name.id, "unsupported optional field selection")
            return kinds.ERROR
        self.overloads[node.id] = ["select_optional_field"]
        self.types[name.id] = kinds.STRING
        return self.bindings.resolved(self._field(node, operand, name.value, optional=True))

    def _resolved(self, node: tree.Call, args: list[Type]) -> Type:
        result: Type | None = None
        ids: list[str] = []
        for overload in functions()[node.function]:
            if overload.method != (node.target is not None):
                continue
            if node.function in _OPERATORS:
                return self._logical(node, args, overload)
            wanted, returned = self._instance(overload)
            if self.bindings.fits(args, wanted):
                ids.append(overload.id)
                found = self.bindings.resolved(returned)
                result = found if result is None or result == found else kinds.DYN
        if result is None:
            self._no_overload(node, args)
            return kinds.ERROR
        self.overloads[node.id] = ids
        return result

    def _logical(self, node: tree.Call, args: list[Type], overload: Overload) -> Type:
        self.overloads[node.id] = [overload.id]
        fine = True
        for arg, kind in zip(node.args, args, strict=True):
            if not self.bindings.fits([kind], [kinds.BOOL]):
                self._mismatch(arg.id, kinds.BOOL, kind)
                fine = False
        return kinds.BOOL if fine else kinds.ERROR

    def _instance(self, overload: Overload) -> tuple[list[Type], Type]:
        fresh: dict[str, Type] = {}

        def renamed(kind: Type) -> Type:
            if kind.kind == "param":
                if kind.name not in fresh:
                    fresh[kind.name] = self.bindings.fresh()
                return fresh[kind.name]
            if not kind.params:
                return kind
            return Type(kind.kind, kind.name, tuple(renamed(each) for each in kind.params))

        return [renamed(each) for each in overload.args], renamed(overload.result)

    def _no_overload(self, node: tree.Call, args: list[Type]) -> None:
        shown = [str(self.bindings.resolved(each, free_as_dyn=True)) for each in args]
        signature = f"({', '.join(shown)})"
        if node.target is not None:
            signature = f"{shown[0]}.({', '.join(shown[1:])})"
        self._error(
            node.id, f"found no matching overload for '{node.function}' applied to '{signature}'"
        )

    def _list(self, node: tree.ListOf) -> Type:
        item: Type | None = None
        for index, each in enumerate(node.items):
            kind = self.check(each)
            if index in node.optional:
                kind = self._inside(each, kind)
            item = self._joined(item, kind)
        return kinds.list_of(item or self.bindings.fresh())

    def _map(self, node: tree.MapOf) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            key = self._joined(key, self.check(entry.key))
            kind = self.check(entry.value)
            if entry.optional:
                kind = self._inside(entry.value, kind)
            value = self._joined(value, kind)
        return kinds.map_of(key or self.bindings.fresh(), value or self.bindings.fresh())

    def _message(self, node: tree.MapOf) -> Type:
        for entry in node.entries:
            self.check(entry.value)
        self._error(node.id, f"undeclared reference to '{node.message}' (in container '')")
        return kinds.ERROR

    def _inside(self, node: Node, kind: Type) -> Type:
        inner, is_optional = kinds.unwrapped(kind)
        if not is_optional and not kinds.is_free(inner):
            self._mismatch(node.id, kinds.optional_of(inner), kind)
        return inner

    def _joined(self, before: Type | None, kind: Type) -> Type:
        if before is None:
            return kind
        if self.bindings.fits([before], [kind]):
            return kinds.more_general(before, kind)
        # `literals` judges mixed literals, since it knows which functions may take them.
        return kinds.DYN

    def _loop(self, node: tree.Loop) -> Type:
        over = self.bindings.resolved(self.check(node.over))
        start = self.check(node.start)
        self._scopes.append({node.accumulator: start})
        self._scopes.append(self._iterated(node, over))
        self._must_be(node.condition, kinds.BOOL)
        self._must_be(node.step, start)
        self._scopes.pop()
        result = self.check(node.result)
        self._scopes.pop()
        return self.bindings.resolved(result)

    def _iterated(self, node: tree.Loop, over: Type) -> dict[str, Type]:
        first, second = kinds.DYN, kinds.DYN
        if over.kind == "list":
            first, second = over.params[0], over.params[0]
            if node.item2:
                first = kinds.INT
        elif over.kind == "map":
            first, second = over.params
        elif over.kind == "param" or kinds.is_free(over):
            self.bindings.fits([kinds.DYN], [over])
        else:
            words = f"expression of type '{over}' cannot be range of a comprehension (must be"
            self._error(node.over.id, f"{words} list, map, or dynamic)")
            first = second = kinds.ERROR
        return {node.item: first, node.item2: second} if node.item2 else {node.item: first}

    def _must_be(self, node: Node, wanted: Type) -> None:
        kind = self.check(node)
        if not self.bindings.fits([wanted], [kind]):
            self._mismatch(node.id, wanted, kind)

    def _mismatch(self, node_id: int, wanted: Type, found: Type) -> None:
        wanted, found = (self.bindings.resolved(kind) for kind in (wanted, found))
        self._error(node_id, f"expected type '{wanted}' but found '{found}'")


def _literal(value: object) -> Type:
    known = {
        bool: kinds.BOOL, int: kinds.INT, float: kinds.DOUBLE, str: kinds.STRING,
        bytes: kinds.BYTES, tree.Uint: kinds.UINT,
    }  # fmt: skip
    return known.get(type(value), kinds.NULL)


def _qualified(node: Node) -> str | None:
    if isinstance(node, tree.Ident):
        return node.name
    if isinstance(node, tree.Select) and not node.test:
        prefix = _qualified(node.operand)
        return f"{prefix}.{node.field}" if prefix is not None else None
    return None
