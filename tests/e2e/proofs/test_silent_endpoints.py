"""`make prove-failures`: endpoints that hang, that are down, or for which there is no identity.

The first and the last are in the rule's condition, in the worker's log and on its page within half
a minute. One that is down while nothing is due is in the log, on the page and in a metric within 90
seconds.
"""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from devstack.stack import Stack
from tests.e2e.candidates import Candidate, candidates
from tests.e2e.fixtures import Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.proofs.say import say

WITHIN = 30.0
IDLE_WITHIN = 90.0
NO_LOGIN = "https://mycluster.westeurope.kusto.windows.net"

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(300)]


@pytest.fixture
def worker(
    bare: Stack, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Candidate]:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with candidates(bare, tmp_path_factory.mktemp("worker"), "worker-2") as (only,):
        only.start(f"--kusto-endpoint=Prod={NO_LOGIN}", "--query-checks=0")
        yield only


def address(worker: Candidate) -> str:
    """Where the worker serves its page, as its log says."""
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        found = re.search(r"probes and metrics on ([\d.:]+)", worker.log.read_text())
        if found:
            return f"http://{found[1]}"
        time.sleep(0.1)
    raise AssertionError(worker.log.read_text())


def until_reported(sandbox: Sandbox, since: float) -> str:
    """The message of condition Ready once it says that the endpoint is unavailable."""

    def ready(rule: dict[str, dict[str, list[dict[str, str]]]]) -> dict[str, str]:
        (found,) = [each for each in rule["status"]["conditions"] if each["type"] == "Ready"]
        return found

    rule = sandbox.until(
        lambda rule: ready(rule)["reason"] == "EndpointUnavailable", "the condition", WITHIN
    )
    took = time.monotonic() - since
    say(f"\n{took:.0f} s: {ready(rule)['message']}")
    assert took < WITHIN
    return ready(rule)["message"]


def page(worker: Candidate, url: str) -> dict[str, str]:
    (found,) = [
        each for each in json.loads(read(worker, "/status.json"))["endpoints"] if each["url"] == url
    ]
    known: dict[str, str] = found
    return known


def test_a_hung_endpoint_is_reported_with_the_window_that_waits(
    bare: Stack, worker: Candidate, bare_sandbox: SandboxMaker
) -> None:
    sandbox = bare_sandbox("hung")
    start, end = hours_ago(100), hours_ago(2)
    kusto = bare.process("kusto").pid
    assert kusto is not None
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    sandbox.until(lambda rule: rule["status"]["backfill"]["windowsDone"] > 3, "a few windows")
    began = time.monotonic()
    os.kill(kusto, signal.SIGSTOP)
    try:
        message = until_reported(sandbox, began)
        assert re.search(r"no answer in time; window \[.*\) waits for it", message)
        assert page(worker, worker.gateway.kusto)["state"] == "failing"
    finally:
        os.kill(kusto, signal.SIGCONT)
    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    warned = [each["message"] for each in lines if each["level"] == "warning"]
    assert len([each for each in warned if each.startswith("endpoint http://127")]) == 1, warned
    sandbox.until_cleared(180)
    sandbox.assert_exactly_once(start, end)


def test_a_missing_identity_is_reported_at_the_start(
    worker: Candidate, bare_sandbox: SandboxMaker
) -> None:
    sandbox = bare_sandbox("nobody")
    began = time.monotonic()
    rule = sandbox.rule(suspend=False, interval="168h")
    rule["spec"]["database"] = "Prod"
    sandbox.admit(rule)
    message = until_reported(sandbox, began)
    assert f"no token for {NO_LOGIN} as az-login: " in message
    assert "set the chart values workloadIdentity.enabled and workloadIdentity.clientId" in message
    known = page(worker, NO_LOGIN)
    assert (known["state"], known["identity"]) == ("failing", "az-login")
    assert f"{NO_LOGIN} fails since" in read(worker, "/readyz")


def test_an_endpoint_that_is_down_while_nothing_is_due_is_reported(worker: Candidate) -> None:
    kusto = worker.gateway.kusto
    until_page_says(worker, "answering")
    for state, verb, metric, lines in (("failing", "fails", 0, 1), ("answering", "answers", 1, 2)):
        worker.gateway.kusto_is_down = state == "failing"
        took = until_page_says(worker, state)
        say(f"\n{took:.0f} s until an endpoint without work is {state}")
        assert f'summaryrule_worker_kusto_endpoint_up{{endpoint="{kusto}"}} {metric}.0' in read(
            worker, "/metrics"
        )
        assert f"{kusto} {verb} since" in read(worker, "/readyz")
        assert worker.log.read_text().count(f"endpoint {kusto} {verb} since") == lines


def until_page_says(worker: Candidate, state: str) -> float:
    """The seconds until the page and the log say so of the local endpoint."""
    began = time.monotonic()
    while page(worker, worker.gateway.kusto)["state"] != state:
        assert time.monotonic() - began < IDLE_WITHIN, read(worker, "/readyz")
        time.sleep(0.5)
    time.sleep(2.5)
    return time.monotonic() - began


def read(worker: Candidate, path: str) -> str:
    with urlopen(f"{address(worker)}{path}") as answer:  # noqa: S310 - http
        text: str = answer.read().decode()
    return text
