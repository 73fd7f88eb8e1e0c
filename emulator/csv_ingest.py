"""CSV text into a table's columns: the data part of `.ingest inline`.

All values of a column go to DuckDB as one list and are converted there, so that 20,000 rows take a
fraction of a second. A value that its type cannot hold becomes null, as in Kusto; a row with the
wrong number of fields is refused with its number.
"""

import csv
import io
from collections.abc import Sequence
from typing import Final

from emulator.errors import KustoError, UnsupportedError
from emulator.responses import Column
from emulator.scalar import stored_of

_DELIMITERS: Final = {"csv": ",", "tsv": "\t", "psv": "|"}
_CAST: Final = {
    "bool": "TRY_CAST(nullif({0}, '') AS BOOLEAN)",
    "datetime": "__emulator.dt_of_text({0})",
    "decimal": "TRY_CAST(nullif({0}, '') AS DECIMAL(38,9))",
    "dynamic": (
        "CASE WHEN {0} = '' THEN NULL WHEN json_valid({0}) THEN json({0}) ELSE to_json({0}) END"
    ),
    "guid": "TRY_CAST(nullif({0}, '') AS UUID)",
    "int": "TRY_CAST(nullif({0}, '') AS INTEGER)",
    "long": "TRY_CAST(nullif({0}, '') AS BIGINT)",
    "real": "TRY_CAST(nullif({0}, '') AS DOUBLE)",
    "string": "{0}",
    "timespan": "k_parse_timespan({0})",
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
    return [list(values) for values in zip(*records, strict=True)]


def select_sql(columns: Sequence[Column], stored: Sequence[str]) -> str:
    """SQL for the rows, with one list placeholder a column."""
    unnested = ", ".join(f"unnest(${number + 1}) AS c{number}" for number in range(len(columns)))
    cast = ", ".join(
        stored_of(_CAST[column.scalar.name].format(f"c{number}"), stored[number])
        for number, column in enumerate(columns)
    )
    return f"(SELECT {cast} FROM (SELECT {unnested}))"  # noqa: S608 - no text of the caller's
