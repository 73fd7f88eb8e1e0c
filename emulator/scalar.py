"""Kusto's ten scalar types, each with the DuckDB type that holds it here.

Read by everything that creates a column, reads a value or names a type to a client.
Source of the names: Kusto docs, "Scalar data types".
"""

from dataclasses import dataclass
from typing import Final

from emulator.errors import KustoSemanticError


@dataclass(frozen=True)
class Scalar:
    """One type: `name` as KQL writes it, `duckdb` as stored, `dotnet` as a v1 reply labels it."""

    name: str
    duckdb: str
    dotnet: str


_ALL: Final = (
    Scalar("bool", "BOOLEAN", "SByte"),
    Scalar("datetime", "BIGINT", "DateTime"),
    Scalar("decimal", "DECIMAL(38,9)", "SqlDecimal"),
    Scalar("dynamic", "JSON", "Object"),
    Scalar("guid", "UUID", "Guid"),
    Scalar("int", "INTEGER", "Int32"),
    Scalar("long", "BIGINT", "Int64"),
    Scalar("real", "DOUBLE", "Double"),
    Scalar("string", "VARCHAR", "String"),
    Scalar("timespan", "BIGINT", "TimeSpan"),
)
_BY_NAME: Final = {scalar.name: scalar for scalar in _ALL}
_ALIASES: Final = {
    "boolean": "bool",
    "date": "datetime",
    "double": "real",
    "time": "timespan",
    "uniqueid": "guid",
    "uuid": "guid",
}


def named(name: str) -> Scalar:
    """The type that KQL calls `name`; raises KustoSemanticError for any other word."""
    key = name.lower()
    scalar = _BY_NAME.get(_ALIASES.get(key, key))
    if scalar is None:
        raise KustoSemanticError(f"'{name}' is no Kusto type; write one of {', '.join(_BY_NAME)}")
    return scalar


_OF_DUCKDB: Final = {
    "BIGINT": "long",
    "BOOLEAN": "bool",
    "DOUBLE": "real",
    "HUGEINT": "long",
    "INTEGER": "int",
    "INTERVAL": "timespan",
    "JSON": "dynamic",
    "TIMESTAMP": "datetime",
    "UUID": "guid",
    "VARCHAR": "string",
}


def of_duckdb(duckdb_type: object) -> Scalar:
    """The Kusto type of a DuckDB column that says no other."""
    name = str(duckdb_type)
    if name.startswith("DECIMAL"):
        return _BY_NAME["decimal"]
    return _BY_NAME[_OF_DUCKDB.get(name, "dynamic" if name.endswith("[]") else "string")]


def expression_of(column: str, scalar: Scalar, stored: str) -> str:
    """SQL for a stored column as the engine computes with it: times as ticks of 100 ns.

    `stored` is the column's DuckDB type. Data folders of release 0.1.0 hold TIMESTAMP and INTERVAL.
    """
    if stored == "TIMESTAMP":
        return f"__emulator.ticks({column})"
    if stored == "INTERVAL":
        return f"(epoch_us({column}) * 10)"
    if stored in ("JSON", "HUGEINT"):
        return f"{column}::{'VARCHAR' if stored == 'JSON' else 'BIGINT'}"
    return f"coalesce({column}, '')" if scalar.name == "string" else column


def stored_of(value: str, stored: str) -> str:
    """SQL for what the engine computed as a column of the DuckDB type `stored` holds it."""
    if stored == "TIMESTAMP":
        return f"__emulator.ts({value})"
    if stored == "INTERVAL":
        return f"to_microseconds({value} // 10)"
    return f"{value}::{stored}"
