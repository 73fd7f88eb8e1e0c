"""Reviews answered and the time they took, counted for Prometheus in a microsecond.

prometheus-client takes a lock for each bucket of a histogram and looks for it from the first; a
decision takes tens of microseconds, so that would show. One thread answers all reviews and the
scrapes. `webhook.metrics` registers a tally as a collector.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
# A decision takes tens of microseconds; the API server gives up after seconds.
_BUCKETS: Final = (2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 1.0, 5.0)
_BOUNDS: Final = (*map(str, _BUCKETS), "+Inf")


class _Series:
    """How many took how long, by bucket, and how many seconds in all."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BOUNDS)
        self.seconds = 0.0


class Tally(Collector):
    """Counts by path, operation and decision; durations by path."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._series: dict[tuple[str, str, str], _Series] = {}

    def add(self, path: str, operation: str, decision: str, seconds: float) -> None:
        """Count one review answered on ``path`` after ``seconds``."""
        key = (path, operation if operation in OPERATIONS else "other", decision)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.buckets[bisect_left(_BUCKETS, seconds)] += 1
        series.seconds += seconds

    def collect(self) -> Iterable[Metric]:
        """Both families, for a scrape."""
        labels = ("path", "operation", "decision")
        counter = CounterMetricFamily(
            f"{self._prefix}_requests", "Admission reviews answered.", labels=labels
        )
        for key, series in self._series.items():
            counter.add_metric(key, sum(series.buckets))
        yield counter
        yield self._durations()

    def _durations(self) -> Metric:
        family = HistogramMetricFamily(
            f"{self._prefix}_request_duration_seconds",
            "Time from the whole body to the answer.",
            labels=("path",),
        )
        for path in dict.fromkeys(path for path, _, _ in self._series):
            mine = [series for (of, _, _), series in self._series.items() if of == path]
            counts = accumulate(map(sum, zip(*(each.buckets for each in mine), strict=True)))
            buckets = list(zip(_BOUNDS, counts, strict=True))
            family.add_metric((path,), buckets, sum(each.seconds for each in mine))
        return family
