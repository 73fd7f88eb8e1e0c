"""What Prometheus sees of this process (names follow prometheus.io/docs/practices/naming).

The loop and the adapters count through ``Metrics``; ``worker.health`` serves it. Nothing is
global: each worker has its own registry.
"""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

PREFIX: Final = "summaryrule_worker"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["interval", "backfill"]
WindowResult = Literal["completed", "failed"]

_CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OPERATION_BUCKETS: Final = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """Counters, gauges and histograms of one worker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._windows = self._counter(
            "windows", "Windows by what became of them.", "kind", "result"
        )
        self._operation = self._histogram(
            "operation_duration_seconds", "Time of Kusto operations.", _OPERATION_BUCKETS, "kind"
        )
        self._lag = self._gauge(
            "rule_lag_seconds",
            "Now less the end of the rule's last done window.",
            "namespace",
            "rule",
        )
        self._interval = self._gauge(
            "rule_interval_seconds",
            "The rule's interval: what its lag is to be judged by.",
            "namespace",
            "rule",
        )
        self._remaining = self._gauge(
            "backfill_windows_remaining",
            "Due windows of a backfill to run.",
            "namespace",
            "rule",
        )
        self._in_flight = self._gauge(
            "windows_in_flight", "Windows submitted and not done.", "kind"
        )
        self._api = self._calls("api_request", "Requests to the API server.", "verb")
        self._kusto = self._calls("kusto_request", "Commands to Kusto.", "call")
        self._events = self._counter("reconciles", "Looks at a rule, by how they ended.", "result")
        build = self._gauge("build_info", "Always 1.", "version", "python")
        build.labels(_version(), python_version()).set(1)

    def window(self, kind: Kind, result: WindowResult, count: int = 1) -> None:
        """``count`` windows came to ``result``."""
        self._windows.labels(kind, result).inc(count)

    def operation_ended(self, kind: Kind, seconds: float) -> None:
        """A Kusto operation ran for ``seconds``."""
        self._operation.labels(kind).observe(seconds)

    def rule_lag(self, namespace: str, rule: str, seconds: float | None) -> None:
        """How far the rule's data is behind now; None while nothing has to follow it."""
        _put(self._lag, (namespace, rule), seconds)

    def rule_interval(self, namespace: str, rule: str, seconds: float | None) -> None:
        """The rule's interval; None where the rule cannot be read."""
        _put(self._interval, (namespace, rule), seconds)

    def backfill_remaining(self, namespace: str, rule: str, windows: int | None) -> None:
        """Due windows that the rule's backfill has to run; None when it has none or is paused."""
        _put(self._remaining, (namespace, rule), windows)

    def forget_rule(self, namespace: str, rule: str) -> None:
        """The rule is gone, and so are its series."""
        for gauge in (self._lag, self._interval, self._remaining):
            gauge.remove(namespace, rule)

    def in_flight(self, kind: Kind, windows: int) -> None:
        """Windows that are submitted and not done, over all rules."""
        self._in_flight.labels(kind).set(windows)

    def reconciled(self, result: str) -> None:
        """One look at a rule ended: ``ok`` or the name of an error of ``worker.errors``."""
        self._events.labels(result).inc()

    def api_request(self, verb: str, result: str, seconds: float) -> None:
        """One request to the API server (``worker.kube.api.Observe``)."""
        self._api(verb, result, seconds)

    def kusto_request(self, call: str, result: str, seconds: float) -> None:
        """One command to Kusto (``worker.kusto.service.Observe``)."""
        self._kusto(call, result, seconds)

    def queue_depth(self, depth: Callable[[], int]) -> None:
        """Ask ``depth`` at each scrape how many rules are due and wait."""
        self._gauge("queue_depth", "Rules that are due and wait.").set_function(depth)

    def rules(self, count: Callable[[], int]) -> None:
        """Ask ``count`` at each scrape how many rules are mirrored."""
        self._gauge("rules", "SummaryRules that the worker sees.").set_function(count)

    def leader(self, is_leader: Callable[[], bool]) -> None:
        """Ask ``is_leader`` at each scrape."""
        self._gauge("leader", "1 while this process holds the Lease.").set_function(is_leader)

    def exposition(self) -> bytes:
        """All series in the Prometheus text format."""
        return generate_latest(self.registry)

    def _calls(self, name: str, text: str, label: str) -> Callable[[str, str, float], None]:
        count = self._counter(f"{name}s", text, label, "result")
        duration = self._histogram(f"{name}_duration_seconds", text, _CALL_BUCKETS, label)

        def observe(what: str, result: str, seconds: float) -> None:
            count.labels(what, result).inc()
            duration.labels(what).observe(seconds)

        return observe

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=PREFIX, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            name, text, labels, namespace=PREFIX, registry=self.registry, buckets=buckets
        )


def _version() -> str:
    try:
        return version("summaryrule-operator")
    except PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def _put(gauge: Gauge, labels: tuple[str, str], value: float | None) -> None:
    if value is None:
        gauge.remove(*labels)
    else:
        gauge.labels(*labels).set(value)
