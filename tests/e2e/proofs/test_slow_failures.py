"""`make prove-failures`: the rows of the failure table that take minutes to show themselves.

The parts run side by side on a worker of their own. `test_outage.py` has the row on Kusto down.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from tests.e2e.candidates import Candidate, candidates
from tests.e2e.faults import fault, faults_at
from tests.e2e.fixtures import Sandbox, backfill, hours_ago
from tests.e2e.parallel_scenarios import ParallelScenarios
from tests.e2e.proofs.say import say

START, END = hours_ago(5), hours_ago(2)
LOST = "Lost"
"""A database whose operations leave no record that can be found."""

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(600)]
scenarios = ParallelScenarios()


@pytest.fixture(scope="module")
def worker(bare: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Candidate]:
    folder = tmp_path_factory.mktemp("worker")
    with candidates(bare, folder, "worker-0", databases=("Telemetry", LOST)) as (only,):
        only.start()
        yield only


@pytest.fixture(scope="module")
def running(
    bare: Stack, worker: Candidate, request: pytest.FixtureRequest
) -> Iterator[ParallelScenarios]:
    endpoint = bare.env()["KUSTO_ENDPOINT"]
    chosen = {item.name for item in request.session.items}
    connection = KustoConnectionStringBuilder.with_no_authentication(endpoint)
    with KustoClient(connection) as kusto, faults_at(endpoint) as faults:
        kusto.execute_mgmt("Telemetry", f".create database {LOST}")
        scenarios.begin(bare, kusto, faults, chosen)
        yield scenarios
        scenarios.end()


def past(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule.get("status", {}).get("backfill", {})
    return found


@scenarios.scenario(
    fault("operation-end", state="Failed", status="busy", shouldRetry=True, count=5)
)
def test_five_attempts_are_made_with_growing_delays_before_a_window_fails(sandbox: Sandbox) -> None:
    sandbox.admit(sandbox.rule(backfill=backfill(START, END)))
    began = time.monotonic()
    rule = sandbox.until(lambda rule: past(rule).get("phase") == "Failed", "phase Failed", 180)
    (window,) = past(rule)["failed"]
    took = time.monotonic() - began
    say(f"\nattempts used up: {window['attempt']} attempts in {took:.0f} s: {window['error']}")
    assert window["attempt"] == 5
    assert took > 5 + 10 + 20 + 40
    sandbox.kubectl("annotate", "sr", sandbox.name, "adx-mon.azure.com/backfill-retry=all")
    sandbox.until_cleared()
    sandbox.assert_exactly_once(START, END)


def lost(sandbox: Sandbox) -> Sandbox:
    """The same sandbox in the database without records."""
    moved = replace(sandbox, database=LOST, source=f"{sandbox.source}_{sandbox.name[5:7]}")
    moved.load(START, END)
    return moved


@scenarios.scenario(
    fault("record-expiry", seconds=0, database=LOST, match=""),
    fault("log-expiry", seconds=0, database=LOST, match=""),
)
def test_an_operation_without_a_record_is_found_done_by_its_tag(sandbox: Sandbox) -> None:
    sandbox = lost(sandbox)
    sandbox.admit(sandbox.rule(backfill=backfill(START, END, maxInFlight=3)))
    began = time.monotonic()
    rule = sandbox.until_cleared(deadline=240)
    say(f"\nno record, data there: done by tag after {time.monotonic() - began:.0f} s")
    assert past(rule)["windowsRetried"] == 0
    sandbox.assert_exactly_once(START, END)


@scenarios.scenario(fault("operation-end", state="Failed", count=3))
def test_an_operation_without_a_record_and_without_data_is_sent_again(sandbox: Sandbox) -> None:
    sandbox = lost(sandbox)
    sandbox.admit(sandbox.rule(backfill=backfill(START, END, maxInFlight=3)))
    began = time.monotonic()
    rule = sandbox.until_cleared(deadline=400)
    say(f"\nno record, no data: sent again and done after {time.monotonic() - began:.0f} s")
    assert past(rule)["windowsRetried"] == 3
    sandbox.assert_exactly_once(START, END)


@scenarios.scenario(
    fault("operation-stuck", count=1), fault("lose-request", match=".cancel operation")
)
def test_a_deletion_waits_a_bounded_time_for_a_cancellation_that_cannot_be_asked_for(
    sandbox: Sandbox,
) -> None:
    sandbox.admit(sandbox.rule(backfill=backfill(START, END)))
    sandbox.until(lambda rule: "operationId" in json.dumps(past(rule)), "an operation in flight")
    began = time.monotonic()
    sandbox.kubectl("delete", "sr", sandbox.name, "--wait=false")
    while is_there(sandbox):
        assert time.monotonic() - began < 120, "the rule is still there"
        time.sleep(0.5)
    took = time.monotonic() - began
    say(f"\ndeleted, its operation not to be cancelled: let go after {took:.0f} s")
    assert 55 < took < 80


def is_there(sandbox: Sandbox) -> bool:
    return bool(
        sandbox.kubectl("get", "sr", sandbox.name, "--ignore-not-found", "-o", "name").stdout
    )


@scenarios.scenario(
    fault("request-latency", match=".set-or-append async {table}", seconds=40, count=3)
)
def test_a_submit_that_hangs_is_sent_again_and_doubles_nothing_when_it_is_heard(
    sandbox: Sandbox,
) -> None:
    sandbox.admit(sandbox.rule(backfill=backfill(START, END)))
    began = time.monotonic()
    rule = sandbox.until(
        lambda rule: "EndpointUnavailable" in json.dumps(rule), "a word of it", 150
    )
    say(f"\nsubmits that hang: said after {time.monotonic() - began:.0f} s")
    assert "no answer in time" in json.dumps(rule["status"]["conditions"])
    sandbox.until_cleared(deadline=60)
    took = time.monotonic() - began
    time.sleep(15)  # until the endpoint has looked at the last of those that hung
    say(f"\nthree submits that hung for 40 s each: done after {took:.0f} s")
    sandbox.assert_exactly_once(START, END)
