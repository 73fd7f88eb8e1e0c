"""`python -m bench.endpoint`: six rule-shaped queries on the endpoint and in SQL, and appends.

Both run in one process on the same rows in memory, so that the ratio is what the translation costs:
parsing, types, ticks of 100 ns, and Kusto's nulls. Appends go over HTTP to an endpoint of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from azure.kusto.data import KustoClient
from duckdb import DuckDBPyConnection

from emulator import catalog, tables
from emulator.commands.databases import create
from emulator.kql import Scope, run, translate
from emulator.responses import Column
from emulator.scalar import named
from emulator.store import Store

DATABASE = "Bench"
NOW = datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None)
COLUMNS = {
    "Timestamp": "datetime",
    "Pod": "string",
    "Code": "long",
    "Value": "real",
    "Labels": "dynamic",
}
ROWS = """SELECT TIMESTAMP '2026-11-01' + to_microseconds(i * 8640) AS "Timestamp",
    'pod-' || (i % 500) AS "Pod", 200 + (i % 7) * 50 AS "Code", (i % 1000) / 4.0 AS "Value",
    '{{"zone":"z' || (i % 3) || '"}}' AS "Labels" FROM range({0}) t(i)"""
WINDOW = "between (datetime(2026-11-01T06:00:00Z) .. datetime(2026-11-01T17:59:59.9999999Z))"
SQL_WINDOW = "\"Timestamp\" >= TIMESTAMP '2026-11-01 06:00:00' AND \"Timestamp\" < TIMESTAMP '2026-11-01 18:00:00'"
QUERIES = {
    "count in a window": (
        f"T | where Timestamp {WINDOW} | count",
        f"SELECT count(*) FROM plain WHERE {SQL_WINDOW}",
    ),
    "average by hour and pod": (
        f"T | where Timestamp {WINDOW} | summarize avg(Value), max(Value) by bin(Timestamp, 1h), Pod",
        f"""SELECT time_bucket(INTERVAL 1 HOUR, "Timestamp"), "Pod", avg("Value"), max("Value")
            FROM plain WHERE {SQL_WINDOW} GROUP BY 1, 2""",
    ),
    "error rate by 5 minutes": (
        f"T | where Timestamp {WINDOW} | summarize errors = countif(Code >= 500), total = count() "
        "by bin(Timestamp, 5m) | extend rate = 100.0 * errors / total",
        f"""SELECT *, 100.0 * errors / total FROM (SELECT time_bucket(INTERVAL 5 MINUTE, "Timestamp"),
            count(*) FILTER (WHERE "Code" >= 500) AS errors, count(*) AS total
            FROM plain WHERE {SQL_WINDOW} GROUP BY 1)""",
    ),
    "distinct pods by code": (
        "T | summarize dcount(Pod) by Code",
        'SELECT "Code", count(DISTINCT "Pod") FROM plain GROUP BY 1',
    ),
    "latest value by pod": (
        "T | summarize arg_max(Timestamp, Value) by Pod",
        'SELECT "Pod", max("Timestamp"), arg_max("Value", "Timestamp") FROM plain GROUP BY 1',
    ),
    "count by a label": (
        f"T | where Timestamp {WINDOW} | summarize count() by tostring(Labels.zone)",
        f"""SELECT json_extract_string("Labels", '$.zone'), count(*) FROM plain
            WHERE {SQL_WINDOW} GROUP BY 1""",
    ),
}


def prepare(cursor: DuckDBPyConnection, rows: int) -> None:
    """The same rows twice: as a Kusto table and as a plain one."""
    create(cursor, DATABASE, NOW)
    columns = [Column(name, named(kind)) for name, kind in COLUMNS.items()]
    tables.create(cursor, catalog.read(cursor), (DATABASE, "T"), columns)
    cursor.execute(f"CREATE TABLE plain AS {ROWS.format(rows)}")
    cursor.execute(
        f'INSERT INTO "{DATABASE}"."T" SELECT __emulator.ticks("Timestamp"), "Pod", "Code", "Value", '
        '"Labels", 1 FROM plain'
    )


def timed(work: Callable[[], object], runs: int) -> float:
    """The median of the wall times of `runs` runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def answer(cursor: DuckDBPyConnection, kql: str, scope: Scope) -> None:
    """The rows of a query, as the endpoint gets them."""
    run(cursor, translate(kql, scope))


def fetch(cursor: DuckDBPyConnection, sql: str) -> None:
    """The rows of a SQL query."""
    cursor.execute(sql).fetchall()


def compare(cursor: DuckDBPyConnection, runs: int) -> None:
    """Print a table of the six queries."""
    scope = Scope(catalog.read(cursor), DATABASE, NOW, {})
    print("| Query | endpoint, ms | SQL, ms | ratio |\n|---|---|---|---|")
    for name, (kql, sql) in QUERIES.items():
        ours = timed(partial(answer, cursor, kql, scope), runs)
        plain = timed(partial(fetch, cursor, sql), runs)
        print(f"| {name} | {ours * 1000:.0f} | {plain * 1000:.0f} | {ours / plain:.2f} |")


def appends(seconds: float) -> float:
    """Appends a minute that one client makes, each of one row, over HTTP to a data folder."""
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / "port"
        command = [sys.executable, "-m", "emulator", "--port", "0", "--port-file", str(port)]
        process = subprocess.Popen(  # noqa: S603 - our own endpoint
            [*command, "--data", folder], stdout=subprocess.DEVNULL
        )
        try:
            while not port.exists():
                time.sleep(0.05)
            client = KustoClient(f"http://127.0.0.1:{port.read_text().strip()}")
            client.execute_mgmt("Telemetry", ".set-or-append A <| print v = 0")
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                client.execute_mgmt("Telemetry", f".set-or-append A <| print v = {count}")
                count += 1
            return count * 60 / (time.perf_counter() - start)
        finally:
            process.terminate()
            process.wait(30)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    store = Store(None)

    def work(cursor: DuckDBPyConnection) -> None:
        prepare(cursor, arguments.rows)
        compare(cursor, arguments.runs)

    store.apply(work)
    print(f"\n{appends(10):.0f} appends a minute, one client")
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
