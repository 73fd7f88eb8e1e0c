"""The metrics of the worker (named as prometheus.io/docs/practices/naming says).

``Metrics`` holds the series; each worker has a registry of its own. ``StatusMetrics`` derives
window counts from the difference that each status write makes: a window counts when it is recorded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
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
            "Now less the end of the rule's last done window, or the start of its first one.",
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
        self._failed = self._gauge(
            "failed_windows",
            "Windows of the rule that failed for good: they wait for a retry or a skip.",
            "namespace",
            "rule",
            "kind",
        )
        self._in_flight = self._gauge(
            "windows_in_flight", "Windows submitted and not done.", "kind"
        )
        self._api = self._calls("api_request", "Requests to the API server.", "verb")
        self._kusto = self._calls("kusto_request", "Commands to Kusto.", "call")
        self._events = self._counter("reconciles", "Reconciles of a rule, by result.", "result")
        build = self._gauge("build_info", "Always 1.", "version", "python")
        build.labels(installed_version(), python_version()).set(1)

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

    def failed_windows(self, namespace: str, rule: str, kind: Kind, windows: int | None) -> None:
        """Windows of the rule that failed for good; None for a rule that has no such windows."""
        _put(self._failed, (namespace, rule, kind), windows)

    def forget_rule(self, namespace: str, rule: str) -> None:
        """The rule is gone, and so are its series."""
        for gauge in (self._lag, self._interval, self._remaining):
            gauge.remove(namespace, rule)
        for kind in KINDS:
            self._failed.remove(namespace, rule, kind)

    def in_flight(self, kind: Kind, windows: int) -> None:
        """Windows that are submitted and not done, over all rules."""
        self._in_flight.labels(kind).set(windows)

    def reconciled(self, result: str) -> None:
        """Count one reconcile: ``ok`` or the name of an error of ``worker.errors``."""
        self._events.labels(result).inc()

    def api_request(self, verb: str, result: str, seconds: float) -> None:
        """One request to the API server (``worker.kube.client.Observe``)."""
        self._api(verb, result, seconds)

    def kusto_request(self, call: str, result: str, seconds: float) -> None:
        """One command to Kusto (``worker.kusto.client.Observe``)."""
        self._kusto(call, result, seconds)

    def queue_depth(self, depth: Callable[[], int]) -> None:
        """Ask ``depth`` at each scrape how many rules are due and wait."""
        self._gauge("queue_depth", "Rules that are due and wait.").set_function(depth)

    def rules(self, count: Callable[[], int]) -> None:
        """Ask ``count`` at each scrape how many rules are mirrored."""
        self._gauge("rules", "SummaryRules that the worker sees.").set_function(count)

    def rules_of_others(self, count: Callable[[], int]) -> None:
        """Ask ``count`` at each scrape how many rules another operator owns."""
        gauge = self._gauge(
            "rules_of_other_owners", "SummaryRules that this operator leaves alone."
        )
        gauge.set_function(count)

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


def _put(gauge: Gauge, labels: tuple[str, ...], value: float | None) -> None:
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
            now: the time from which the lag counts.
            runs_here: whether this worker should run the rule's schedule. Only then it has a lag.
        """
        key, known = key_of(rule), self._models.parse_or_none(rule)
        self._metrics.rule_interval(*key, None if known is None else _interval(known))
        self._metrics.rule_lag(*key, _lag(known, now) if known is not None and runs_here else None)
        self._metrics.backfill_remaining(*key, None if known is None else _remaining(known, now))
        status = self._models.status(rule)
        for kind, part in _parts(status):
            failed = len(part.failed) if part is not None else 0
            self._metrics.failed_windows(*key, kind, failed if known is not None else None)
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
                    self._metrics.operation_ended(kind, seconds)

    def _count_schedule(self, old: ScheduleStatus, new: ScheduleStatus) -> None:
        left = {w.token for w in old.in_flight} - {w.token for w in new.in_flight}
        failed = {w.token for w in new.failed} - {w.token for w in old.failed}
        if left - failed:
            self._metrics.window("interval", "completed", len(left - failed))
        if failed:
            self._metrics.window("interval", "failed", len(failed))

    def _count_backfill(self, old: BackfillStatus | None, new: BackfillStatus) -> None:
        same = old is not None and old.request_key == new.request_key
        done = new.windows_done - (old.windows_done if old is not None and same else 0)
        failed = len(new.failed) - (len(old.failed) if old is not None and same else 0)
        if same and done > 0:
            self._metrics.window("backfill", "completed", done)
        if failed > 0:
            self._metrics.window("backfill", "failed", failed)

    def _set_in_flight(self, key: Key, status: SummaryRuleStatus) -> None:
        runs = _submitted(status.schedule.in_flight) if status.schedule is not None else 0
        past = _submitted(status.backfill.in_flight) if status.backfill is not None else 0
        self._change(self._in_flight.get(key, (0, 0)), (runs, past))
        self._in_flight[key] = (runs, past)

    def _change(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Sums are carried on: adding all rules up at each look is too slow for thousands."""
        runs, past = (s - b + a for s, b, a in zip(self._sums, before, after, strict=True))
        self._sums = (runs, past)
        self._metrics.in_flight("interval", runs)
        self._metrics.in_flight("backfill", past)


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


def _lag(rule: SummaryRule, now: Instant) -> float | None:
    """Seconds from the end of the last done window to now; None while nothing has to follow it.

    If no window is done, they count from the start of the first one.
    """
    schedule = (rule.status and rule.status.schedule) or ScheduleStatus()
    since = schedule.last_done or _first_start(rule, schedule)
    if rule.spec.suspend or since is None:
        return None
    return max(_seconds(now.ticks - since.ticks), 0.0)


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
