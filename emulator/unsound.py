"""What duckdb-kql 1.1.2 would answer wrongly without a word; refused here by name.

Called by `emulator.kql` on every query.
NB: measured on 1.1.2: a datetime literal that it cannot read is null; `make_list(x, 3)` ignores the
3; `decimal(0.1)` is a double; `h'secret'` is the text `h'secret'`.
"""

import re
from datetime import datetime
from typing import Final

import duckdb
from duckdb_kql import ir, translate

from emulator.errors import Refusal, Unsupported
from emulator.tree import Node, walk

_ISO: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?"
)
_LISTS: Final = {
    "make_list": 1,
    "make_set": 1,
    "makelist": 1,
    "makeset": 1,
    "make_bag": 1,
    "make_list_if": 2,
    "make_set_if": 2,
    "make_bag_if": 2,
}
_TOKEN: Final = re.compile(
    r"""//[^\n]*|(?P<hidden>\b[hH](?=@?["']))|(?P<decimal>\bdecimal\s*\()|@"(?:[^"]|"")*"|@'(?:[^']|'')*'"""
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
)


def readable(text: str) -> str:
    """`text` with the `h` of each `h'…'` blanked: it hides a string from logs, nothing else.

    Raises Unsupported for a decimal literal.
    """
    return _TOKEN.sub(_plain_token, text)


def _plain_token(found: re.Match[str]) -> str:
    if found["decimal"]:
        raise Unsupported("decimal literals", "write a real, or keep decimals in a table")
    return " " if found["hidden"] else found[0]


def refuse(query: ir.Query) -> None:
    """Raise Refusal for the first unsound construct in `query`."""
    for node in walk(query):
        _refuse_unreadable_datetime(node)
        _refuse_limited_list(node)


def _refuse_unreadable_datetime(node: Node) -> None:
    if not isinstance(node, ir.Literal) or node.kind != "datetime" or node.value is None:
        return
    if not _is_iso(str(node.value)) and _reads_as_null(node):
        raise Refusal(
            f"Syntax error: SYN0002: datetime({node.value}) is no time here; write it as "
            "datetime(2026-01-31T08:30:00Z)."
        )


def _refuse_limited_list(node: Node) -> None:
    if isinstance(node, ir.FunctionCall):
        allowed = _LISTS.get(node.name.lower())
        if allowed is not None and len(node.args) > allowed:
            raise Unsupported(f"a size limit in {node.name}()", "leave it out")


def _is_iso(text: str) -> bool:
    if not _ISO.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _reads_as_null(literal: ir.Literal) -> bool:
    with duckdb.connect(":memory:") as connection:
        rendered = translate.render_literal(literal)
        row = connection.execute(f"SELECT ({rendered}) IS NULL").fetchone()
        return row == (True,)
