"""Compares the summary table row by row with a direct query over the raw table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from azure.kusto.data import KustoClient

from devstack.demo.rules import HOUR, SUMMARY, direct_query
from summaryrule.api.instant import Instant
from summaryrule.api.windows import Window, floor

_COLUMNS: Final = ("Timestamp", "Verb", "Resource", "Code", "Samples", "Requests")
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result: windows that are `complete`, expected `rows`, `missing` and `doubled` rows."""

    windows: int
    complete: int
    rows: int
    missing: int
    doubled: int

    @property
    def is_exact(self) -> bool:
        """Whether every expected row is stored once and no other row is stored."""
        return self.windows == self.complete and not self.missing and not self.doubled

    def __str__(self) -> str:
        return (
            f"{self.complete}/{self.windows} windows, {self.rows} rows,"
            f" {self.missing} missing, {self.doubled} doubled"
        )


def compare(
    client: KustoClient, database: str, windows: Iterable[Window], aggregation: str
) -> Comparison:
    """Compare the summary rows of `windows` with one direct query over the raw table."""
    wanted = sorted(windows)
    query = direct_query(wanted[0].start, wanted[-1].end, aggregation)
    starts = {window.start for window in wanted}
    expected = Counter(row for row in _rows(client, database, query) if _window(row) in starts)
    stored = Counter(_rows(client, database, f"{SUMMARY} | project {', '.join(_COLUMNS)}"))
    missing, doubled = expected - stored, stored - expected
    incomplete = {_window(row) for row in (*missing, *doubled)}
    complete = sum(1 for start in starts if start not in incomplete and _has(expected, start))
    return Comparison(len(wanted), complete, expected.total(), missing.total(), doubled.total())


def _rows(client: KustoClient, database: str, query: str) -> list[Row]:
    table = client.execute_query(database, query).primary_results[0]
    names = [each["ColumnName"] for each in table.raw_columns]
    columns = [names.index(name) for name in _COLUMNS]
    return [tuple(row[column] for column in columns) for row in table.raw_rows]


def _window(row: Row) -> Instant:
    return floor(Instant.parse(row[0]), HOUR)


def _has(rows: Counter[Row], start: Instant) -> bool:
    return any(_window(row) == start for row in rows)
