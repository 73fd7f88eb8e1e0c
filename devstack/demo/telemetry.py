"""The demo's raw data: the control plane's own Prometheus metrics, extended back in time.

adx-mon keeps each metric in a table of its own, one row per sample: `Timestamp, SeriesId, Labels,
Value`. The series and their newest values are scraped from the demo's API server. That server has
just started, so a seeded generator makes the samples of the three days before.
"""

import csv
import hashlib
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from azure.kusto.data import KustoClient
from prometheus_client.parser import text_string_to_metric_families

from summaryrule.api.instant import TICKS_PER_SECOND, Instant

METRIC: Final = "apiserver_request_total"
TABLE: Final = "ApiserverRequestTotal"
SCHEMA: Final = "Timestamp:datetime, SeriesId:long, Labels:dynamic, Value:real"
SEED: Final = 20261124
STEP_TICKS: Final = 300 * TICKS_PER_SECOND
SERIES: Final = 24
BATCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: its labels and the value that was scraped."""

    labels: dict[str, str]
    value: int

    @property
    def id(self) -> int:
        """A stable 63-bit hash of the labels, like adx-mon's SeriesId."""
        text = json.dumps(self.labels, sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def parse_series(exposition: str) -> list[Series]:
    """Return the series of the metric with the highest values in a Prometheus text exposition."""
    found = [
        Series(dict(sample.labels), int(sample.value))
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == METRIC
    ]
    return sorted(found, key=lambda each: (-each.value, each.id))[:SERIES]


def generate_samples(
    series: list[Series], start: Instant, end: Instant
) -> Iterator[tuple[str, int, str, int]]:
    """Yield rows of `[start, end)`: one sample per series every five minutes, values rising."""
    generator = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    for each in series:
        labels, value = json.dumps(each.labels, sort_keys=True), each.value
        for ticks in range(start.ticks, end.ticks, STEP_TICKS):
            value += generator.randrange(0, 2 + each.value // 10)
            yield str(Instant(ticks)), each.id, labels, value


def load(client: KustoClient, database: str, rows: Iterator[tuple[str, int, str, int]]) -> int:
    """Create the table and ingest the rows; return the number of rows."""
    client.execute_mgmt(database, f".create table {TABLE} ({SCHEMA})")
    count, batch = 0, list[tuple[str, int, str, int]]()
    for row in rows:
        batch.append(row)
        count += 1
        if len(batch) == BATCH:
            _ingest(client, database, batch)
            batch = []
    if batch:
        _ingest(client, database, batch)
    return count


def _ingest(client: KustoClient, database: str, batch: list[tuple[str, int, str, int]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(batch)
    client.execute_mgmt(database, f".ingest inline into table {TABLE} <|\n{text.getvalue()}")
