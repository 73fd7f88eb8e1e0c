"""Fixes for what duckdb-kql answers wrongly, each named after what it fixes.

All were seen in duckdb-kql 1.1.2; `FIXES` lists them with that version. A test for each checks
that the library alone still has the fault. When that test fails, the fix can go.
"""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Final

import duckdb
from duckdb_kql import ir, translate
from duckdb_kql.errors import KqlUnsupportedError

from emulator.ast import Node, rewrite, walk
from emulator.catalog import quoted
from emulator.errors import KustoError, UnsupportedError

FIXES: Final = {
    "with_exact_bounds": "1.1.2",
    "install_bin_on_kusto_grid": "1.1.2",
    "with_streamed_ranges": "1.1.2",
    "blank_hidden_string_prefixes": "1.1.2",
    "refuse_unsound": "1.1.2",
}
"""The fixes in this module, each with the upstream version that it was seen in."""

# Seven-digit bounds: duckdb-kql 1.1.2 cuts the seventh fraction digit of a datetime literal.
# Stored datetimes have microseconds, so cutting is right for an upper bound: `t <= x.9999999` and
# `t <= x.999999` hold for the same values. A lower bound is raised to the next microsecond
# instead, so that windows that meet at any tick take each row once. `==` with such a literal is
# refused.

_DIGITS: Final = re.compile(r"(.*:\d{2}\.\d{6})(\d+)(.*)")


def _raise_lower_bound(expression: ir.Expr) -> ir.Expr:
    """`expression` as a lower bound: sub-microsecond digits in it raised, not cut."""
    if isinstance(expression, ir.Literal):
        return _raise_literal(expression)
    if isinstance(expression, ir.LetRef):
        return dataclasses.replace(expression, value=_raise_lower_bound(expression.value))
    if isinstance(expression, ir.BinaryOp) and expression.op in ("+", "-"):
        return dataclasses.replace(expression, left=_raise_lower_bound(expression.left))
    return expression


def _has_ticks(literal: ir.Literal) -> re.Match[str] | None:
    if literal.kind != "datetime" or not isinstance(literal.value, str):
        return None
    found = _DIGITS.fullmatch(literal.value)
    return found if found and found[2].strip("0") else None


def _raise_literal(literal: ir.Literal) -> ir.Literal:
    found = _has_ticks(literal)
    if found is None:
        return literal
    now = datetime.fromisoformat(found[1] + found[3].strip()) + timedelta(microseconds=1)
    if now.tzinfo is not None:
        now = now.astimezone(UTC).replace(tzinfo=None)
    return ir.Literal(now.isoformat(timespec="microseconds") + "Z", "datetime")


def _value(expression: ir.Expr) -> ir.Expr:
    return _value(expression.value) if isinstance(expression, ir.LetRef) else expression


def _refuse_equality(node: ir.BinaryOp) -> None:
    for side in (_value(node.left), _value(node.right)):
        if isinstance(side, ir.Literal) and _has_ticks(side):
            raise UnsupportedError(
                f"'{node.op}' with datetime({side.value})",
                "datetimes have microseconds here, so nothing can equal 100 ns ticks; "
                "write six fraction digits or a range",
            )


def _bound(node: Node) -> Node:
    if isinstance(node, ir.Between):
        return dataclasses.replace(node, low=_raise_lower_bound(node.low))
    if not isinstance(node, ir.BinaryOp):
        return node
    if node.op in (">=", "<"):
        return dataclasses.replace(node, right=_raise_lower_bound(node.right))
    if node.op in ("<=", ">"):
        return dataclasses.replace(node, left=_raise_lower_bound(node.left))
    if node.op in ("==", "!=", "<>"):
        _refuse_equality(node)
    return node


def with_exact_bounds(query: ir.Query) -> ir.Query:
    """`query` with every lower bound raised to a whole microsecond."""
    changed: ir.Query = rewrite(query, _bound)
    return changed


# bin() and floor(): duckdb-kql 1.1.2 counts datetimes from 1970 (weekly bins start on Thursday,
# not Monday), bins through doubles (a millisecond can fall one bin early) and reads a timespan
# column as a datetime. Macros that compute on whole microseconds from 0001-01-01 replace its entry.

_EPOCH: Final = 62_135_596_800_000_000
"""Microseconds from 0001-01-01 to 1970-01-01."""

