"""The failure table of docs/reliability.md on the real stack: one test a row, all side by side."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.windows import windows_between
from tests.e2e.api import RULES, Etcd
from tests.e2e.faults import Faults, fault, faults_at
from tests.e2e.lab import HOUR, Lab, backfill, hours_ago, now
from tests.e2e.scene import Scene

START, END = hours_ago(5), hours_ago(2)
WINDOWS = len(windows_between(START, END, HOUR))
FIRST = f"{START}"
LONG = 6.0
"""Seconds of an operation that is to be in flight while a person acts."""

scene = Scene()


@pytest.fixture(scope="module")
def running(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Scene]:
    endpoint = stack.env()["KUSTO_ENDPOINT"]
    chosen = {item.name for item in request.session.items}
    connection = KustoConnectionStringBuilder.with_no_authentication(endpoint)
    with KustoClient(connection) as kusto, faults_at(endpoint) as faults:
        scene.begin(stack, kusto, faults, chosen)
        yield scene
        scene.end()


def begin(lab: Lab, start: Instant = START, **spec: Any) -> None:
    lab.admit(lab.rule(backfill=backfill(start, END), **spec))


def completed(lab: Lab, start: Instant = START) -> dict[str, Any]:
    """Wait for the end, compare the rows, and give the backfill's status."""
    status = past(lab.until_cleared())
    assert status["phase"] == "Completed", status
    lab.assert_exactly_once(start, END)
    return status


