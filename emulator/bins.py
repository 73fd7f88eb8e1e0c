"""`bin()` and `floor()` on the grid that Kusto counts: from 0001-01-01T00:00:00Z.

NB: duckdb-kql 1.1.2 counts datetimes from 1970 (weekly bins start on Thursday, not Monday), bins
through doubles (a millisecond can fall one bin early) and reads a timespan column as a datetime.
So its entry for the two functions is replaced, once, by `install`, with calls of SQL macros that
compute on whole microseconds; `emulator.store` creates the macros.
"""

from typing import Final

from duckdb_kql import ir, translate
from duckdb_kql.errors import KqlUnsupportedError

_EPOCH: Final = 62_135_596_800_000_000
"""Microseconds from 0001-01-01 to 1970-01-01."""

MACROS: Final = f"""CREATE OR REPLACE MACRO __emulator.bin(v TIMESTAMP, r INTERVAL) AS
        make_timestamp(epoch_us(v) - (epoch_us(v) + {_EPOCH}) % nullif(epoch_us(r), 0)),
      (v INTERVAL, r INTERVAL) AS to_microseconds(epoch_us(v)
        - ((epoch_us(v) % nullif(epoch_us(r), 0)) + epoch_us(r)) % nullif(epoch_us(r), 0))"""


def _is_timespan(node: ir.Expr) -> bool:
    if isinstance(node, ir.LetRef):
        return _is_timespan(node.value)
    return bool(translate._is_timespan_expr(node))  # noqa: SLF001 - the only place that knows


def _render(node: ir.FunctionCall) -> str:
    if len(node.args) != 2:  # noqa: PLR2004 - bin(value, size)
        raise KqlUnsupportedError(node.name, hint="expects (value, size)")
    value, size = node.args
    if not _is_timespan(size):
        return str(translate.render_bin(node, name=node.name.lower()))
    rendered = (translate.render_expr(value), translate.render_expr(size))
    return f"__emulator.bin({rendered[0]}, {rendered[1]})"


def install() -> None:
    """Make duckdb-kql render `bin` and `floor` with the macros; idempotent, process-wide."""
    for name in ("bin", "floor"):
        translate._SPECIAL_FORMS[name] = _render  # noqa: SLF001 - its one extension point
