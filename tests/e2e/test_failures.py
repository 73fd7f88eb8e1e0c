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
from tests.e2e.fixtures import HOUR, Sandbox, backfill, hours_ago, now
from tests.e2e.parallel_scenarios import ParallelScenarios

START, END = hours_ago(5), hours_ago(2)
WINDOWS = len(windows_between(START, END, HOUR))
FIRST = f"{START}"
LONG = 6.0
"""Seconds of an operation that is to be in flight while a person acts."""

scenarios = ParallelScenarios()


@pytest.fixture(scope="module")
def running(stack: Stack, request: pytest.FixtureRequest) -> Iterator[ParallelScenarios]:
    endpoint = stack.env()["KUSTO_ENDPOINT"]
    chosen = {item.name for item in request.session.items}
    connection = KustoConnectionStringBuilder.with_no_authentication(endpoint)
    with KustoClient(connection) as kusto, faults_at(endpoint) as faults:
        scenarios.begin(stack, kusto, faults, chosen)
        yield scenarios
        scenarios.end()


def begin(sandbox: Sandbox, start: Instant = START, **spec: Any) -> None:
    sandbox.admit(sandbox.rule(backfill=backfill(start, END), **spec))


def completed(sandbox: Sandbox, start: Instant = START) -> dict[str, Any]:
    """Wait for the end, compare the rows, and give the backfill's status."""
    status = past(sandbox.until_cleared())
    assert status["phase"] == "Completed", status
    sandbox.assert_exactly_once(start, END)
    return status


