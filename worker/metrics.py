"""The metrics of the worker (named as prometheus.io/docs/practices/naming says).

``Metrics`` holds the series; each worker has a registry of its own. ``StatusMetrics`` derives
window counts from the difference that each status write makes: a window counts when it is recorded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from platform import python_version
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from runtime.clock import now
from runtime.version import installed_version
from summaryrule.api.backfill_request import is_active
from summaryrule.api.duration import NANOSECONDS_PER_SECOND
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.v1 import (
    BackfillStatus,
    ScheduleStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.api.windows import count_windows, floor, next_window
from summaryrule.planner.types import Operation
from worker.kube.store import Key, ModelCache, key_of
from worker.ports import RawRule

PREFIX: Final = "summaryrule_worker"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["interval", "backfill"]
KINDS: Final[tuple[Kind, ...]] = ("interval", "backfill")
Watched = Literal["queue_depth", "rules", "rules_of_other_owners", "leader"]
WATCHED: Final[dict[Watched, str]] = {
    "queue_depth": "Rules that are due and wait.",
    "rules": "SummaryRules that the worker sees.",
    "rules_of_other_owners": "SummaryRules that this operator leaves alone.",
    "leader": "1 while this process holds the Lease.",
}
_RULE: Final = ("namespace", "rule")

_CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OPERATION_BUCKETS: Final = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """Counters, gauges and histograms of one worker; the help text of each says what it is.

    ``api_request`` and ``kusto_request`` get each call: what, result, seconds.
    """

    def __init__(self, now: Callable[[], Instant] = now) -> None:
        """``now`` is the time of a scrape, from which lags count."""
        self._now = now
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.windows = self._counter("windows", "Windows by what became of them.", "kind", "result")
        self.operation_duration = self._histogram(
            "operation_duration_seconds", "Time of Kusto operations.", _OPERATION_BUCKETS, "kind"
        )
        self.rule_lag = self._gauge(
            "rule_lag_seconds",
            "Now less the end of the rule's last done window, or the start of its first one.",
            *_RULE,
        )
        self.rule_interval = self._gauge(
            "rule_interval_seconds", "The rule's interval: what its lag is to be judged by.", *_RULE
        )
        self.backfill_remaining = self._gauge(
            "backfill_windows_remaining", "Due windows of a backfill to run.", *_RULE
        )
        self.failed_windows = self._gauge(
            "failed_windows",
            "Windows of the rule that failed permanently: they wait for a retry or a skip.",
            *_RULE,
            "kind",
        )
        self.in_flight = self._gauge("windows_in_flight", "Windows submitted and not done.", "kind")
        self.api_request = self._calls("api_request", "Requests to the API server.", "verb")
        self.kusto_request = self._calls("kusto_request", "Commands to Kusto.", "call")
        self.reconciles = self._counter("reconciles", "Reconciles of a rule, by result.", "result")
        build = self._gauge("build_info", "Always 1.", "version", "python")
        build.labels(installed_version(), python_version()).set(1)

    def set_lag(self, rule: Key, since: Instant | None) -> None:
        """Compute the lag of a rule at each scrape, as the time since ``since``; None: no series.

        So the lag of a rule that is no longer reconciled grows.
        """
        if since is None:
            self.rule_lag.remove(*rule)
        else:
            self.rule_lag.labels(*rule).set_function(partial(self._seconds_since, since))

    def _seconds_since(self, since: Instant) -> float:
        return max(_seconds(self._now().ticks - since.ticks), 0.0)

    def forget_rule(self, namespace: str, rule: str) -> None:
        """The rule is gone, and so are its series."""
        for gauge in (self.rule_lag, self.rule_interval, self.backfill_remaining):
            gauge.remove(namespace, rule)
        for kind in KINDS:
            self.failed_windows.remove(namespace, rule, kind)

    def watch(self, name: Watched, read: Callable[[], float]) -> None:
        """Add the gauge of this name; ``read`` gives its value at each scrape."""
        self._gauge(name, WATCHED[name]).set_function(read)

    def watch_endpoints(self, are_up: Callable[[], Mapping[str, bool]]) -> None:
        """Add a gauge; ``are_up`` says at each scrape which Kusto endpoints answer, by URL."""
        self.registry.register(_EndpointCollector(are_up))

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


class _EndpointCollector(Collector):
    """A series for each endpoint of which it is known whether it answers."""

    def __init__(self, are_up: Callable[[], Mapping[str, bool]]) -> None:
        self._are_up = are_up

    def collect(self) -> Iterator[Metric]:
        text = "1 if the Kusto endpoint answers, 0 if it fails."
        family = GaugeMetricFamily(f"{PREFIX}_kusto_endpoint_up", text, labels=["endpoint"])
        for url, is_up in sorted(self._are_up().items()):
            family.add_metric([url], float(is_up))
        yield family


def put(gauge: Gauge, labels: tuple[str, ...], value: float | None) -> None:
    """Set the gauge with these labels; None removes it."""
    if value is None:
        gauge.remove(*labels)
    else:
        gauge.labels(*labels).set(value)


class StatusMetrics:
    """Updates ``Metrics`` from the rules that are reconciled and written."""

    def __init__(self, metrics: Metrics, models: ModelCache) -> None:
        self._metrics, self._models = metrics, models
        self._in_flight: dict[Key, tuple[int, int]] = {}
        self._sums = (0, 0)

    def observe_rule(self, rule: RawRule, now: Instant, *, runs_here: bool = True) -> None:
        """Update a rule's interval and lag, its failed windows, and those left of its backfill.

        Args:
            rule: the raw object.
            now: the time until which windows of the backfill are due.
            runs_here: whether this worker should run the rule's schedule. Only then it has a lag.
        """
        key, known = key_of(rule), self._models.parse_or_none(rule)
        to, status = self._metrics, self._models.status(rule)
        put(to.rule_interval, key, None if known is None else _interval(known))
        to.set_lag(key, _lags_since(known) if known is not None and runs_here else None)
        put(to.backfill_remaining, key, None if known is None else _remaining(known, now))
        for kind, part in _parts(status):
            failed = len(part.failed) if part is not None else 0
            put(to.failed_windows, (*key, kind), failed if known is not None else None)
        self._set_in_flight(key, status)

    def observe_write(
        self, before: RawRule, after: RawRule, seen: Mapping[str, Operation] | None = None
    ) -> None:
        """Count the windows that completed or failed between two versions of a rule.

        ``seen`` are the operations, by id, that the write was decided from: those that ended are
        timed.
        """
        old, new = self._models.status(before), self._models.status(after)
        self._time_operations(old, new, seen or {})
        self._count_schedule(old.schedule or ScheduleStatus(), new.schedule or ScheduleStatus())
        if new.backfill is not None:
            self._count_backfill(old.backfill, new.backfill)

    def forget(self, key: Key) -> None:
        """The rule is gone."""
        self._metrics.forget_rule(*key)
        self._change(self._in_flight.pop(key, (0, 0)), (0, 0))

    def _time_operations(
        self, old: SummaryRuleStatus, new: SummaryRuleStatus, seen: Mapping[str, Operation]
    ) -> None:
        running = {id_ for _, part in _parts(new) if part for id_ in _operation_ids(part.in_flight)}
        for kind, part in _parts(old):
            for each in _operation_ids(part.in_flight) if part is not None else ():
                duration = seen[each].duration if each in seen else None
                if each not in running and duration is not None:
                    seconds = duration.nanoseconds / NANOSECONDS_PER_SECOND
                    self._metrics.operation_duration.labels(kind).observe(seconds)

    def _count_schedule(self, old: ScheduleStatus, new: ScheduleStatus) -> None:
        left = {w.token for w in old.in_flight} - {w.token for w in new.in_flight}
        failed = {w.token for w in new.failed} - {w.token for w in old.failed}
        self._count("interval", len(left - failed), len(failed))

    def _count_backfill(self, old: BackfillStatus | None, new: BackfillStatus) -> None:
        same = old is not None and old.request_key == new.request_key
        done = new.windows_done - (old.windows_done if old is not None and same else 0)
        failed = len(new.failed) - (len(old.failed) if old is not None and same else 0)
        self._count("backfill", done if same else 0, failed)

    def _count(self, kind: Kind, completed: int, failed: int) -> None:
        for result, count in (("completed", completed), ("failed", failed)):
            if count > 0:
                self._metrics.windows.labels(kind, result).inc(count)

    def _set_in_flight(self, key: Key, status: SummaryRuleStatus) -> None:
        runs = _submitted(status.schedule.in_flight) if status.schedule is not None else 0
        past = _submitted(status.backfill.in_flight) if status.backfill is not None else 0
        self._change(self._in_flight.get(key, (0, 0)), (runs, past))
        self._in_flight[key] = (runs, past)

    def _change(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Sums are carried on: adding all rules up at each look is too slow for thousands."""
        runs, past = (s - b + a for s, b, a in zip(self._sums, before, after, strict=True))
        self._sums = (runs, past)
        self._metrics.in_flight.labels("interval").set(runs)
        self._metrics.in_flight.labels("backfill").set(past)


