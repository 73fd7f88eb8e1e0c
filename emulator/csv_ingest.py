"""CSV text into a table's columns: the data part of `.ingest inline`.

All values of a column go to DuckDB as one list and are converted there, so that 20,000 rows take a
fraction of a second. A value that its type cannot hold becomes null, as in Kusto; a row with the
wrong number of fields is refused with its number.
"""

import csv
import io
from collections.abc import Sequence
from typing import Final

from duckdb_kql.timespans import ticks

from emulator.errors import KustoError, UnsupportedError
from emulator.responses import Column

_DELIMITERS: Final = {"csv": ",", "tsv": "\t", "psv": "|"}
_CAST: Final = {
    "bool": "TRY_CAST(nullif({0}, '') AS BOOLEAN)",
    "datetime": "TRY_CAST(nullif({0}, '') AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
    "decimal": "TRY_CAST(nullif({0}, '') AS DECIMAL(38,9))",
    "dynamic": "coalesce(TRY_CAST(nullif({0}, '') AS JSON), to_json(nullif({0}, '')))",
    "guid": "TRY_CAST(nullif({0}, '') AS UUID)",
    "int": "TRY_CAST(nullif({0}, '') AS INTEGER)",
    "long": "TRY_CAST(nullif({0}, '') AS BIGINT)",
    "real": "TRY_CAST(nullif({0}, '') AS DOUBLE)",
    "string": "{0}",
    "timespan": "to_microseconds(TRY_CAST({0} AS BIGINT))",
}


def parse_records(data: str, form: str, *, skip_first: bool) -> list[list[str]]:
    """The records of `data`, which is in `form`; blank lines are none."""
    delimiter = _DELIMITERS.get(form.lower())
    if delimiter is None:
        raise UnsupportedError(f"inline data in format '{form}'", "write csv, tsv or psv")
    csv.field_size_limit(2**31 - 1)
    records = [record for record in csv.reader(io.StringIO(data), delimiter=delimiter) if record]
    return records[1:] if skip_first else records


def to_columns(records: list[list[str]], columns: Sequence[Column]) -> list[list[str]]:
    """`records` turned into one list a column; raises KustoError for a record of another width."""
    width = len(columns)
    for number, record in enumerate(records, 1):
        if len(record) != width:
            raise KustoError(
                f"record {number} of the inline data has {len(record)} fields and the table has "
                f"{width} columns."
            )
    lists = [list(values) for values in zip(*records, strict=True)]
    for position, column in enumerate(columns if lists else ()):
        if column.scalar.name == "timespan":
            lists[position] = [_microseconds(text) for text in lists[position]]
    return lists


def _microseconds(text: str) -> str:
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        return str(sign * ticks(body) // 10)
    except ValueError:
        return ""


def select_sql(columns: Sequence[Column]) -> str:
    """SQL for the rows, with one list placeholder a column."""
    unnested = ", ".join(f"unnest(${number + 1}) AS c{number}" for number in range(len(columns)))
    cast = ", ".join(
        _CAST[column.scalar.name].format(f"c{number}") for number, column in enumerate(columns)
    )
    return f"(SELECT {cast} FROM (SELECT {unnested}))"  # noqa: S608 - no text of the caller's