def past(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule.get("status", {}).get("backfill", {})
    return found


def fired(sandbox: Sandbox, kind: str) -> int:
    return Faults(sandbox.stack.env()["KUSTO_ENDPOINT"]).fired(kind, sandbox.table)


def failed(sandbox: Sandbox) -> dict[str, Any]:
    """Wait for phase Failed: the backfill stays in spec, the window is named, an Event says so."""
    rule = sandbox.until(lambda rule: past(rule).get("phase") == "Failed", "phase Failed")
    assert rule["spec"]["backfill"]["start"] == FIRST
    return past(rule)


def in_flight(sandbox: Sandbox) -> str:
    """Wait for an operation in flight and give its id."""
    rule = sandbox.until(lambda rule: bool(operations(rule)), "an operation in flight")
    return operations(rule)[0]


def operations(rule: dict[str, Any]) -> list[str]:
    flying = past(rule).get("inFlight", [])
    return [window["operationId"] for window in flying if "operationId" in window]


def patch(sandbox: Sandbox, change: dict[str, Any]) -> None:
    done = sandbox.kubectl("patch", "sr", sandbox.name, "--type=merge", "-p", json.dumps(change))
    assert done.returncode == 0, done.stderr


def annotate(sandbox: Sandbox, act: str, value: str) -> None:
    done = sandbox.kubectl(
        "annotate", "sr", sandbox.name, f"adx-mon.azure.com/backfill-{act}={value}"
    )
    assert done.returncode == 0, done.stderr


def condition(rule: dict[str, Any], kind: str = "summaryrule.adx-mon.azure.com") -> dict[str, Any]:
    found = rule.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def said(sandbox: Sandbox, reason: str) -> str:
    """Wait for an Event of this reason about the rule and give its message."""
    last = time.monotonic() + 20
    query = f"fieldSelector=involvedObject.name={sandbox.name},reason={reason}"
    while not (found := sandbox.api.get(f"/api/v1/namespaces/default/events?{query}")["items"]):
        assert time.monotonic() < last, f"no Event {reason} about {sandbox.name}"
        time.sleep(0.1)
    return str(found[0]["message"])


def state(sandbox: Sandbox, operation: str) -> str:
    reply = sandbox.kusto.execute_mgmt(sandbox.database, f".show operations ({operation})")
    return str(reply.primary_results[0][0]["State"])


@scenarios.scenario(fault("lose-request", count=1), fault("lose-reply", count=1))
def test_a_submit_answered_by_a_lost_connection_is_sent_again_with_its_token(
    sandbox: Sandbox,
) -> None:
    begin(sandbox)
    completed(sandbox)
    assert (fired(sandbox, "lose-request"), fired(sandbox, "lose-reply")) == (1, 1)


@scenarios.scenario(
    fault("throttle", count=2, retryAfter=1), fault("operation-end", state="Throttled", count=1)
)
def test_throttled_submits_and_operations_wait_and_keep_their_token(sandbox: Sandbox) -> None:
    begin(sandbox)
    assert completed(sandbox)["windowsRetried"] == 1
    assert (fired(sandbox, "throttle"), fired(sandbox, "operation-end")) == (2, 1)


@scenarios.scenario()
def test_a_rule_without_a_fault_goes_on_while_others_fail(sandbox: Sandbox) -> None:
    begin(sandbox)
    sandbox.until_cleared(deadline=15)
    completed(sandbox)


@scenarios.scenario(
    fault("operation-end", state="Failed", status="busy", shouldRetry=True, count=1)
)
def test_an_operation_that_failed_and_may_be_retried_is_tried_again(sandbox: Sandbox) -> None:
    begin(sandbox)
    assert completed(sandbox)["windowsRetried"] == 1


@scenarios.scenario(fault("operation-end", state="Failed", status="boom", count=1))
def test_a_window_that_failed_for_good_is_named_and_kept_until_a_retry(sandbox: Sandbox) -> None:
    begin(sandbox)
    status = failed(sandbox)
    assert [window["start"] for window in status["failed"]] == [FIRST]
    assert "boom" in status["lastError"]
    assert "boom" in said(sandbox, "WindowFailed")
    annotate(sandbox, "retry", "all")
    assert completed(sandbox)["windowsDone"] == WINDOWS


@scenarios.scenario(fault("operation-end", state="Failed", status="boom", count=1))
def test_a_window_that_failed_for_good_is_left_out_when_it_is_skipped(sandbox: Sandbox) -> None:
    begin(sandbox)
    failed(sandbox)
    annotate(sandbox, "skip", FIRST)
    status = past(sandbox.until_cleared())
    assert (status["phase"], status["windowsSkipped"]) == ("Completed", 1)
    assert sandbox.count_differences(START, END) == (1, 0)


def fails_at_once(sandbox: Sandbox, end: str) -> None:
    begin(sandbox)
    assert failed(sandbox)["lastError"].startswith(end)
    annotate(sandbox, "retry", "all")
    completed(sandbox)


@scenarios.scenario(fault("operation-end", state="Canceled", status="by an admin", count=1))
def test_a_canceled_operation_fails_its_window_at_once(sandbox: Sandbox) -> None:
    fails_at_once(sandbox, "Canceled: by an admin")


@scenarios.scenario(fault("operation-end", state="Abandoned", count=1))
def test_an_abandoned_operation_fails_its_window_at_once(sandbox: Sandbox) -> None:
    fails_at_once(sandbox, "Abandoned")


@scenarios.scenario(fault("operation-end", state="BadInput", status="no such column", count=1))
def test_an_operation_with_bad_input_fails_its_window_at_once(sandbox: Sandbox) -> None:
    fails_at_once(sandbox, "BadInput: no such column")


@scenarios.scenario(fault("operation-end", state="PartiallySucceeded", commits=True, count=1))
def test_an_operation_that_partially_succeeded_fails_and_its_retry_doubles_nothing(
    sandbox: Sandbox,
) -> None:
    fails_at_once(sandbox, "PartiallySucceeded")


@scenarios.scenario(fault("operation-end", state="Skipped", count=1))
def test_a_skipped_operation_without_data_fails_its_window(sandbox: Sandbox) -> None:
    fails_at_once(sandbox, "Skipped")


@scenarios.scenario(fault("lose-reply", count=1), fault("duplicate", state="Skipped"))
def test_a_repeat_that_kusto_skipped_because_the_data_is_there_is_done(sandbox: Sandbox) -> None:
    begin(sandbox)
    completed(sandbox)
    assert fired(sandbox, "duplicate") == 1


def changed_mid_run(sandbox: Sandbox, change: dict[str, Any]) -> None:
    """Edit while the first window is in flight: it ends as it was, the rest waits for a retry."""
    begin(sandbox)
    in_flight(sandbox)
    patch(sandbox, {"spec": change})
    status = failed_after_first(sandbox)
    assert (status["reason"], status["windowsDone"]) == ("SpecChanged", 1)
    assert len(sandbox.summary()) == 1
    annotate(sandbox, "retry", "all")
    sandbox.until_cleared()


def failed_after_first(sandbox: Sandbox) -> dict[str, Any]:
    return past(sandbox.until(lambda rule: past(rule).get("phase") == "Failed", "phase Failed"))


@scenarios.scenario(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_body_mid_run_finishes_what_flies_and_waits_for_a_retry(
    sandbox: Sandbox,
) -> None:
    body = sandbox.rule()["spec"]["body"].replace("count()", "10 * count()")
    changed_mid_run(sandbox, {"body": body})
    assert sorted(samples for _, samples, _ in sandbox.summary()) == [4, 40, 40]


@scenarios.scenario(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_table_mid_run_finishes_what_flies_and_waits_for_a_retry(
    sandbox: Sandbox,
) -> None:
    changed_mid_run(sandbox, {"table": f"{sandbox.table}_new"})
    assert len(sandbox.summary()) == 1
    assert len(sandbox.rows(f"{sandbox.table}_new")) == WINDOWS - 1


@scenarios.scenario(fault("operation-latency", seconds=LONG, count=1))
def test_an_edit_of_the_interval_mid_run_goes_on_from_the_cursor_on_the_new_grid(
    sandbox: Sandbox,
) -> None:
    changed_mid_run(sandbox, {"interval": "30m"})
    assert sorted(samples for _, samples, _ in sandbox.summary().elements()) == [2, 2, 2, 2, 4]


@scenarios.scenario(fault("operation-stuck", count=1))
def test_a_backfill_removed_mid_run_cancels_its_operation_and_goes_to_history(
    sandbox: Sandbox,
) -> None:
    begin(sandbox)
    operation = in_flight(sandbox)
    patch(sandbox, {"spec": {"backfill": None}})
    rule = sandbox.until(lambda rule: past(rule)["phase"] == "Canceled", "phase Canceled")
    assert rule["status"]["backfillHistory"][0]["phase"] == "Canceled"
    assert "0/3" in said(sandbox, "BackfillCanceled")
    assert state(sandbox, operation) == "Canceled"
    sandbox.until(lambda rule: "finalizers" not in rule["metadata"], "the finalizer to go")


@scenarios.scenario(fault("operation-stuck", count=1))
def test_a_rule_deleted_mid_run_cancels_its_operation_before_it_goes(sandbox: Sandbox) -> None:
    begin(sandbox)
    operation = in_flight(sandbox)
    gone = sandbox.kubectl("delete", "sr", sandbox.name, "--timeout=20s")
    assert gone.returncode == 0, gone.stderr
    assert state(sandbox, operation) == "Canceled"


@scenarios.scenario(fault("operation-latency", seconds=LONG / 2, count=1))
def test_criteria_that_stop_matching_let_what_flies_end_and_submit_nothing(
    sandbox: Sandbox,
) -> None:
    begin(sandbox)
    in_flight(sandbox)
    patch(sandbox, {"spec": {"criteria": {"region": ["nowhere"]}}})
    sandbox.until(lambda rule: past(rule)["windowsDone"] == 1, "the first window")
    time.sleep(1.0)
    rule = sandbox.get()
    assert condition(rule)["reason"] == "CriteriaNotMet"
    assert (past(rule)["windowsDone"], past(rule).get("inFlight", [])) == (1, [])
    assert fired(sandbox, "operation-latency") == 1
    patch(sandbox, {"spec": {"criteria": None}})
    completed(sandbox)


@scenarios.scenario()
def test_lost_races_with_other_writers_are_answered_by_reading_again(sandbox: Sandbox) -> None:
    start, over = hours_ago(10), threading.Event()
    begin(sandbox, start)

    def scribble() -> None:
        while not over.wait(0.03):
            note = {"example.com/note": str(time.monotonic_ns())}
            sandbox.api.patch(f"{RULES}/{sandbox.name}", {"metadata": {"annotations": note}})

    writing = threading.Thread(target=scribble)
    writing.start()
    try:
        completed(sandbox, start)
    finally:
        over.set()
        writing.join()
    assert conflicts(sandbox) > 0


def conflicts(sandbox: Sandbox) -> int:
    """How many writes of the worker to this rule the server refused with 409, by its audit log."""
    lines = [line for line in sandbox.stack.audit.read_text().splitlines() if sandbox.name in line]
    events = map(json.loads, lines)
    codes = [
        event["responseStatus"]["code"]
        for event in events
        if event["user"]["username"].endswith("-worker") and event["verb"] == "patch"
    ]
    return codes.count(409)


@scenarios.scenario()
def test_an_object_that_cannot_be_read_says_so_and_the_others_go_on(sandbox: Sandbox) -> None:
    smuggle(sandbox, interval="1d", surprise=True)
    found = sandbox.until(
        lambda rule: condition(rule).get("reason") == "Malformed", "its condition"
    )
    assert "spec.interval" in condition(found)["message"]
    assert said(sandbox, "Malformed") == condition(found)["message"]


@scenarios.scenario()
def test_an_object_that_the_server_lets_nobody_write_to_says_so_in_an_event(
    sandbox: Sandbox,
) -> None:
    """A number where CEL expects a text: the server refuses even a condition."""
    smuggle(sandbox, interval=5, body={"not": "text"})
    assert "spec.interval" in said(sandbox, "Malformed")


@scenarios.scenario()
def test_an_object_whose_status_cannot_be_read_says_so_in_an_event(sandbox: Sandbox) -> None:
    smuggle(sandbox, status={"schedule": {"cursor": "yesterday"}})
    assert "status.schedule.cursor" in said(sandbox, "Malformed")
    assert sandbox.get()["status"]["schedule"] == {"cursor": "yesterday"}


def smuggle(sandbox: Sandbox, status: dict[str, Any] | None = None, **spec: Any) -> None:
    """Put a rule into the store that no CRD would let through."""
    rule = sandbox.rule(**spec) | ({"status": status} if status else {})
    made = Instant(now().ticks // TICKS_PER_SECOND * TICKS_PER_SECOND)
    rule["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": str(made)}
    Etcd(sandbox.stack).put(rule)


@scenarios.scenario()
def test_a_body_over_a_table_that_does_not_exist_says_so(sandbox: Sandbox) -> None:
    begin(sandbox, body="Nowhere_at_all | where Timestamp between (_startTime .. _endTime)")
    assert "Nowhere_at_all" in said(sandbox, "QueryInvalid")
    assert "Nowhere_at_all" in condition(sandbox.get(), "Backfill")["message"]


@scenarios.scenario()
def test_a_body_that_the_engine_refuses_says_so(sandbox: Sandbox) -> None:
    begin(sandbox, body=f"{sandbox.raw} | summarise count() by _startTime, _endTime")
    assert "summarise" in said(sandbox, "QueryInvalid")
    assert condition(sandbox.get(), "Backfill")["reason"] == "QueryInvalid"


@scenarios.scenario()
def test_a_database_without_an_endpoint_says_so(sandbox: Sandbox) -> None:
    begin(sandbox, database="Elsewhere")
    rule = sandbox.until(
        lambda rule: condition(rule).get("reason") == "NoEndpoint", "its condition"
    )
    assert "Elsewhere" in condition(rule)["message"]
    assert "Elsewhere" in said(sandbox, "NoEndpoint")


@scenarios.scenario(fault("html", count=4))
def test_an_endpoint_that_answers_html_is_said_and_asked_again(sandbox: Sandbox) -> None:
    begin(sandbox)
    assert "gave no usable answer: 502: Bad Gateway" in said(sandbox, "EndpointUnavailable")
    completed(sandbox)
    assert fired(sandbox, "html") == 4
    assert condition(sandbox.get())["status"] == "True"