def _submitted(windows: Iterable[WindowStatus]) -> int:
    """An intent without an operation may be the next window's, recorded ahead."""
    return sum(1 for _ in _operation_ids(windows))


def _operation_ids(windows: Iterable[WindowStatus]) -> Iterator[str]:
    return (window.operation_id for window in windows if window.operation_id is not None)


def _parts(
    status: SummaryRuleStatus,
) -> tuple[tuple[Kind, ScheduleStatus | BackfillStatus | None], ...]:
    return (("interval", status.schedule), ("backfill", status.backfill))


def _interval(rule: SummaryRule) -> float:
    return _seconds(rule.spec.interval.ticks)


def _lags_since(rule: SummaryRule) -> Instant | None:
    """The end of the last done window, else the start of the first one.

    None while nothing has to follow it.
    """
    schedule = (rule.status and rule.status.schedule) or ScheduleStatus()
    return None if rule.spec.suspend else schedule.last_done or _first_start(rule, schedule)


def _first_start(rule: SummaryRule, schedule: ScheduleStatus) -> Instant | None:
    taken = [window.start for window in (*schedule.in_flight, *schedule.failed)]
    created = rule.metadata.creation_timestamp
    if created is None:
        return min(taken, default=None)
    first = next_window(created, rule.spec.interval, rule.spec.ingestion_delay, None).start
    return min([*taken, first])


def _remaining(rule: SummaryRule, now: Instant) -> int | None:
    """Due windows that the backfill has to run; None while it has none or is paused."""
    backfill = rule.status.backfill if rule.status is not None else None
    if backfill is None or not is_active(backfill) or backfill.phase == "Paused":
        return None
    left = backfill.windows_total - backfill.windows_done - backfill.windows_skipped
    interval = rule.spec.interval
    due_until = floor(now.plus(-rule.spec.ingestion_delay.ticks), interval)
    begins = max(due_until, floor(backfill.requested_start, interval))
    return max(left - count_windows(begins, backfill.requested_end, interval), 0)


def _seconds(ticks: int) -> float:
    return ticks / TICKS_PER_SECOND
