"""A backfill on the real stack: every window once, through re-applies, crashes and edits."""

import pytest

from summaryrule.api.instant import Instant
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago
from tests.e2e.kills import survive


def test_a_backfill_computes_each_window_once_and_removes_itself(sandbox: Sandbox) -> None:
    start, end = hours_ago(12), hours_ago(2)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    rule = sandbox.until_cleared()
    sandbox.assert_exactly_once(start, end)
    status = rule["status"]["backfill"]
    assert (status["phase"], status["progress"]) == ("Completed", "10/10")
    assert "finalizers" not in rule["metadata"]


def test_kubectl_wait_sees_the_end_of_a_backfill(sandbox: Sandbox) -> None:
    start, end = hours_ago(8), hours_ago(4)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    waited = sandbox.kubectl(
        "wait", f"summaryrule/{sandbox.name}", "--for=condition=Backfill", "--timeout=60s"
    )
    assert waited.returncode == 0, waited.stderr
    assert sandbox.get()["status"]["backfill"]["progress"] == "4/4"


def test_the_schedule_runs_beside_a_backfill(sandbox: Sandbox) -> None:
    start, end = hours_ago(6), hours_ago(1)
    sandbox.load(start, hours_ago(0))
    sandbox.admit(sandbox.rule(suspend=False, backfill=backfill(start, end)))
    rule = sandbox.until_cleared()
    rule = sandbox.until(lambda rule: "lastDone" in rule["status"]["schedule"], "the schedule")
    sandbox.assert_exactly_once(start, Instant.parse(rule["status"]["schedule"]["lastDone"]))


@pytest.mark.parametrize("flags", [(), ("--server-side",), ("--server-side", "--force-conflicts")])
def test_reapplying_a_running_backfill_keeps_its_cursor(
    sandbox: Sandbox, faults: Faults, flags: tuple[str, ...]
) -> None:
    start, end = hours_ago(22), hours_ago(2)
    sandbox.load(start, end)
    faults.set(fault("operation-latency", seconds=0.15, match=sandbox.table))
    manifest = sandbox.rule(backfill=backfill(start, end))
    sandbox.admit(manifest, *flags)
    cursor, applies, conflicts = start, 0, 0
    while True:
        rule = sandbox.get()
        if "backfill" not in rule["spec"]:
            break
        live = Instant.parse(rule["spec"]["backfill"]["start"])
        assert live >= cursor, "spec.backfill.start went back"
        cursor = live
        if rule.get("status", {}).get("backfill", {}).get("windowsDone", 0):
            done = sandbox.apply(manifest, *flags)
            conflicts += "conflict" in done.stderr
            assert done.returncode == 0 or "conflict" in done.stderr, done.stderr
            applies += 1
    assert applies >= 3
    sandbox.assert_exactly_once(start, end)
    sandbox.admit(manifest, *flags)
    assert "backfill" not in sandbox.until_cleared()["spec"]
    sandbox.assert_exactly_once(start, end)


def test_twenty_kills_at_random_moments_lose_and_double_nothing(
    sandbox: Sandbox, faults: Faults
) -> None:
    survive(sandbox, faults, in_flight=8, windows=200, seed=20)
