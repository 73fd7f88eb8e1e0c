"""What `*` means on the left of a text operator: `where * has "text"`.

Source: Kusto docs, "where operator", "search operator".
"""

import re
from typing import Final

from emulator.engine import syntax
from emulator.engine.problems import UnsupportedProblem
from emulator.engine.relation import Relation

_DIGITS: Final = r"[0-9.+:\-]*"
_OF_VALUES: Final = {
    "bool": r"(?:t?r?u?e?|f?a?l?s?e?)",
    "int": _DIGITS,
    "long": _DIGITS,
    "decimal": r"[0-9.+e\-]*",
    "real": r"[0-9.+e\-]*|n?a?n?|i?n?f?i?n?i?t?y?",
    "guid": r"[0-9a-f\-]*",
    "datetime": r"[0-9.:tz\-]*",
    "timespan": _DIGITS,
}
"""What a part of the text of a value of each type can be, in lower case."""


def every_column(relation: Relation, node: syntax.Binary) -> syntax.Expression:
    """`* operator text` as the same test of each column of strings and dynamics.

    Kusto says that the text is looked for in any column, and not how a number is read: a text that
    could be a part of a number or a time is refused where there is such a column.
    """
    at = node.at
    if node.operator.startswith("!") or not _is_text(node.right):
        raise UnsupportedProblem(f"'* {node.operator}'", at, "name the column")
    text = str(node.right.value).lower()  # type: ignore[attr-defined]
    if node.operator == "matches regex":
        text = re.sub(r"\(\?i\)|\\b|\.\*|\\", "", text)
    tests: list[syntax.Expression] = []
    for column in relation.columns:
        if column.type in ("string", "dynamic"):
            name = syntax.Name(at, column.name)
            tests.append(syntax.Binary(at, node.operator, name, node.right))
        elif re.fullmatch(_OF_VALUES[column.type], text):
            raise UnsupportedProblem(
                f"'* {node.operator}' with a text that the {column.type} '{column.name}' may hold",
                at,
                "name the columns",
            )
    found: syntax.Expression = syntax.Literal(at, "bool", value=False)
    for test in reversed(tests):
        found = syntax.Binary(at, "or", test, found)
    return found


def with_columns_for_stars(node: syntax.Expression, relation: Relation) -> syntax.Expression:
    """`node` with each `* operator text` in it as tests of the columns of `relation`."""
    if isinstance(node, syntax.Call) and node.name == "not":
        inner = with_columns_for_stars(node.arguments[0].value, relation)  # type: ignore[arg-type]
        return syntax.Call(node.at, "not", (syntax.Argument(None, inner),))
    if not isinstance(node, syntax.Binary):
        return node
    if isinstance(node.left, syntax.Star):
        return every_column(relation, node)
    if node.operator not in ("and", "or"):
        return node
    left, right = (with_columns_for_stars(side, relation) for side in (node.left, node.right))
    return syntax.Binary(node.at, node.operator, left, right)


def _is_text(node: syntax.Expression) -> bool:
    return isinstance(node, syntax.Literal) and node.type == "string"
