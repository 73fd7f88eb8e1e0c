"""Prometheus metrics; each server has its own registry.

Names follow https://prometheus.io/docs/practices/naming/.
"""

from collections.abc import Callable
from functools import cache, cached_property
from platform import python_version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from runtime.version import installed_version
from summaryrule.api.field_errors import FieldError

PREFIX: Final = "summaryrule_webhook"
OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
_MAX_FIELDS: Final = 100
# Seconds. A decision takes tens of microseconds; the API server gives up after seconds.
_BUCKETS: Final = (2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 1.0, 5.0)


class Metrics:
    """Counters, gauges and histograms of one server.

    A child of a labelled metric is looked up once and kept: the lookup takes a lock.
    """

    def __init__(self) -> None:
        # NB: prometheus-client 0.26 has this switch for the whole process only, untyped.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("path", "operation", "decision")
        self._requests = cache(
            self._counter("requests", "Admission reviews answered.", *labels).labels
        )
        self._durations = cache(
            Histogram(
                "request_duration_seconds",
                "Time from the whole body to the answer.",
                ("path",),
                namespace=PREFIX,
                registry=self.registry,
                buckets=_BUCKETS,
            ).labels
        )
        self._violations: dict[tuple[str, str], Counter] = {}
        self._violated = self._counter("violations", "Violations found.", "field", "reason")
        self._refused = self._counter(
            "refused_requests", "HTTP requests answered 4xx or 5xx unjudged.", "path", "code"
        )
        self._gauge(
            "build_info", "Always 1.", version=installed_version(), python=python_version()
        ).set(1)

    def observe_review(self, path: str, operation: str, decision: str, seconds: float) -> None:
        """Count a review answered on ``path`` after ``seconds``."""
        self._requests(path, operation if operation in OPERATIONS else "other", decision).inc()
        self._durations(path).observe(seconds)

    def count_violation(self, violation: FieldError) -> None:
        """Count a violation by its field without map keys, so that the series stay few."""
        key = (violation.field.partition("[")[0], violation.reason)
        child = self._violations.get(key)
        if child is None:
            if len(self._violations) >= _MAX_FIELDS:
                key = ("other", violation.reason)
            child = self._violations[key] = self._violated.labels(*key)
        child.inc()

    def count_refusal(self, path: str, code: int) -> None:
        """Count an HTTP request that got no decision."""
        self._refused.labels(path, str(code)).inc()

    def watch_in_flight(self, count: Callable[[], int]) -> None:
        """Read the number of requests in flight from ``count`` at each scrape."""
        self._gauge("requests_in_flight", "Requests being handled.").set_function(count)

    @cached_property
    def leaf_expiry(self) -> Gauge:
        """Unix seconds at which the served certificate ends."""
        return self._gauge("certificate_expiry_timestamp_seconds", "End of the served certificate.")

    @cached_property
    def ca_expiry(self) -> Gauge:
        """Unix seconds at which the CA that signed it ends."""
        return self._gauge("ca_expiry_timestamp_seconds", "End of the CA that signed it.")

    @cached_property
    def bundle_in_sync(self) -> Gauge:
        """1 when both webhook configurations carry a caBundle that the served leaf verifies by."""
        return self._gauge("cabundle_in_sync", "1 if both caBundles verify the served certificate.")

    @cached_property
    def certificate_swaps(self) -> Counter:
        """How often a new certificate was taken into service."""
        return self._counter("certificate_swaps", "Certificates taken into service.")

    @cached_property
    def certificate_failures(self) -> Counter:
        """Passes of the certificate loop that failed; it tries again."""
        return self._counter("certificate_failures", "Failed passes of the certificate loop.")

    def exposition(self) -> bytes:
        """All series in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, text: str, **labels: str) -> Gauge:
        names = tuple(labels)
        gauge = Gauge(name, text, names, namespace=PREFIX, registry=self.registry)
        return gauge.labels(**labels) if labels else gauge
