"""Field paths (`.spec.a['b']`) as the API server resolves them against a schema."""

import re
from collections.abc import Iterator
from typing import Final

from crdgen.schema_keywords import Schema

_PIECE: Final = re.compile(r"'(?:\\.|[^'\\])*'|[.\[\]]|[^.\[\]']+|'")
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'",
    "\\": "\\",
}  # fmt: skip


class FieldPathError(ValueError):
    """The path leads nowhere; the message is the API server's."""


def resolve(path: str, schema: Schema, *, brackets: bool = True) -> tuple[str, Schema | None]:
    """The path as the server writes it, and the schema that it leads to.

    Raises:
        FieldPathError: it cannot be read or does not lead to a field.
    """
    pieces = iter(_PIECE.findall(path))
    normal, node = "", schema
    for piece in pieces:
        if piece == "[":
            if not brackets:
                raise FieldPathError("array notation is not allowed")
            name = _quoted(pieces)
            step, node = _inner(name, node)
            if next(pieces, None) != "]":
                raise FieldPathError("unexpected end of JSON path")
        elif piece == ".":
            step, node = _inner(_next(pieces), node)
        else:
            raise FieldPathError(f"expected [ or . but got: {piece}")
        normal += step if normal or step.startswith("[") else step.removeprefix(".")
    return normal, node


def _next(pieces: Iterator[str]) -> str:
    piece = next(pieces, None)
    if piece is None:
        raise FieldPathError("unexpected end of JSON path")
    return piece


def _quoted(pieces: Iterator[str]) -> str:
    piece = _next(pieces)
    if len(piece) < 2 or piece[0] != "'" or piece[-1] != "'":  # noqa: PLR2004 - two quotes
        raise FieldPathError(f"expected single quoted string but got {piece}")
    return re.sub(r"\\(.)", _unescape, piece[1:-1])


def _unescape(match: re.Match[str]) -> str:
    try:
        return _ESCAPES[match[1]]
    except KeyError:
        raise FieldPathError(f"invalid string literal: invalid escape char {match[0]}") from None


def _inner(name: str, node: Schema) -> tuple[str, Schema]:
    if node.get("properties"):
        if name not in node["properties"]:
            raise FieldPathError("does not refer to a valid field")
        return f".{name}", node["properties"][name]
    extra = node.get("additionalProperties")
    if extra is None:
        raise FieldPathError("does not refer to a valid field")
    return f"[{name}]", extra if isinstance(extra, dict) else {}
