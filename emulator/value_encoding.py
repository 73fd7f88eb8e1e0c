"""DuckDB values as Kusto puts them on the wire.

Datetimes have seven fraction digits and `Z`, timespans are `[-][d.]hh:mm:ss[.fffffff]`, a null
string is the empty string, dynamic values are JSON itself. Source: Kusto docs, "Query V2 HTTP
response", and what azure-kusto-data 6.0.4 parses.
"""

import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

Value = Any


def datetime_text(value: datetime) -> str:
    """`2026-11-01T00:00:00.0000000Z`; `value` is naive UTC."""
    return f"{value.isoformat(timespec='microseconds')}0Z"


def timespan_text(value: timedelta) -> str:
    """`-1.02:03:04.0000050`, days and fraction only where there are any."""
    sign, rest = ("-", -value) if value < timedelta(0) else ("", value)
    hours, seconds = divmod(rest.seconds, 3600)
    text = f"{hours:02}:{seconds // 60:02}:{seconds % 60:02}"
    days = f"{rest.days}." if rest.days else ""
    fraction = f".{rest.microseconds:06}0" if rest.microseconds else ""
    return f"{sign}{days}{text}{fraction}"


def _datetime(value: date | str) -> str:
    if isinstance(value, datetime):
        return datetime_text(value.replace(tzinfo=None))
    return f"{value}T00:00:00.0000000Z" if isinstance(value, date) else str(value)


def _timespan(value: timedelta | str) -> str:
    return timespan_text(value) if isinstance(value, timedelta) else str(value)


def _real(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _inner(value: Value) -> Value:
    if isinstance(value, dict):
        return {str(key): _inner(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_inner(item) for item in value]
    if isinstance(value, datetime):
        return _datetime(value)
    if isinstance(value, timedelta):
        return timespan_text(value)
    if isinstance(value, float):
        return _real(value)
    return str(value) if isinstance(value, Decimal | UUID) else value


def _dynamic(value: Value) -> Value:
    if not isinstance(value, str):
        return _inner(value)
    try:
        return json.loads(value)
    except ValueError:
        return value


def _same(value: Value) -> Value:
    return value


_ENCODERS: Final[dict[str, Callable[[Any], Value]]] = {
    "bool": _same,
    "datetime": _datetime,
    "decimal": str,
    "dynamic": _dynamic,
    "guid": str,
    "int": _same,
    "long": _same,
    "real": _real,
    "string": str,
    "timespan": _timespan,
}


def encode(rows: list[tuple[Value, ...]], types: list[str]) -> list[list[Value]]:
    """`rows` of DuckDB values as JSON-ready rows, by the Kusto type of each column."""
    encoders = [_ENCODERS[name] for name in types]
    nulls = ["" if name == "string" else None for name in types]
    return [
        [
            null if value is None else encoder(value)
            for value, encoder, null in zip(row, encoders, nulls, strict=True)
        ]
        for row in rows
    ]
