"""Compares the engine with the evaluator: `python -m tests.emulator.fuzz.runner 20000`."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from emulator.catalog import Catalog
from emulator.errors import KustoError
from emulator.kql import Scope, run, translate
from emulator.store import Store
from tests.emulator.fuzz.evaluator import bag_of, freeze
from tests.emulator.fuzz.generator import Generator, Query

SCOPE = Scope(Catalog({"Fuzz": {}}), "Fuzz", datetime(2026, 11, 1, tzinfo=UTC), {})


def answered(cursor: DuckDBPyConnection, text: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The columns and rows that the engine gives."""
    table = run(cursor, translate(text, SCOPE))
    columns = {column.name: column.scalar.name for column in table.columns}
    rows = []
    for values in table.rows:
        row = {}
        for (name, kind), value in zip(columns.items(), values, strict=True):
            row[name] = json.loads(value) if kind == "dynamic" and value is not None else value
        rows.append(row)
    return columns, rows


def difference(cursor: DuckDBPyConnection, query: Query) -> str | None:
    """What is not as the evaluator says, None when all is."""
    try:
        columns, rows = answered(cursor, query.text)
    except KustoError as error:
        return f"refused: {error}"
    except duckdb.Error as error:
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN TRANSACTION")
        # A number past 64 bits is refused, which docs/emulator.md says.
        return None if isinstance(error, duckdb.OutOfRangeException) else f"failed: {error}"
    if columns != query.columns:
        return f"columns {columns} instead of {query.columns}"
    names = list(columns)
    if query.is_sorted:
        got = [tuple(freeze(row[name]) for name in names) for row in rows]
        wanted = [tuple(freeze(row[name]) for name in names) for row in query.rows]
    else:
        got, wanted = bag_of(rows, names), bag_of(query.rows, names)
    return None if got == wanted else f"rows {got} instead of {wanted}"


def differences(seeds: range, most: int = 5) -> list[str]:
    """The differences of the queries of `seeds`, at most `most`."""
    store = Store(None)
    found: list[str] = []

    def work(cursor: DuckDBPyConnection) -> None:
        for seed in seeds:
            query = Generator(seed).query()
            what = difference(cursor, query)
            if what is not None:
                found.append(f"seed {seed}: {what}\n{query.text}")
                if len(found) >= most:
                    return

    try:
        store.apply(work)
    finally:
        store.close()
    return found


def main() -> int:
    """Print each difference; 1 when there is one."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    found = differences(range(first, first + count))
    for one in found:
        print(one, end="\n\n")  # noqa: T201 - a command
    print(f"{count} queries, {len(found)} differences")  # noqa: T201 - a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
