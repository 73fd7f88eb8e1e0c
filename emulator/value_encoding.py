"""DuckDB values as Kusto puts them on the wire.

Datetimes have seven fraction digits and `Z`, timespans are `[-][d.]hh:mm:ss[.fffffff]`, a null
string is the empty string, dynamic values are JSON itself. Source: Kusto docs, "Query V2 HTTP
response", and what azure-kusto-data 6.0.4 parses.
"""

import json
import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from emulator.engine import literals

Value = Any


def datetime_text(value: datetime) -> str:
    """`2026-11-01T00:00:00.0000000Z`; `value` is naive UTC."""
    return literals.datetime_text(literals.datetime_ticks(value))


def _datetime(value: datetime | int) -> str:
    return datetime_text(value) if isinstance(value, datetime) else literals.datetime_text(value)


def _real(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _dynamic(value: Value) -> Value:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _same(value: Value) -> Value:
    return value


_ENCODERS: Final[dict[str, Callable[[Any], Value]]] = {
    "bool": _same,
    "datetime": _datetime,
    "decimal": _decimal,
    "dynamic": _dynamic,
    "guid": str,
    "int": _same,
    "long": _same,
    "real": _real,
    "string": str,
    "timespan": literals.timespan_text,
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
