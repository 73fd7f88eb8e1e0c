"""The series of one worker."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Operation
from worker.kube.store import ModelCache
from worker.metrics import Metrics, StatusMetrics, put


def at(time: str) -> Metrics:
    """Metrics that are scraped at this time."""
    return Metrics(lambda: Instant.parse(time))


def series(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


def test_calls_are_counted_by_result_and_timed_by_call() -> None:
    metrics = Metrics()
    metrics.kusto_request("submit", "ok", 0.2)
    metrics.kusto_request("submit", "Throttled", 0.1)
    metrics.api_request("PATCH", "Conflict", 0.01)
    found = series(metrics)
    assert found["summaryrule_worker_kusto_requests_total['Throttled', 'submit']"] == 1
    assert found["summaryrule_worker_kusto_request_duration_seconds_count['submit']"] == 2
    assert found["summaryrule_worker_api_requests_total['Conflict', 'PATCH']"] == 1


def test_a_rule_that_is_gone_leaves_no_series() -> None:
    metrics = Metrics()
    for gauge in (metrics.rule_lag, metrics.rule_interval, metrics.backfill_remaining):
        gauge.labels("n", "r").set(7)
    metrics.forget_rule("n", "r")
    metrics.forget_rule("n", "never-seen")
    assert not any("'r'" in name for name in series(metrics))


def test_a_backfill_that_has_ended_leaves_no_series() -> None:
    metrics = Metrics()
    put(metrics.backfill_remaining, ("n", "r"), 7)
    put(metrics.backfill_remaining, ("n", "r"), None)
    assert not any("backfill_windows_remaining" in name for name in series(metrics))


def test_a_looked_at_rule_shows_its_lag_beside_its_interval() -> None:
    metrics = at("2026-11-20T02:30:00Z")
    status_metrics = StatusMetrics(metrics, ModelCache())
    ahead = {"start": "2026-11-20T02:00:00Z", "end": "2026-11-20T03:00:00Z", "token": "u"}
    sent = {"start": "2026-11-20T01:00:00Z", "end": "2026-11-20T02:00:00Z", "token": "t"}
    flying = [{**sent, "operationId": "o"}, ahead]
    rule = {
        "metadata": {"namespace": "n", "name": "r"},
        "spec": {"database": "D", "table": "T", "body": "T", "interval": "1h"},
        "status": {"schedule": {"lastDone": "2026-11-20T01:00:00Z", "inFlight": flying}},
    }
    status_metrics.observe_rule(rule, Instant.parse("2026-11-20T02:30:00Z"))
    found = series(metrics)
    assert found["summaryrule_worker_rule_interval_seconds['n', 'r']"] == 3600
    assert found["summaryrule_worker_rule_lag_seconds['n', 'r']"] == 5400
    assert found["summaryrule_worker_windows_in_flight['interval']"] == 1
    status_metrics.forget(("n", "r"))
    found = series(metrics)
    assert found["summaryrule_worker_windows_in_flight['interval']"] == 0
    assert not any("'r'" in name for name in found)


FAILED = {"start": "2026-11-20T01:00:00Z", "end": "2026-11-20T02:00:00Z", "error": "bad"}
LAG = "summaryrule_worker_rule_lag_seconds['n', 'r']"


def test_failed_windows_are_shown_for_as_long_as_they_wait() -> None:
    metrics = Metrics()
    status_metrics = StatusMetrics(metrics, ModelCache())
    now = Instant.parse("2026-11-20T02:30:00Z")
    status_metrics.observe_rule(stored({}, schedule={"failed": [FAILED]}), now)
    assert series(metrics)["summaryrule_worker_failed_windows['interval', 'n', 'r']"] == 1
    assert series(metrics)["summaryrule_worker_failed_windows['backfill', 'n', 'r']"] == 0
    status_metrics.observe_rule(stored({}, schedule={}), now)
    assert series(metrics)["summaryrule_worker_failed_windows['interval', 'n', 'r']"] == 0
    status_metrics.forget(("n", "r"))
    assert not any("failed_windows" in name for name in series(metrics))


@pytest.mark.parametrize(
    ("status", "lag"),
    [({"schedule": {"failed": [FAILED]}}, 5400), ({"schedule": {}}, 9000), ({}, 9000)],
)
def test_a_rule_that_never_succeeded_lags_from_the_start_of_its_first_window(
    status: dict[str, object], lag: int
) -> None:
    metrics = at("2026-11-20T02:30:00Z")
    rule = stored({}, **status)
    if "failed" not in str(status):
        rule["metadata"] = {**KEY, "creationTimestamp": "2026-11-20T01:10:00Z"}
    StatusMetrics(metrics, ModelCache()).observe_rule(rule, Instant.parse("2026-11-20T02:30:00Z"))
    assert series(metrics)[LAG] == lag


def test_the_lag_of_a_rule_that_is_not_reconciled_again_grows_up_to_the_scrape() -> None:
    times = ["2026-11-20T02:30:00Z"]
    metrics = Metrics(lambda: Instant.parse(times[-1]))
    rule = stored({}, schedule={"lastDone": "2026-11-20T01:00:00Z"})
    status_metrics = StatusMetrics(metrics, ModelCache())
    status_metrics.observe_rule(rule, Instant.parse(times[-1]))
    assert series(metrics)[LAG] == 5400
    times.append("2026-11-20T02:31:00.5Z")
    assert series(metrics)[LAG] == 5460.5
    times.append("2026-11-20T00:59:00Z")
    assert series(metrics)[LAG] == 0
    done = stored({}, schedule={"lastDone": "2026-11-20T02:00:00Z"})
    status_metrics.observe_rule(done, Instant.parse("2026-11-20T02:31:00Z"))
    times.append("2026-11-20T02:32:00Z")
    assert series(metrics)[LAG] == 1920


def test_a_rule_whose_schedule_runs_elsewhere_has_no_lag() -> None:
    metrics = Metrics()
    status_metrics = StatusMetrics(metrics, ModelCache())
    now = Instant.parse("2026-11-20T02:30:00Z")
    rule = stored({}, schedule={"lastDone": "2026-11-20T01:00:00Z"})
    status_metrics.observe_rule(rule, now)
    assert LAG in series(metrics)
    status_metrics.observe_rule(rule, now, runs_here=False)
    assert LAG not in series(metrics)


def test_an_operation_is_timed_when_its_window_leaves_the_status() -> None:
    metrics = Metrics()
    status_metrics = StatusMetrics(metrics, ModelCache())
    window = {"start": "2026-11-20T01:00:00Z", "end": "2026-11-20T02:00:00Z", "token": "t"}
    before = stored({}, schedule={"inFlight": [{**window, "operationId": "o"}]})
    after = stored({}, schedule={"lastDone": "2026-11-20T02:00:00Z"})
    seen = {"o": Operation("o", "Completed", duration=Duration(3_000_000_000))}
    status_metrics.observe_write(before, before, seen)
    name = "summaryrule_worker_operation_duration_seconds"
    assert f"{name}_sum['interval']" not in series(metrics)
    status_metrics.observe_write(before, after, seen)
    assert series(metrics)[f"{name}_sum['interval']"] == 3
    assert series(metrics)[f"{name}_count['interval']"] == 1


def test_gauges_are_asked_at_each_scrape() -> None:
    metrics, depth = Metrics(), [3]
    metrics.watch("queue_depth", lambda: depth[0])
    metrics.watch("leader", lambda: True)
    assert series(metrics)["summaryrule_worker_queue_depth[]"] == 3
    depth[0] = 5
    assert series(metrics)["summaryrule_worker_queue_depth[]"] == 5
    assert series(metrics)["summaryrule_worker_leader[]"] == 1


def test_an_endpoint_has_a_series_while_it_is_known_whether_it_answers() -> None:
    metrics, up = Metrics(), {"https://k": True}
    metrics.watch_endpoints(lambda: up)
    name = "summaryrule_worker_kusto_endpoint_up['https://k']"
    assert series(metrics)[name] == 1
    up["https://k"] = False
    assert series(metrics)[name] == 0
    up.clear()
    assert name not in series(metrics)


KEY = {"namespace": "n", "name": "r"}


def stored(spec: dict[str, object], **status: object) -> dict[str, object]:
    return {
        "metadata": KEY,
        "spec": {"database": "D", "table": "T", "body": "T", "interval": "1h", **spec},
        "status": status,
    }


def test_a_schedule_that_is_suspended_has_no_lag() -> None:
    metrics = Metrics()
    status_metrics = StatusMetrics(metrics, ModelCache())
    done = {"lastDone": "2026-11-20T01:00:00Z"}
    status_metrics.observe_rule(stored({}, schedule=done), Instant.parse("2026-11-20T02:30:00Z"))
    assert "summaryrule_worker_rule_lag_seconds['n', 'r']" in series(metrics)
    status_metrics.observe_rule(
        stored({"suspend": True}, schedule=done), Instant.parse("2026-11-20T03:00:00Z")
    )
    assert "summaryrule_worker_rule_lag_seconds['n', 'r']" not in series(metrics)


@pytest.mark.parametrize(
    ("phase", "now", "remaining"),
    [
        ("Running", "2026-11-20T02:30:00Z", 1),
        ("Running", "2026-11-20T09:30:00Z", 3),
        ("Pending", "2026-11-19T12:00:00Z", 0),
        ("Paused", "2026-11-20T09:30:00Z", None),
        ("Failed", "2026-11-20T09:30:00Z", 3),
    ],
)
def test_what_remains_of_a_backfill_are_its_due_windows(
    phase: str, now: str, remaining: int | None
) -> None:
    metrics = Metrics()
    backfill = {
        "requestKey": "k",
        "requestedStart": "2026-11-20T00:00:00Z",
        "requestedEnd": "2026-11-20T04:00:00Z",
        "doneUntil": "2026-11-20T01:00:00Z",
        "windowsTotal": 4,
        "windowsDone": 1 if now > "2026-11-20" else 0,
        "phase": phase,
    }
    StatusMetrics(metrics, ModelCache()).observe_rule(
        stored({}, backfill=backfill), Instant.parse(now)
    )
    found = series(metrics)
    assert found.get("summaryrule_worker_backfill_windows_remaining['n', 'r']") == remaining
