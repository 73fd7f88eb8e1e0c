"""`range` with constant integers as a stream of rows.

NB: duckdb-kql 1.1.2 renders `range i from 1 to 4000000000 step 1` as one list of that many values,
which takes the machine's memory and cannot be interrupted. DuckDB's table function streams them.
Other ranges (datetimes, computed bounds) stay as they are: they are written by hand and short.
"""

from duckdb_kql import ir

from emulator.catalog import quoted
from emulator.tree import Node, rewrite


def streamed(query: ir.Query) -> ir.Query:
    """`query` with each such range replaced."""
    changed: ir.Query = rewrite(query, _streamed)
    return changed


def _streamed(node: Node) -> Node:
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
