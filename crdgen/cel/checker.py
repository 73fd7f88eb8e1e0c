"""Type-checks an expression against a schema and resolves its overloads.

Follows cel-spec's gradual type checking with Kubernetes' choice of libraries.
"""

from dataclasses import dataclass, field
from typing import Final

from crdgen.cel import ast, types
from crdgen.cel.ast import Expression, Node
from crdgen.cel.parser import CelError, locate
from crdgen.cel.signatures import TYPE_NAMES, Overload, functions
from crdgen.cel.types import Bindings, Type

_OPERATORS: Final = frozenset({"_&&_", "_||_"})


@dataclass(slots=True)
class Checked:
    """A checked expression: the type and the overloads of each node, and the names it reads."""

    expression: Expression
    result: Type
    types: dict[int, Type] = field(default_factory=dict)
    overloads: dict[int, list[str]] = field(default_factory=dict)
    calls: dict[int, ast.Call] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def call(self, node: ast.Call) -> ast.Call:
        """The call with a qualified name (`sets.contains`), as distinct from a method."""
        return self.calls.get(node.id, node)


def check_expression(
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
        self.calls: dict[int, ast.Call] = {}
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
        self.errors.append(locate(self.expression.text, offset, message))

    def _kind(self, node: Node) -> Type:
        match node:
            case ast.Literal():
                return _literal(node.value)
            case ast.Ident():
                return self._ident(node)
            case ast.Select():
                return self._select(node)
            case ast.Call():
                return self._call(node)
            case ast.ListOf():
                return self._list(node)
            case ast.MapOf():
                return self._map(node) if not node.message else self._message(node)
            case ast.Loop():
                return self._loop(node)

    def _named(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if name in self._globals:
            self.names.add(name)
            return self._globals[name]
        if name in TYPE_NAMES:
            return types.type_of(TYPE_NAMES[name])
        return None

    def _ident(self, node: ast.Ident) -> Type:
        kind = self._named(node.name)
        if kind is not None:
            return kind
        self._error(node.id, f"undeclared reference to '{node.name}' (in container '')")
        return types.ERROR

    def _select(self, node: ast.Select) -> Type:
        qualified = None if node.test else _qualify(node)
        if qualified is not None and qualified in TYPE_NAMES:
            return types.type_of(TYPE_NAMES[qualified])
        kind = self._field(node, node.operand, node.field, optional=False)
        return types.BOOL if node.test else self.bindings.resolved(kind)

    def _field(self, node: Node, operand: Node, name: str, *, optional: bool) -> Type:
        target, inside = types.unwrap(self.bindings.resolved(self.check(operand)))
        result = types.DYN
        if target.kind == "map":
            result = target.params[1]
        elif target.kind == "struct":
            found = self._structs.get(target.name, {}).get(name)
            if found is None:
                self._error(node.id, f"undefined field '{name}'")
            result = found or types.ERROR
        elif target.kind == "param":
            self.bindings.fits([types.DYN], [target])
        elif not types.is_free(target):
            self._error(node.id, f"type '{target}' does not support field selection")
        return types.optional_of(result) if inside or optional else result

    def _call(self, node: ast.Call) -> Type:
        if node.function == "_?._":
            return self._optional_select(node)
        args = [self.check(each) for each in node.args]
        if node.target is not None:
            prefix = _qualify(node.target)
            if prefix is not None and f"{prefix}.{node.function}" in functions():
                whole = ast.Call(node.id, f"{prefix}.{node.function}", None, node.args)
                self.calls[node.id] = whole
                return self._resolve(whole, args)
            args = [self.check(node.target), *args]
        if node.function not in functions():
            self._error(node.id, f"undeclared reference to '{node.function}' (in container '')")
            return types.ERROR
        return self._resolve(node, args)

    def _optional_select(self, node: ast.Call) -> Type:
        operand, name = node.args
        if not isinstance(name, ast.Literal) or not isinstance(name.value, str):
            self._error(name.id, "unsupported optional field selection")
            return types.ERROR
        self.overloads[node.id] = ["select_optional_field"]
        self.types[name.id] = types.STRING
        return self.bindings.resolved(self._field(node, operand, name.value, optional=True))

    def _resolve(self, node: ast.Call, args: list[Type]) -> Type:
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
                result = found if result is None or result == found else types.DYN
        if result is None:
            self._no_overload(node, args)
            return types.ERROR
        self.overloads[node.id] = ids
        return result

    def _logical(self, node: ast.Call, args: list[Type], overload: Overload) -> Type:
        self.overloads[node.id] = [overload.id]
        fine = True
        for arg, kind in zip(node.args, args, strict=True):
            if not self.bindings.fits([kind], [types.BOOL]):
                self._mismatch(arg.id, types.BOOL, kind)
                fine = False
        return types.BOOL if fine else types.ERROR

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

    def _no_overload(self, node: ast.Call, args: list[Type]) -> None:
        shown = [str(self.bindings.resolved(each, free_as_dyn=True)) for each in args]
        signature = f"({', '.join(shown)})"
        if node.target is not None:
            signature = f"{shown[0]}.({', '.join(shown[1:])})"
        self._error(
            node.id, f"found no matching overload for '{node.function}' applied to '{signature}'"
        )

    def _list(self, node: ast.ListOf) -> Type:
        item: Type | None = None
        for index, each in enumerate(node.items):
            kind = self.check(each)
            if index in node.optional:
                kind = self._inside(each, kind)
            item = self._join(item, kind)
        return types.list_of(item or self.bindings.fresh())

    def _map(self, node: ast.MapOf) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in node.entries:
            key = self._join(key, self.check(entry.key))
            kind = self.check(entry.value)
            if entry.optional:
                kind = self._inside(entry.value, kind)
            value = self._join(value, kind)
        return types.map_of(key or self.bindings.fresh(), value or self.bindings.fresh())

    def _message(self, node: ast.MapOf) -> Type:
        for entry in node.entries:
            self.check(entry.value)
        self._error(node.id, f"undeclared reference to '{node.message}' (in container '')")
        return types.ERROR

    def _inside(self, node: Node, kind: Type) -> Type:
        inner, is_optional = types.unwrap(kind)
        if not is_optional and not types.is_free(inner):
            self._mismatch(node.id, types.optional_of(inner), kind)
        return inner

    def _join(self, before: Type | None, kind: Type) -> Type:
        if before is None:
            return kind
        if self.bindings.fits([before], [kind]):
            return types.more_general(before, kind)
        # `literals` judges mixed literals, since it knows which functions may take them.
        return types.DYN

    def _loop(self, node: ast.Loop) -> Type:
        over = self.bindings.resolved(self.check(node.over))
        start = self.check(node.start)
        self._scopes.append({node.accumulator: start})
        self._scopes.append(self._iterated(node, over))
        self._must_be(node.condition, types.BOOL)
        self._must_be(node.step, start)
        self._scopes.pop()
        result = self.check(node.result)
        self._scopes.pop()
        return self.bindings.resolved(result)

    def _iterated(self, node: ast.Loop, over: Type) -> dict[str, Type]:
        first, second = types.DYN, types.DYN
        if over.kind == "list":
            first, second = over.params[0], over.params[0]
            if node.item2:
                first = types.INT
        elif over.kind == "map":
            first, second = over.params
        elif over.kind == "param" or types.is_free(over):
            self.bindings.fits([types.DYN], [over])
        else:
            words = f"expression of type '{over}' cannot be range of a comprehension (must be"
            self._error(node.over.id, f"{words} list, map, or dynamic)")
            first = second = types.ERROR
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
        bool: types.BOOL, int: types.INT, float: types.DOUBLE, str: types.STRING,
        bytes: types.BYTES, ast.Uint: types.UINT,
    }  # fmt: skip
    return known.get(type(value), types.NULL)


def _qualify(node: Node) -> str | None:
    if isinstance(node, ast.Ident):
        return node.name
    if isinstance(node, ast.Select) and not node.test:
        prefix = _qualify(node.operand)
        return f"{prefix}.{node.field}" if prefix is not None else None
    return None
