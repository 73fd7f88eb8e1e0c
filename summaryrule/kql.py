"""KQL as text: quotes names and strings, finds the first code and the tables of a body."""

import re
from collections.abc import Iterator
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED: Final = frozenset(  # keywords of KQL, which must be in brackets
    """
    and as asc between bool by contains count database datetime dec decimal declare desc
    distinct double dynamic endswith evaluate extend external_table false find float
    from fork getschema guid has hasprefix hassuffix in int invoke join kind let limit
    long lookup long make materialize mvexpand not null of on or order parse partition
    pattern print project range real reduce render restrict sample scan search serialize
    set sort startswith stored string summarize table take time timespan to top toscalar
    true union uuid view where with
    """.split()  # noqa: SIM905 - a list of 80 literals reads worse
)
# Unicode white space, invisible characters, semicolons, and comments up to any line end.
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
)
_BEFORE_CODE: Final = re.compile(
    rf"(?:[\s\x00-\x1f\x7f-\x9f;{_INVISIBLE}]++|//[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]*+)*+"
)


def quote_name(name: str) -> str:
    """A table's name in KQL: as it is if it is a plain identifier, else ``['…']``."""
    if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED:
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"['{escaped}']"


def first_code(body: str) -> str:
    """The body from its first character of code on; empty if it has no code.

    It skips white space, comments, invisible characters, semicolons and every kind of line end, so
    that nothing can hide a management command. It takes linear time.
    """
    before = _BEFORE_CODE.match(body)
    return body[before.end() :] if before else body


_BOUNDS: Final = {name: re.compile(rf"\b{name}\b") for name in ("_startTime", "_endTime")}
_STRING: Final = r"""@"[^"]*+"|@'[^']*+'|"(?:\\.|[^"\\\n])*+"|'(?:\\.|[^'\\\n])*+'"""
_COMMENT: Final = r"//[^\n]*+"
_TOKEN: Final = re.compile(rf"{_COMMENT}|({_STRING}|\w++|[^\s\w])")
"""A comment, or a token as group 1."""
_COMMENT_OR_STRING: Final = re.compile(f"{_COMMENT}|{_STRING}")


def without_trailing_semicolons(body: str) -> str:
    """The body up to its last code that is not a semicolon, so that an operator can follow it."""
    ends = [each.end() for each in _TOKEN.finditer(body) if each[1] not in {None, ";"}]
    return body[: ends[-1]] if ends else body


def _tokens(body: str) -> Iterator[str]:
    """The names, strings and signs of a body, in their order, without its comments."""
    return (each[1] for each in _TOKEN.finditer(body) if each[1])


def missing_bounds(body: str) -> list[str]:
    """Which of the names of a window's bounds the code of a query does not use."""
    code = _COMMENT_OR_STRING.sub(" ", body)
    return [name for name, word in _BOUNDS.items() if not word.search(code)]


def has_query(body: str) -> bool:
    """Whether a body has a statement that gives rows: not only ``let`` and other declarations."""
    is_first, depth = True, 0
    for word in _tokens(body):
        ends = {";"} if depth == 0 else set()
        if is_first and word not in _DECLARATIONS | ends:
            return True
        depth += (word in {"(", "[", "{"}) - (word in {")", "]", "}"})
        is_first = word in ends
    return False


_DECLARATIONS: Final = frozenset({"let", "set", "declare", "alias", "restrict"})
_STARTS_STATEMENT: Final = frozenset(";{")
_ENDS_SOURCE: Final = frozenset("|;})")


def reads_table(body: str, table: str) -> bool:
    """Whether a query reads a table of its own database by this name.

    Finds the name at the start of a statement or of a query in parentheses, as an operand of
    ``union``, ``join`` and ``lookup``, and in ``table()``. A column or a text of the same name does
    not count. Takes linear time.
    """
    if table not in body:
        return False
    tokens = [";", ";", ";", *_tokens(body), ";"]
    operator = ""
    for place in range(3, len(tokens) - 1):
        token = tokens[place]
        if token in {"union", "join", "lookup"}:
            operator = token
        elif token in {"|", ";", "(", ")", "on"}:
            operator = ""
        elif token.strip("\"'") == table and _is_source(tokens, place, operator):
            return True
    return False


def _is_source(tokens: list[str], place: int, operator: str) -> bool:
    third, second, previous = tokens[place - 3 : place]
    following = tokens[place + 1]
    if tokens[place][0] in "\"'":
        return (second, previous) == ("table", "(") and third != "."
    if previous == "=":
        return third == "let" and following in _ENDS_SOURCE
    if previous == "(":
        return following == "|"
    if operator:
        return previous != "." and following not in {"=", ".", "("}
    return previous in _STARTS_STATEMENT and following in _ENDS_SOURCE


_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def go_quote(text: str) -> str:
    r"""Quote a text like Go's ``%q``: nothing in it ends the quotes or the line.

    >>> print(go_quote('"é"\n\x13'))
    "\"é\"\n\x13"
    """
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:  # noqa: PLR2004 - ASCII
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - two bytes
