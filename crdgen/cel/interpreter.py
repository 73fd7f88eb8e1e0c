"""Runs a checked expression on values.

`&&`, `||` and the macros absorb errors as cel-spec says: the result wins over an error when
either side decides it alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from crdgen.cel import ast
from crdgen.cel.ast import Node
from crdgen.cel.checker import Checked
from crdgen.cel.library import FUNCTIONS
from crdgen.cel.signatures import TYPE_NAMES
from crdgen.cel.values import (
    NONE,
    EvaluationError,
    Fields,
    Optional,
    TypeValue,
    UInt,
    Value,
    equal,
    items_of,
)

_LAZY: Final = frozenset({"_&&_", "_||_", "_?_:_", "@not_strictly_false"})


@dataclass(frozen=True, slots=True)
class _Failed:
    """An error kept as a value: what an accumulator holds until a later turn decides."""

    error: EvaluationError


def evaluate(checked: Checked, variables: dict[str, Value]) -> Value:
    """The value of `checked` with `variables` bound.

    Raises:
        EvaluationError: it failed; the message is CEL's.
    """
    return _Interpreter(checked).value(checked.expression.root, variables)


class _Interpreter:
    def __init__(self, checked: Checked) -> None:
        self._checked = checked

    def value(self, node: Node, scope: dict[str, Value]) -> Value:
        """The value of `node`."""
        match node:
            case ast.Literal():
                return UInt(node.value.value) if isinstance(node.value, ast.Uint) else node.value
            case ast.Ident():
                return _ident(node.name, scope)
            case ast.Select():
                return self._select(node, scope)
            case ast.Call():
                return self._call(self._checked.call(node), scope)
            case ast.ListOf():
                return list(self._items(node, scope))
            case ast.MapOf():
                return self._map(node, scope)
            case ast.Loop():
                return self._loop(node, scope)

    def _select(self, node: ast.Select, scope: dict[str, Value]) -> Value:
        qualified = _dotted(node)
        if qualified in TYPE_NAMES and qualified.partition(".")[0] not in scope:
            return TypeValue(qualified)
        operand = self.value(node.operand, scope)
        if isinstance(operand, Optional):
            return _optional_select(operand, node.field, test=node.test)
        found, value = _find(operand, node.field)
        if node.test:
            return found
        if not found:
            raise EvaluationError(f"no such key: {node.field}")
        return value

    def _call(self, node: ast.Call, scope: dict[str, Value]) -> Value:
        if node.function in _LAZY:
            return self._lazy(node, scope)
        args = [self.value(each, scope) for each in node.args]
        if node.target is not None:
            args = [self.value(node.target, scope), *args]
        if node.function == "_?._":
            return _optional_select(args[0], args[1], test=False)
        return FUNCTIONS[node.function](*args)

    def _lazy(self, node: ast.Call, scope: dict[str, Value]) -> Value:
        if node.function == "_?_:_":
            chosen = 1 if _bool(self.value(node.args[0], scope)) else 2
            return self.value(node.args[chosen], scope)
        if node.function == "@not_strictly_false":
            return self._held(node.args[0], scope) is not False
        decides = node.function == "_||_"
        left, right = self._held(node.args[0], scope), None
        if left is decides:
            return decides
        right = self._held(node.args[1], scope)
        if right is decides:
            return decides
        for side in (left, right):
            if isinstance(side, _Failed):
                raise side.error
        return _bool(left) and _bool(right) if not decides else False

    def _held(self, node: Node, scope: dict[str, Value]) -> Value:
        try:
            return self.value(node, scope)
        except EvaluationError as error:
            return _Failed(error)

    def _items(self, node: ast.ListOf, scope: dict[str, Value]) -> Iterator[Value]:
        for index, each in enumerate(node.items):
            value = self.value(each, scope)
            if index not in node.optional:
                yield value
            elif value.present:
                yield value.value

    def _map(self, node: ast.MapOf, scope: dict[str, Value]) -> Value:
        found: dict[Value, Value] = {}
        for entry in node.entries:
            key, value = self.value(entry.key, scope), self.value(entry.value, scope)
            if entry.optional:
                if not value.present:
                    continue
                value = value.value
            if key in found:
                raise EvaluationError(f"insert failed: key {key} already exists")
            found[key] = value
        return found

    def _loop(self, node: ast.Loop, scope: dict[str, Value]) -> Value:
        over = self.value(node.over, scope)
        inner = {**scope, node.accumulator: self._held(node.start, scope)}
        for first, second in _turns(over, pairs=bool(node.item2)):
            inner[node.item] = first
            if node.item2:
                inner[node.item2] = second
            if self._held(node.condition, inner) is False:
                break
            inner[node.accumulator] = self._held(node.step, inner)
        return self.value(node.result, {**scope, node.accumulator: inner[node.accumulator]})


def _ident(name: str, scope: dict[str, Value]) -> Value:
    if name in scope:
        value = scope[name]
        if isinstance(value, _Failed):
            raise value.error
        return value() if isinstance(value, Callable) else value  # type: ignore[arg-type]
    return TypeValue(TYPE_NAMES[name].name or name)


def _dotted(node: Node) -> str:
    if isinstance(node, ast.Ident):
        return node.name
    if isinstance(node, ast.Select) and not node.test:
        return f"{_dotted(node.operand)}.{node.field}"
    return "?"


def _find(operand: Value, key: Value) -> tuple[bool, Value]:
    if isinstance(operand, Fields):
        return operand.find(key) if isinstance(key, str) else (False, None)
    if isinstance(operand, dict):
        return next(((True, v) for k, v in operand.items() if equal(k, key)), (False, None))
    raise EvaluationError("no such overload")


def _optional_select(operand: Value, key: Value, *, test: bool) -> Value:
    if isinstance(operand, Optional):
        if not operand.present:
            return False if test else NONE
        operand = operand.value
    found, value = _find(operand, key)
    if test:
        return found
    return Optional(present=True, value=value) if found else NONE


def _bool(value: Value) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError("no such overload")
    return value


def _turns(over: Value, *, pairs: bool) -> Iterator[tuple[Value, Value]]:
    items = items_of(over)
    if items is not None:
        yield from enumerate(items) if pairs else ((each, None) for each in items)
    elif isinstance(over, dict):
        yield from over.items()
    elif isinstance(over, Fields):
        for key in over.names():
            yield key, over.find(key)[1]
    else:
        raise EvaluationError("no such overload")
