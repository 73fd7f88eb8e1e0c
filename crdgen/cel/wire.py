"""Decodes the CEL library's serialised tree: the protobuf wire format of `cel.expr`.

The library hands trees over as bytes only. The format is fixed by cel-spec's syntax.proto; just
the fields that an expression without type information holds are read.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from crdgen.cel import tree
from crdgen.cel.tree import Node

Fields = dict[int, list[Any]]
_ANY_VALUE: Final = 2
_EXPR: Final = 2
_SOURCE: Final = 3
_POSITIONS: Final = 4
_MAP_KEY: Final = 3
_MASK64: Final = (1 << 64) - 1


def decoded(data: bytes) -> tuple[Node, dict[int, int]]:
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
    value = int(fields.get(number, [0])[-1])
    return value - (1 << 64) if value >> 63 else value


def _text(fields: Fields, number: int) -> str:
    return bytes(fields.get(number, [b""])[-1]).decode()


def _node(data: bytes) -> Node:
    fields = _fields(data)
    ident = _int(fields, 2)
    for number, build in _BUILDERS.items():
        if number in fields:
            return build(ident, _fields(fields[number][-1]))
    return tree.Literal(ident, None)


def _literal(ident: int, fields: Fields) -> Node:
    number, values = next(iter(fields.items()), (1, [0]))
    value: Any = values[-1]
    readers: dict[int, Any] = {
        1: lambda: None,
        2: lambda: bool(value),
        3: lambda: _int(fields, 3),
        4: lambda: tree.Uint(value),
        5: lambda: struct.unpack("<d", value)[0],
        6: lambda: str(value, "utf-8"),
        7: lambda: bytes(value),
    }
    return tree.Literal(ident, readers[number]())


def _ident(ident: int, fields: Fields) -> Node:
    return tree.Ident(ident, _text(fields, 1))


def _select(ident: int, fields: Fields) -> Node:
    test = bool(_int(fields, 3))
    return tree.Select(ident, _node(fields[1][-1]), _text(fields, 2), test)


def _call(ident: int, fields: Fields) -> Node:
    target = _node(fields[1][-1]) if 1 in fields else None
    args = tuple(_node(each) for each in fields.get(3, ()))
    return tree.Call(ident, _text(fields, 2), target, args)


def _list(ident: int, fields: Fields) -> Node:
    items = tuple(_node(each) for each in fields.get(1, ()))
    optional: set[int] = set()
    for value in fields.get(2, ()):
        optional |= {value} if isinstance(value, int) else set(value)
    return tree.ListOf(ident, items, frozenset(optional))


def _map(ident: int, fields: Fields) -> Node:
    return tree.MapOf(ident, _text(fields, 1), tuple(_entry(e) for e in fields.get(2, ())))


def _entry(data: bytes) -> tree.Entry:
    fields = _fields(data)
    name = tree.Literal(_int(fields, 1), _text(fields, 2))
    key = _node(fields[_MAP_KEY][-1]) if _MAP_KEY in fields else name
    return tree.Entry(key, _node(fields[4][-1]), bool(_int(fields, 5)))


def _loop(ident: int, fields: Fields) -> Node:
    over, start, condition, step, result = (_node(fields[n][-1]) for n in (2, 4, 5, 6, 7))
    return tree.Loop(
        id=ident,
        item=_text(fields, 1),
        item2=_text(fields, 8),
        over=over,
        accumulator=_text(fields, 3),
        start=start,
        condition=condition,
        step=step,
        result=result,
    )


_BUILDERS: Final = {3: _literal, 4: _ident, 5: _select, 6: _call, 7: _list, 8: _map, 9: _loop}
