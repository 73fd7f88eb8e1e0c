"""Bound expressions: SQL with the Kusto type of its value.

How a value of each Kusto type looks in SQL:

    bool BOOLEAN · int INTEGER · long BIGINT · real DOUBLE · decimal DECIMAL(38,9) · guid UUID
    string VARCHAR, never NULL
    datetime BIGINT, ticks of 100 ns from 0001-01-01 · timespan BIGINT, ticks
    dynamic VARCHAR that holds JSON, NULL for a dynamic null
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from emulator.engine import literals

NOT_CONSTANT: Final = object()
SQL_TYPES: Final = {
    "bool": "BOOLEAN",
    "datetime": "BIGINT",
    "decimal": "DECIMAL(38,9)",
    "dynamic": "VARCHAR",
    "guid": "UUID",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "string": "VARCHAR",
    "timespan": "BIGINT",
}
INTEGERS: Final = ("int", "long")
NUMBERS: Final = ("int", "long", "real", "decimal")


@dataclass(frozen=True)
class Typed:
    """`sql` whose value has the Kusto type `type`; `constant` is its value when it is a literal.

    `windowed`: the SQL has a window function. `name` is the column name that Kusto gives an
    unnamed column of it, None for `ColumnN`.
    """

    sql: str
    type: str
    constant: Any = NOT_CONSTANT
    windowed: bool = False
    name: str | None = None

    @property
    def is_constant(self) -> bool:
        """Whether the value is known before the query runs."""
        return self.constant is not NOT_CONSTANT

    @property
    def is_null(self) -> bool:
        """Whether it is a null literal."""
        return self.constant is None

    def named(self, name: str | None) -> "Typed":
        """The same value with another column name."""
        return Typed(self.sql, self.type, self.constant, self.windowed, name)


def quote(text: str) -> str:
    """A SQL string literal."""
    if "\0" in text:
        parts = text.split("\0")
        return "(" + " || chr(0) || ".join(quote(part) for part in parts) + ")"
    return "'" + text.replace("'", "''") + "'"


def constant(kind: str, value: Any) -> Typed:  # noqa: ANN401 - a value of any Kusto type
    """The literal of type `kind`."""
    if kind == "string" and value is None:
        value = ""
    return Typed(_literal_sql(kind, value), kind, value)


def _literal_sql(kind: str, value: Any) -> str:  # noqa: ANN401 - a value of any Kusto type
    if value is None:
        return f"NULL::{SQL_TYPES[kind]}"
    if kind == "string":
        return quote(str(value))
    if kind == "dynamic":
        return quote(literals.to_json(value))
    if kind == "bool":
        return "true" if value else "false"
    if kind == "guid":
        return f"{quote(str(value))}::UUID"
    if kind == "decimal":
        return f"{quote(str(Decimal(value)))}::DECIMAL(38,9)"
    if kind == "real":
        return f"{quote(repr(float(value)))}::DOUBLE"
    if kind in ("long", "datetime", "timespan"):
        if value < 0:
            return (
                f"({value}::BIGINT)" if value != -(2**63) else "(-9223372036854775807::BIGINT - 1)"
            )
        return f"{value}::BIGINT"
    return f"({value})::INTEGER"


def null(kind: str) -> Typed:
    """The null of `kind`; an empty string for strings."""
    return constant(kind, None)
