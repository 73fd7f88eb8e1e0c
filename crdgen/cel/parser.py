"""CEL text parsed by the CEL library, and its protobuf answer decoded to `crdgen.cel.ast`.

The library returns syntax trees as bytes only. The wire format is that of cel-spec's syntax.proto;
only the fields of an expression without type information are read.
"""

import re
import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from crdgen.cel import ast, macros
from crdgen.cel.ast import Expression, Node

_QUOTED: Final = re.compile(
    r"[rR]?(\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|//[^\n]*", re.DOTALL
)


class CelError(ValueError):
    """An expression does not parse or check; the message shows where."""


@cache
def parse(text: str) -> Expression:
    """The tree of the expression `text`.

    Raises:
        CelError: it is not CEL; the message has line, column and the line itself.
    """
    backtick = _QUOTED.sub(lambda match: " " * len(match[0]), text).find("`")
    if backtick >= 0:
        raise CelError(locate(text, backtick, "unsupported syntax '`'"))
    try:
        data = _environment().compile(text, disable_check=True).serialize()
    except RuntimeError as error:
        raise CelError(_message(error)) from None
    root, positions = decode(data)
    try:
        return Expression(text, *macros.expand(root, positions))
    except macros.MacroError as error:
        raise CelError(locate(text, positions.get(error.id, 0), str(error))) from None


def locate(text: str, offset: int, message: str) -> str:
    """An error as CEL prints it: position, the line, and a caret under the place."""
    before = text[:offset]
    line = before.count("\n")
    column = offset - (before.rfind("\n") + 1)
    shown = text.split("\n")[line].replace("\t", " ")
    caret = "." * column + "^"
    return f"ERROR: <input>:{line + 1}:{column + 1}: {message}\n | {shown}\n | {caret}"


@cache
def _environment() -> Any:  # noqa: ANN401 - the library is untyped
    from cel_expr_python import cel  # noqa: PLC0415 - loads a native library
    from cel_expr_python.ext import ext_optional  # noqa: PLC0415

    return cel.NewEnv(extensions=[ext_optional.ExtOptional()])


def _message(error: RuntimeError) -> str:
    text = str(error).removeprefix("INVALID_ARGUMENT: ")
    return text.removesuffix(" [INVALID_ARGUMENT]")


Fields = dict[int, list[Any]]
_ANY_VALUE: Final = 2
_EXPR: Final = 2
_SOURCE: Final = 3
_POSITIONS: Final = 4
_MAP_KEY: Final = 3
_MASK64: Final = (1 << 64) - 1


def decode(data: bytes) -> tuple[Node, dict[int, int]]:
    """The tree in a ParsedExpr, wrapped in an Any, and the offset of each node by id."""
    top = _fields(_fields(data)[_ANY_VALUE][0])
    positions = {}
    for source in top.get(_SOURCE, []):
        for entry in _fields(source).get(_POSITIONS, []):
            pair = _fields(entry)
            positions[_int(pair, 1)] = _int(pair, 2)
    return _node(top[_EXPR][0]), positions


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value & _MASK64, at
        shift += 7


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    for number, value in _tokens(data):
        found.setdefault(number, []).append(value)
    return found


def _tokens(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif kind == 1:
            yield tag >> 3, data[at : at + 8]
            at += 8
        else:
            length, at = _varint(data, at)
            yield tag >> 3, data[at : at + length]
            at += length


def _int(fields: Fields, number: int) -> int:
    return _signed(int(fields.get(number, [0])[-1]))


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _text(fields: Fields, number: int) -> str:
    return bytes(fields.get(number, [b""])[-1]).decode()


def _node(data: bytes) -> Node:
    fields = _fields(data)
    number = next((number for number in _BUILDERS if number in fields), None)
    if number is None:
        return ast.Literal(_int(fields, 2), None)
    return _BUILDERS[number](_int(fields, 2), _fields(fields[number][-1]))


def _nodes(fields: Fields, number: int) -> tuple[Node, ...]:
    return tuple(_node(each) for each in fields.get(number, ()))


_LITERALS: Final[dict[int, Callable[[Any], Any]]] = {
    1: lambda _: None,
    2: bool,
    3: lambda value: _signed(int(value)),
    4: ast.Uint,
    5: lambda value: struct.unpack("<d", value)[0],
    6: lambda value: str(value, "utf-8"),
    7: bytes,
}


def _literal(ident: int, fields: Fields) -> Node:
    number, values = next(iter(fields.items()), (1, [0]))
    return ast.Literal(ident, _LITERALS[number](values[-1]))


def _select(ident: int, fields: Fields) -> Node:
    return ast.Select(ident, _node(fields[1][-1]), _text(fields, 2), bool(_int(fields, 3)))


def _call(ident: int, fields: Fields) -> Node:
    return ast.Call(ident, _text(fields, 2), next(iter(_nodes(fields, 1)), None), _nodes(fields, 3))


def _list(ident: int, fields: Fields) -> Node:
    optional: set[int] = set()
    for value in fields.get(2, ()):
        optional |= {value} if isinstance(value, int) else set(value)
    return ast.ListOf(ident, _nodes(fields, 1), frozenset(optional))


def _map(ident: int, fields: Fields) -> Node:
    return ast.MapOf(ident, _text(fields, 1), tuple(_entry(e) for e in fields.get(2, ())))


def _entry(data: bytes) -> ast.Entry:
    fields = _fields(data)
    name = ast.Literal(_int(fields, 1), _text(fields, 2))
    key = _node(fields[_MAP_KEY][-1]) if _MAP_KEY in fields else name
    return ast.Entry(key, _node(fields[4][-1]), bool(_int(fields, 5)))


def _loop(ident: int, fields: Fields) -> Node:
    over, *parts = (_node(fields[n][-1]) for n in (2, 4, 5, 6, 7))
    return ast.Loop(ident, _text(fields, 1), _text(fields, 8), over, _text(fields, 3), *parts)


_BUILDERS: Final[dict[int, Callable[[int, Fields], Node]]] = {
    3: _literal,
    4: lambda ident, fields: ast.Ident(ident, _text(fields, 1)),
    5: _select,
    6: _call,
    7: _list,
    8: _map,
    9: _loop,
}
