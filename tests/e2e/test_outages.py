"""Failures that strike every rule at once, so that they cannot be parts of a scene."""

import time

from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

LAG = 1.5
DOWN = 3.0


def test_an_operation_is_waited_for_while_the_log_lags(sandbox: Sandbox, faults: Faults) -> None:
    """The latest form knows nothing, as after six hours; the log knows it only later."""
    start, end = hours_ago(4), hours_ago(2)
    sandbox.load(start, end)
    faults.set(fault("record-expiry", seconds=0), fault("log-lag", seconds=LAG))
    began = time.monotonic()
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    status = sandbox.until_cleared()["status"]["backfill"]
    assert time.monotonic() - began > 2 * LAG
    assert (status["phase"], status["windowsRetried"]) == ("Completed", 0)
    sandbox.assert_exactly_once(start, end)


def test_a_kusto_that_is_down_is_waited_for(sandbox: Sandbox, faults: Faults) -> None:
    start, end = hours_ago(12), hours_ago(2)
    sandbox.load(start, end)
    faults.set(fault("lose-request"))
    sandbox.admit(sandbox.rule(backfill=backfill(start, end, maxInFlight=4)))
    time.sleep(DOWN)
    asked = faults.fired("lose-request", "")
    assert 0 < asked < 10 * DOWN, "it was not left alone while it was down"
    faults.clear()
    assert sandbox.until_cleared()["status"]["backfill"]["windowsRetried"] == 0
    sandbox.assert_exactly_once(start, end)
