"""The series of one worker."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from summaryrule.api.instant import Instant
from worker.kube.store import ModelCache
from worker.metrics import Metrics, StatusMetrics


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
    metrics.rule_lag("n", "r", 3600)
    metrics.rule_interval("n", "r", 900)
    metrics.backfill_remaining("n", "r", 7)
    metrics.forget_rule("n", "r")
    metrics.forget_rule("n", "never-seen")
    assert not any("'r'" in name for name in series(metrics))


def test_a_backfill_that_has_ended_leaves_no_series() -> None:
    metrics = Metrics()
    metrics.backfill_remaining("n", "r", 7)
    metrics.backfill_remaining("n", "r", None)
    assert not any("backfill_windows_remaining" in name for name in series(metrics))


def test_a_looked_at_rule_shows_its_lag_beside_its_interval() -> None:
    metrics = Metrics()
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


def test_gauges_are_asked_at_each_scrape() -> None:
    metrics, depth = Metrics(), [3]
    metrics.queue_depth(lambda: depth[0])
    metrics.leader(lambda: True)
    assert series(metrics)["summaryrule_worker_queue_depth[]"] == 3
    depth[0] = 5
    assert series(metrics)["summaryrule_worker_queue_depth[]"] == 5
    assert series(metrics)["summaryrule_worker_leader[]"] == 1


def stored(spec: dict[str, object], **status: object) -> dict[str, object]:
    return {
        "metadata": {"namespace": "n", "name": "r"},
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
