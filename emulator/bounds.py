"""Keeps comparisons right when a datetime literal has a seventh fraction digit.

Stored datetimes have microseconds; a rule's `_endTime` is one 100 ns tick before the window's end
(`…59.9999999Z`). NB: duckdb-kql 1.1.2 cuts that digit wherever it stands. Cutting is right for an
upper bound: `t <= x.9999999` and `t <= x.999999` hold for the same stored values. It is wrong for
a lower bound, so here such a literal is raised to the next microsecond. So windows that meet at
any tick take each row exactly once. Elsewhere a literal's last digit is cut, as a stored value's
is; `==` with such a literal could only be wrong, and is refused.
"""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from duckdb_kql import ir

from emulator.errors import Unsupported
from emulator.tree import Node, rewrite

_DIGITS: Final = re.compile(r"(.*:\d{2}\.\d{6})(\d+)(.*)")


def raised(expression: ir.Expr) -> ir.Expr:
    """`expression` as a lower bound: sub-microsecond digits in it raised, not cut."""
    if isinstance(expression, ir.Literal):
        return _raised_literal(expression)
    if isinstance(expression, ir.LetRef):
        return dataclasses.replace(expression, value=raised(expression.value))
    if isinstance(expression, ir.BinaryOp) and expression.op in ("+", "-"):
        return dataclasses.replace(expression, left=raised(expression.left))
    return expression


def _has_ticks(literal: ir.Literal) -> re.Match[str] | None:
    if literal.kind != "datetime" or not isinstance(literal.value, str):
        return None
    found = _DIGITS.fullmatch(literal.value)
    return found if found and found[2].strip("0") else None


def _raised_literal(literal: ir.Literal) -> ir.Literal:
    found = _has_ticks(literal)
    if found is None:
        return literal
    moment = datetime.fromisoformat(found[1] + found[3].strip()) + timedelta(microseconds=1)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return ir.Literal(moment.isoformat(timespec="microseconds") + "Z", "datetime")


def _value(expression: ir.Expr) -> ir.Expr:
    return _value(expression.value) if isinstance(expression, ir.LetRef) else expression


def _refuse_equality(node: ir.BinaryOp) -> None:
    for side in (_value(node.left), _value(node.right)):
        if isinstance(side, ir.Literal) and _has_ticks(side):
            raise Unsupported(
                f"'{node.op}' with datetime({side.value})",
                "datetimes have microseconds here, so nothing can equal 100 ns ticks; "
                "write six fraction digits or a range",
            )


def _bound(node: Node) -> Node:
    if isinstance(node, ir.Between):
        return dataclasses.replace(node, low=raised(node.low))
    if not isinstance(node, ir.BinaryOp):
        return node
    if node.op in (">=", "<"):
        return dataclasses.replace(node, right=raised(node.right))
    if node.op in ("<=", ">"):
        return dataclasses.replace(node, left=raised(node.left))
    if node.op in ("==", "!=", "<>"):
        _refuse_equality(node)
    return node


def with_exact_bounds(query: ir.Query) -> ir.Query:
    """`query` with every lower bound raised to a whole microsecond."""
    changed: ir.Query = rewrite(query, _bound)
    return changed
