"""What Prometheus sees of this process (names follow prometheus.io/docs/practices/naming).

The app counts through `Metrics`; children are looked up once and kept, since a lookup by label
costs more than the count. Nothing is global: each server has its own registry.
"""

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
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

from summaryrule.violation import Violation

PREFIX: Final = "summaryrule_webhook"
OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
# A decision takes tens of microseconds; the API server gives up after seconds.
_BUCKETS: Final = (2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 1, 5)
_MOST_FIELDS: Final = 100


class Metrics:
    """Counters and gauges of one server."""

    def __init__(self) -> None:
        # NB: prometheus-client 0.26 has this switch for the whole process only, untyped.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._observers: dict[tuple[str, str, str], Callable[[float], None]] = {}
        self._violations: dict[tuple[str, str], Counter] = {}
        self._requests = self._counter(
            "requests", "Admission reviews answered.", "path", "operation", "decision"
        )
        self._violated = self._counter("violations", "Violations found.", "field", "reason")
        self._refused = self._counter(
            "refused_requests", "HTTP requests answered 4xx or 5xx unjudged.", "path", "code"
        )
        self._duration = Histogram(
            "request_duration_seconds",
            "Time from the whole body to the answer.",
            ("path",),
            namespace=PREFIX,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._gauge("build_info", "Always 1.", version=_version(), python=python_version()).set(1)

    def answered(self, path: str, operation: str, decision: str, seconds: float) -> None:
        """Count one review answered on ``path`` after ``seconds``."""
        key = (path, operation, decision)
        observe = self._observers.get(key)
        if observe is None:
            observe = self._observers[key] = self._observer(*key)
        observe(seconds)

    def violated(self, violation: Violation) -> None:
        """Count a violation by its field without map keys, so that the series stay few."""
        key = (violation.field.partition("[")[0], violation.reason)
        child = self._violations.get(key)
        if child is None:
            if len(self._violations) >= _MOST_FIELDS:
                key = ("other", violation.reason)
            child = self._violations[key] = self._violated.labels(*key)
        child.inc()

    def refused(self, path: str, code: int) -> None:
        """Count an HTTP request that got no decision."""
        self._refused.labels(path, str(code)).inc()

    def in_flight(self, count: Callable[[], int]) -> None:
        """Ask ``count`` at each scrape how many requests are being handled."""
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

    def _observer(self, path: str, operation: str, decision: str) -> Callable[[float], None]:
        known = operation if operation in OPERATIONS else "other"
        count = self._requests.labels(path, known, decision).inc
        observe = self._duration.labels(path).observe

        def both(seconds: float) -> None:
            count()
            observe(seconds)

        return both

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, text: str, **labels: str) -> Gauge:
        names = tuple(labels)
        gauge = Gauge(name, text, names, namespace=PREFIX, registry=self.registry)
        return gauge.labels(**labels) if labels else gauge


def _version() -> str:
    try:
        return version("summaryrule-operator")
    except PackageNotFoundError:
        return "unknown"
