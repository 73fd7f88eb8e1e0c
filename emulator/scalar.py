"""Kusto's ten scalar types, each with the DuckDB type that holds it here.

Read by everything that creates a column, reads a value or names a type to a client.
Source of the names: Kusto docs, "Scalar data types".
"""

from dataclasses import dataclass
from typing import Final

from duckdb_kql.types import kusto_type

from emulator.errors import KustoSemanticError


@dataclass(frozen=True)
class Scalar:
    """One type: `name` as KQL writes it, `duckdb` as stored, `dotnet` as a v1 reply labels it."""

    name: str
    duckdb: str
    dotnet: str


# NB: a DuckDB TIMESTAMP holds microseconds, Kusto's datetime 100 ns ticks: the seventh digit of a
# stored datetime is dropped. `emulator.duckdb_kql_fixes` keeps comparisons with such bounds right.
_ALL: Final = (
    Scalar("bool", "BOOLEAN", "SByte"),
    Scalar("datetime", "TIMESTAMP", "DateTime"),
    Scalar("decimal", "DECIMAL(38,9)", "SqlDecimal"),
    Scalar("dynamic", "JSON", "Object"),
    Scalar("guid", "UUID", "Guid"),
    Scalar("int", "INTEGER", "Int32"),
    Scalar("long", "BIGINT", "Int64"),
    Scalar("real", "DOUBLE", "Double"),
    Scalar("string", "VARCHAR", "String"),
    Scalar("timespan", "INTERVAL", "TimeSpan"),
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


def of_duckdb(duckdb_type: object) -> Scalar:
    """The Kusto type of a DuckDB column; composites are dynamic, unknown ones string."""
    return _BY_NAME[kusto_type(duckdb_type)]