MACROS: Final = f"""CREATE OR REPLACE MACRO __emulator.bin(v TIMESTAMP, r INTERVAL) AS
        make_timestamp(epoch_us(v) - (epoch_us(v) + {_EPOCH}) % nullif(epoch_us(r), 0)),
      (v INTERVAL, r INTERVAL) AS to_microseconds(epoch_us(v)
        - ((epoch_us(v) % nullif(epoch_us(r), 0)) + epoch_us(r)) % nullif(epoch_us(r), 0))"""


def _is_timespan(node: ir.Expr) -> bool:
    if isinstance(node, ir.LetRef):
        return _is_timespan(node.value)
    return bool(translate._is_timespan_expr(node))  # noqa: SLF001 - the only table_key that knows


def _render_bin(node: ir.FunctionCall) -> str:
    if len(node.args) != 2:  # noqa: PLR2004 - bin(value, size)
        raise KqlUnsupportedError(node.name, hint="expects (value, size)")
    value, size = node.args
    if not _is_timespan(size):
        return str(translate.render_bin(node, name=node.name.lower()))
    rendered = (translate.render_expr(value), translate.render_expr(size))
    return f"__emulator.bin({rendered[0]}, {rendered[1]})"


def install_bin_on_kusto_grid() -> None:
    """Make duckdb-kql render `bin` and `floor` with the macros; idempotent, process-wide."""
    for name in ("bin", "floor"):
        translate._SPECIAL_FORMS[name] = _render_bin  # noqa: SLF001 - its one extension point


# range: duckdb-kql 1.1.2 renders `range i from 1 to 4000000000 step 1` as one list, which takes
# the memory of the machine and cannot be interrupted. DuckDB's table function streams the rows.


def with_streamed_ranges(query: ir.Query) -> ir.Query:
    """`query` with each such range replaced."""
    changed: ir.Query = rewrite(query, _stream_range)
    return changed


def _stream_range(node: Node) -> Node:
    if not isinstance(node, ir.RangeSource):
        return node
    bounds = [_constant(bound) for bound in (node.start, node.stop, node.step)]
    if None in bounds or bounds[2] == 0:
        return node
    series = ", ".join(f"{bound}::BIGINT" for bound in bounds)
    name = quoted(node.name)
    sql = f"SELECT value AS {name} FROM generate_series({series}) AS series(value)"  # noqa: S608
    return ir.CommandSource(sql, (node.name,), "range")


def _constant(bound: ir.Expr) -> int | None:
    if isinstance(bound, ir.LetRef):
        return _constant(bound.value)
    if isinstance(bound, ir.UnaryOp) and bound.op == "-":
        positive = _constant(bound.operand)
        return None if positive is None else -positive
    if isinstance(bound, ir.Literal) and bound.kind in ("long", "int"):
        return bound.value if isinstance(bound.value, int) else None
    return None


# Silent errors: in duckdb-kql 1.1.2 a datetime literal that it cannot read is null, the 3 of
# `make_list(x, 3)` is ignored, `decimal(0.1)` is a double, `h'secret'` is the text `h'secret'`.

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


def blank_hidden_string_prefixes(text: str) -> str:
    """`text` with the `h` of each `h'…'` blanked: it hides a string from logs, nothing else.

    Raises UnsupportedError for a decimal literal.
    """
    return _TOKEN.sub(_plain_token, text)


def _plain_token(found: re.Match[str]) -> str:
    if found["decimal"]:
        raise UnsupportedError("decimal literals", "write a real, or keep decimals in a table")
    return " " if found["hidden"] else found[0]


def refuse_unsound(query: ir.Query) -> None:
    """Raise KustoError for the first unsound construct in `query`."""
    for node in walk(query):
        _refuse_unreadable_datetime(node)
        _refuse_limited_list(node)


def _refuse_unreadable_datetime(node: Node) -> None:
    if not isinstance(node, ir.Literal) or node.kind != "datetime" or node.value is None:
        return
    if not _is_iso(str(node.value)) and _reads_as_null(node):
        raise KustoError(
            f"Syntax error: SYN0002: datetime({node.value}) is no time here; write it as "
            "datetime(2026-01-31T08:30:00Z)."
        )


def _refuse_limited_list(node: Node) -> None:
    if isinstance(node, ir.FunctionCall):
        allowed = _LISTS.get(node.name.lower())
        if allowed is not None and len(node.args) > allowed:
            raise UnsupportedError(f"a size limit in {node.name}()", "leave it out")


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
