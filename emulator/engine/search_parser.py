"""`search`: its sources, and its predicate as the ordinary predicate that it abbreviates.

Source: Kusto docs, "search operator", the table of predicates and their `where`.
"""

import re
from typing import TYPE_CHECKING, Final

from emulator.engine import syntax
from emulator.engine.problems import SyntaxProblem, UnsupportedProblem

if TYPE_CHECKING:
    from emulator.engine.operator_parser import OperatorParser

_CASES: Final = ("default", "case_insensitive", "case_sensitive")


def parse_search(parser: "OperatorParser", at: int) -> syntax.Search:
    """`search [kind = case] [in (sources)] predicate`, after the word itself."""
    cursor = parser.cursor
    case = parser.options("kind").get("kind", "default")
    if case not in _CASES:
        raise SyntaxProblem(f"'{case}' is not a kind of search", at)
    sides: tuple[syntax.Pipeline, ...] = ()
    if cursor.is_name("in") and cursor.is_mark("(", 1):
        cursor.skip(2)
        sides = tuple(cursor.comma_separated(parser.side))
        cursor.expect(")")
    predicate = parser.expressions.search_predicate()
    return syntax.Search(at, sides, _expanded(predicate, "_cs" if case == _CASES[2] else ""))


def _expanded(node: syntax.Expression, case: str) -> syntax.Expression:
    """`node` with each bare string as a test of every column, and `column:"text"` as `has`."""
    if isinstance(node, syntax.Literal) and isinstance(node.value, str):
        return _term(syntax.Star(node.at), node, case)
    if isinstance(node, syntax.Star):
        return syntax.Literal(node.at, "bool", value=True)
    if isinstance(node, syntax.Call) and node.name == "not" and len(node.arguments) == 1:
        inner = _expanded(node.arguments[0].value, case)  # type: ignore[arg-type]
        return syntax.Call(node.at, "not", (syntax.Argument(None, inner),))
    if isinstance(node, syntax.Binary) and node.operator in ("and", "or"):
        left, right = _expanded(node.left, case), _expanded(node.right, case)
        return syntax.Binary(node.at, node.operator, left, right)
    if isinstance(node, syntax.Binary) and node.operator == ":":
        if not isinstance(node.right, syntax.Literal) or not isinstance(node.right.value, str):
            raise UnsupportedProblem("':' with anything but a string", node.at)
        return _term(node.left, node.right, case)
    if case:
        raise UnsupportedProblem("'kind=case_sensitive' with operators", node.at)
    return node


def _term(target: syntax.Expression, literal: syntax.Literal, case: str) -> syntax.Expression:
    """`target has text`; a `*` in the text makes it a prefix, a suffix, a part or a pattern."""
    text = str(literal.value)
    inner = text.strip("*")
    if not inner:
        return syntax.Literal(literal.at, "bool", value=True)
    if "*" in inner:
        pieces = ".*".join(re.escape(piece) for piece in inner.split("*"))
        before, after = ("" if text[0] == "*" else r"\b"), ("" if text[-1] == "*" else r"\b")
        pattern = f"{'' if case else '(?i)'}{before}{pieces}{after}"
        return _binary(target, "matches regex", literal, pattern)
    name = {
        (False, False): "has",
        (True, False): "hassuffix",
        (False, True): "hasprefix",
        (True, True): "contains",
    }[text[0] == "*", text[-1] == "*"]
    return _binary(target, name + case, literal, inner)


def _binary(
    target: syntax.Expression, operator: str, literal: syntax.Literal, text: str
) -> syntax.Expression:
    return syntax.Binary(literal.at, operator, target, syntax.Literal(literal.at, "string", text))
