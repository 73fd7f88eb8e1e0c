"""The rows that examples/sample-data.json makes, and summaries of them, in plain Python.

What the examples' KQL computes is computed here once more, over single samples, so that a window
that is missing, doubled or cut at the wrong tick shows.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.kusto.data import KustoClient

from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.windows import floor

FILE = Path(__file__).parents[2] / "examples" / "sample-data.json"
EPOCH = Instant.parse("2026-01-01T00:00:00Z")
MINUTE = 60 * TICKS_PER_SECOND
HOUR = Duration.parse("1h")
DAY = Duration.parse("24h")
SERVICES = ("checkout", "login", "search")
SLOW = 0.5
SERVER_ERROR = 500

Rows = Counter[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request."""

    time: Instant
    service: str
    code: int
    value: float


def load(kusto: KustoClient) -> None:
    """Put the rows into Kusto; the same ones whenever it is done within the hour."""
    asked = json.loads(FILE.read_text())
    kusto.execute_mgmt(asked["db"], asked["csl"])


def samples(start: Instant, end: Instant) -> Iterator[Sample]:
    """The rows of `[start, end)`, both whole minutes."""
    for ticks in range(start.ticks, end.ticks, MINUTE):
        minute = (ticks - EPOCH.ticks) // MINUTE
        code = SERVER_ERROR if minute % 17 == 0 else 404 if minute % 5 == 0 else 200
        yield Sample(Instant(ticks), SERVICES[minute % 3], code, (minute % 10) / 10)


def counted(
    start: Instant,
    end: Instant,
    key: Callable[[Sample], tuple[Any, ...]],
    where: Callable[[Sample], bool] = lambda _: True,
) -> Rows:
    """One row a group: the key and how many there are."""
    groups = Counter(key(each) for each in samples(start, end) if where(each))
    return Counter((*group, count) for group, count in groups.items())


def hour(sample: Sample) -> Instant:
    return floor(sample.time, HOUR)


def error_rates(start: Instant, end: Instant, grid: Duration) -> Rows:
    """Time, service, requests, errors, rate."""
    every, errors = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for each in samples(start, end):
        group = (floor(each.time, grid), each.service)
        every[group] += 1
        errors[group] += each.code >= SERVER_ERROR
    return Counter(
        (*group, count, errors[group], round(errors[group] / count, 9))
        for group, count in every.items()
    )


def capacity(start: Instant, end: Instant) -> Rows:
    """Service, busiest hour, mean hour of one week."""
    hours = Counter((each.service, hour(each)) for each in samples(start, end))
    by_service = {name: [n for (of, _), n in hours.items() if of == name] for name in SERVICES}
    return Counter(
        (name, max(counts), round(sum(counts) / len(counts), 9))
        for name, counts in by_service.items()
    )


def services(start: Instant, end: Instant) -> Rows:
    """Time, how many services."""
    seen = {(hour(each), each.service) for each in samples(start, end)}
    return Counter(Counter(of for of, _ in seen).items())
