"""What Prometheus sees of this process (names follow prometheus.io/docs/practices/naming).

The endpoints count through `Metrics`. Nothing is global: each server has its own registry.
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
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from summaryrule.api.field_errors import FieldError
from webhook.tally import Tally

PREFIX: Final = "summaryrule_webhook"
_MOST_FIELDS: Final = 100


class Metrics:
    """Counters and gauges of one server; ``answered`` is `Tally.add`."""

    def __init__(self) -> None:
        # NB: prometheus-client 0.26 has this switch for the whole process only, untyped.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        tally = Tally(PREFIX)
        self.registry.register(tally)
        self.answered = tally.add
        self._violations: dict[tuple[str, str], Counter] = {}
        self._violated = self._counter("violations", "Violations found.", "field", "reason")
        self._refused = self._counter(
            "refused_requests", "HTTP requests answered 4xx or 5xx unjudged.", "path", "code"
        )
        self._gauge("build_info", "Always 1.", version=_version(), python=python_version()).set(1)

    def violated(self, violation: FieldError) -> None:
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