def past(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule.get("status", {}).get("backfill", {})
    return found


def fired(lab: Lab, kind: str) -> int:
    return Faults(lab.stack.env()["KUSTO_ENDPOINT"]).fired(kind, lab.table)


def failed(lab: Lab) -> dict[str, Any]:
    """Wait for phase Failed: the backfill stays in spec, the window is named, an Event says so."""
    rule = lab.until(lambda rule: past(rule).get("phase") == "Failed", "phase Failed")
    assert rule["spec"]["backfill"]["start"] == FIRST
    return past(rule)


def in_flight(lab: Lab) -> str:
    """Wait for an operation in flight and give its id."""
    rule = lab.until(lambda rule: bool(operations(rule)), "an operation in flight")
    return operations(rule)[0]


def operations(rule: dict[str, Any]) -> list[str]:
    flying = past(rule).get("inFlight", [])
    return [window["operationId"] for window in flying if "operationId" in window]


def patch(lab: Lab, change: dict[str, Any]) -> None:
    done = lab.kubectl("patch", "sr", lab.name, "--type=merge", "-p", json.dumps(change))
    assert done.returncode == 0, done.stderr


def annotate(lab: Lab, act: str, value: str) -> None:
    done = lab.kubectl("annotate", "sr", lab.name, f"adx-mon.azure.com/backfill-{act}={value}")
    assert done.returncode == 0, done.stderr


def condition(rule: dict[str, Any], kind: str = "summaryrule.adx-mon.azure.com") -> dict[str, Any]:
    found = rule.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def said(lab: Lab, reason: str) -> str:
    """Wait for an Event of this reason about the rule and give its message."""
    last = time.monotonic() + 20
    query = f"fieldSelector=involvedObject.name={lab.name},reason={reason}"
    while not (found := lab.api.get(f"/api/v1/namespaces/default/events?{query}")["items"]):
        assert time.monotonic() < last, f"no Event {reason} about {lab.name}"
        time.sleep(0.1)
    return str(found[0]["message"])


def state(lab: Lab, operation: str) -> str:
    reply = lab.kusto.execute_mgmt(lab.database, f".show operations ({operation})")
    return str(reply.primary_results[0][0]["State"])


@scene.part(fault("lose-request", count=1), fault("lose-reply", count=1))
def test_a_submit_answered_by_a_lost_connection_is_sent_again_with_its_token(lab: Lab) -> None:
    begin(lab)
    completed(lab)
    assert (fired(lab, "lose-request"), fired(lab, "lose-reply")) == (1, 1)


@scene.part(
    fault("throttle", count=2, retryAfter=1), fault("operation-end", state="Throttled", count=1)
)
def test_throttled_submits_and_operations_wait_and_keep_their_token(lab: Lab) -> None:
    begin(lab)
    assert completed(lab)["windowsRetried"] == 1
    assert (fired(lab, "throttle"), fired(lab, "operation-end")) == (2, 1)


@scene.part()
def test_a_rule_without_a_fault_goes_on_while_others_fail(lab: Lab) -> None:
    begin(lab)
    lab.until_cleared(deadline=15)
    completed(lab)


@scene.part(fault("operation-end", state="Failed", status="busy", shouldRetry=True, count=1))
def test_an_operation_that_failed_and_may_be_retried_is_tried_again(lab: Lab) -> None:
    begin(lab)
    assert completed(lab)["windowsRetried"] == 1


@scene.part(fault("operation-end", state="Failed", status="boom", count=1))
def test_a_window_that_failed_for_good_is_named_and_kept_until_a_retry(lab: Lab) -> None:
    begin(lab)
    status = failed(lab)
    assert [window["start"] for window in status["failed"]] == [FIRST]
    assert "boom" in status["lastError"]
    assert "boom" in said(lab, "WindowFailed")
    annotate(lab, "retry", "all")
    assert completed(lab)["windowsDone"] == WINDOWS


@scene.part(fault("operation-end", state="Failed", status="boom", count=1))
def test_a_window_that_failed_for_good_is_left_out_when_it_is_skipped(lab: Lab) -> None:
    begin(lab)
    failed(lab)
    annotate(lab, "skip", FIRST)
    status = past(lab.until_cleared())
    assert (status["phase"], status["windowsSkipped"]) == ("Completed", 1)
    assert lab.off(START, END) == (1, 0)


def fails_at_once(lab: Lab, end: str) -> None:
    begin(lab)
    assert failed(lab)["lastError"].startswith(end)
    annotate(lab, "retry", "all")
    completed(lab)


@scene.part(fault("operation-end", state="Canceled", status="by an admin", count=1))
def test_a_canceled_operation_fails_its_window_at_once(lab: Lab) -> None:
    fails_at_once(lab, "Canceled: by an admin")


@scene.part(fault("operation-end", state="Abandoned", count=1))
def test_an_abandoned_operation_fails_its_window_at_once(lab: Lab) -> None:
    fails_at_once(lab, "Abandoned")


@scene.part(fault("operation-end", state="BadInput", status="no such column", count=1))
def test_an_operation_with_bad_input_fails_its_window_at_once(lab: Lab) -> None:
    fails_at_once(lab, "BadInput: no such column")


@scene.part(fault("operation-end", state="PartiallySucceeded", commits=True, count=1))
def test_an_operation_that_partially_succeeded_fails_and_its_retry_doubles_nothing(
    lab: Lab,
) -> None:
    fails_at_once(lab, "PartiallySucceeded")


@scene.part(fault("operation-end", state="Skipped", count=1))
def test_a_skipped_operation_without_data_fails_its_window(lab: Lab) -> None:
    fails_at_once(lab, "Skipped")


@scene.part(fault("lose-reply", count=1), fault("duplicate", state="Skipped"))
def test_a_repeat_that_kusto_skipped_because_the_data_is_there_is_done(lab: Lab) -> None:
    begin(lab)
    completed(lab)
    assert fired(lab, "duplicate") == 1


def changed_mid_run(lab: Lab, change: dict[str, Any]) -> None:
    """Edit while the first window is in flight: it ends as it was, the rest waits for a retry."""
    begin(lab)
    in_flight(lab)
    patch(lab, {"spec": change})
    status = failed_after_first(lab)
    assert (status["reason"], status["windowsDone"]) == ("SpecChanged", 1)
    assert len(lab.summary()) == 1
    annotate(lab, "retry", "all")
    lab.until_cleared()


def failed_after_first(lab: Lab) -> dict[str, Any]:
    return past(lab.until(lambda rule: past(rule).get("phase") == "Failed", "phase Failed"))


@scene.part(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_body_mid_run_finishes_what_flies_and_waits_for_a_retry(lab: Lab) -> None:
    body = lab.rule()["spec"]["body"].replace("count()", "10 * count()")
    changed_mid_run(lab, {"body": body})
    assert sorted(samples for _, samples, _ in lab.summary()) == [4, 40, 40]


@scene.part(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_table_mid_run_finishes_what_flies_and_waits_for_a_retry(lab: Lab) -> None:
    changed_mid_run(lab, {"table": f"{lab.table}_new"})
    assert len(lab.summary()) == 1
    assert len(lab.rows(f"{lab.table}_new")) == WINDOWS - 1


@scene.part(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_interval_mid_run_goes_on_from_the_cursor_on_the_new_grid(lab: Lab) -> None:
    changed_mid_run(lab, {"interval": "30m"})
    assert sorted(samples for _, samples, _ in lab.summary().elements()) == [2, 2, 2, 2, 4]


@scene.part(fault("operation-stuck", count=1))
def test_a_backfill_removed_mid_run_cancels_its_operation_and_goes_to_history(lab: Lab) -> None:
    begin(lab)
    operation = in_flight(lab)
    patch(lab, {"spec": {"backfill": None}})
    rule = lab.until(lambda rule: past(rule)["phase"] == "Canceled", "phase Canceled")
    assert rule["status"]["backfillHistory"][0]["phase"] == "Canceled"
    assert "0/3" in said(lab, "BackfillCanceled")
    assert state(lab, operation) == "Canceled"
    lab.until(lambda rule: "finalizers" not in rule["metadata"], "the finalizer to go")


@scene.part(fault("operation-stuck", count=1))
def test_a_rule_deleted_mid_run_cancels_its_operation_before_it_goes(lab: Lab) -> None:
    begin(lab)
    operation = in_flight(lab)
    gone = lab.kubectl("delete", "sr", lab.name, "--timeout=20s")
    assert gone.returncode == 0, gone.stderr
    assert state(lab, operation) == "Canceled"


@scene.part(fault("operation-latency", seconds=LONG / 2, count=1))
def test_criteria_that_stop_matching_let_what_flies_end_and_submit_nothing(lab: Lab) -> None:
    begin(lab)
    in_flight(lab)
    patch(lab, {"spec": {"criteria": {"region": ["nowhere"]}}})
    lab.until(lambda rule: past(rule)["windowsDone"] == 1, "the first window")
    time.sleep(1.0)
    rule = lab.get()
    assert condition(rule)["reason"] == "CriteriaNotMet"
    assert (past(rule)["windowsDone"], past(rule).get("inFlight", [])) == (1, [])
    assert fired(lab, "operation-latency") == 1
    patch(lab, {"spec": {"criteria": None}})
    completed(lab)


@scene.part()
def test_lost_races_with_other_writers_are_answered_by_reading_again(lab: Lab) -> None:
    start, over = hours_ago(10), threading.Event()
    begin(lab, start)

    def scribble() -> None:
        while not over.wait(0.03):
            note = {"example.com/note": str(time.monotonic_ns())}
            lab.api.patch(f"{RULES}/{lab.name}", {"metadata": {"annotations": note}})

    writing = threading.Thread(target=scribble)
    writing.start()
    try:
        completed(lab, start)
    finally:
        over.set()
        writing.join()
    assert conflicts(lab) > 0


def conflicts(lab: Lab) -> int:
    """How many writes of the worker to this rule the server refused with 409, by its audit log."""
    lines = [line for line in lab.stack.audit.read_text().splitlines() if lab.name in line]
    events = map(json.loads, lines)
    codes = [
        event["responseStatus"]["code"]
        for event in events
        if event["user"]["username"].endswith("-worker") and event["verb"] == "patch"
    ]
    return codes.count(409)


@scene.part()
def test_an_object_that_cannot_be_read_says_so_and_the_others_go_on(lab: Lab) -> None:
    smuggle(lab, interval="1d", surprise=True)
    found = lab.until(lambda rule: condition(rule).get("reason") == "Malformed", "its condition")
    assert "spec.interval" in condition(found)["message"]
    assert said(lab, "Malformed") == condition(found)["message"]


@scene.part()
def test_an_object_that_the_server_lets_nobody_write_to_says_so_in_an_event(lab: Lab) -> None:
    """A number where CEL expects a text: the server refuses even a condition."""
    smuggle(lab, interval=5, body={"not": "text"})
    assert "spec.interval" in said(lab, "Malformed")


@scene.part()
def test_an_object_whose_status_cannot_be_read_says_so_in_an_event(lab: Lab) -> None:
    smuggle(lab, status={"schedule": {"cursor": "yesterday"}})
    assert "status.schedule.cursor" in said(lab, "Malformed")
    assert lab.get()["status"]["schedule"] == {"cursor": "yesterday"}


def smuggle(lab: Lab, status: dict[str, Any] | None = None, **spec: Any) -> None:
    """Put a rule into the store that no CRD would let through."""
    rule = lab.rule(**spec) | ({"status": status} if status else {})
    made = Instant(now().ticks // TICKS_PER_SECOND * TICKS_PER_SECOND)
    rule["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": str(made)}
    Etcd(lab.stack).put(rule)


@scene.part()
def test_a_body_over_a_table_that_does_not_exist_says_so(lab: Lab) -> None:
    begin(lab, body="Nowhere_at_all | where Timestamp between (_startTime .. _endTime)")
    assert "Nowhere_at_all" in failed(lab)["lastError"]
    assert "Nowhere_at_all" in said(lab, "WindowFailed")
    assert "Nowhere_at_all" in condition(lab.get(), "Backfill")["message"]


@scene.part()
def test_a_body_that_the_engine_refuses_says_so(lab: Lab) -> None:
    begin(lab, body=f"{lab.raw} | summarise count() by _startTime, _endTime")
    failed(lab)
    assert "summarise" in said(lab, "WindowFailed")


@scene.part()
def test_a_database_without_an_endpoint_says_so(lab: Lab) -> None:
    begin(lab, database="Elsewhere")
    rule = lab.until(lambda rule: condition(rule).get("reason") == "NoEndpoint", "its condition")
    assert "Elsewhere" in condition(rule)["message"]
    assert "Elsewhere" in said(lab, "NoEndpoint")


@scene.part(fault("html", count=4))
def test_an_endpoint_that_answers_html_is_said_and_asked_again(lab: Lab) -> None:
    begin(lab)
    assert "gave no usable answer: 502: Bad Gateway" in said(lab, "EndpointUnavailable")
    completed(lab)
    assert fired(lab, "html") == 4
    assert condition(lab.get())["status"] == "True"
