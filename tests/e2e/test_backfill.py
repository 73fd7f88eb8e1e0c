"""A backfill on the real stack: every window once, through re-applies, crashes and edits."""

import pytest

from summaryrule.api.instant import Instant
from tests.e2e.faults import Faults, fault
from tests.e2e.kills import survive
from tests.e2e.lab import Lab, backfill, hours_ago


def test_a_backfill_computes_each_window_once_and_removes_itself(lab: Lab) -> None:
    start, end = hours_ago(12), hours_ago(2)
    lab.load(start, end)
    lab.admit(lab.rule(backfill=backfill(start, end)))
    rule = lab.until_cleared()
    lab.assert_exactly_once(start, end)
    status = rule["status"]["backfill"]
    assert (status["phase"], status["progress"]) == ("Completed", "10/10")
    assert "finalizers" not in rule["metadata"]


def test_kubectl_wait_sees_the_end_of_a_backfill(lab: Lab) -> None:
    start, end = hours_ago(8), hours_ago(4)
    lab.load(start, end)
    lab.admit(lab.rule(backfill=backfill(start, end)))
    waited = lab.kubectl(
        "wait", f"summaryrule/{lab.name}", "--for=condition=Backfill", "--timeout=60s"
    )
    assert waited.returncode == 0, waited.stderr
    assert lab.get()["status"]["backfill"]["progress"] == "4/4"


def test_the_schedule_runs_beside_a_backfill(lab: Lab) -> None:
    start, end = hours_ago(6), hours_ago(1)
    lab.load(start, hours_ago(0))
    lab.admit(lab.rule(suspend=False, backfill=backfill(start, end)))
    rule = lab.until_cleared()
    rule = lab.until(lambda rule: "lastDone" in rule["status"]["schedule"], "the schedule")
    lab.assert_exactly_once(start, Instant.parse(rule["status"]["schedule"]["lastDone"]))


@pytest.mark.parametrize("flags", [(), ("--server-side",), ("--server-side", "--force-conflicts")])
def test_reapplying_a_running_backfill_keeps_its_cursor(
    lab: Lab, faults: Faults, flags: tuple[str, ...]
) -> None:
    start, end = hours_ago(22), hours_ago(2)
    lab.load(start, end)
    faults.set(fault("operation-latency", seconds=0.15, match=lab.table))
    manifest = lab.rule(backfill=backfill(start, end))
    lab.admit(manifest, *flags)
    cursor, applies, conflicts = start, 0, 0
    while True:
        rule = lab.get()
        if "backfill" not in rule["spec"]:
            break
        live = Instant.parse(rule["spec"]["backfill"]["start"])
        assert live >= cursor, "spec.backfill.start went back"
        cursor = live
        if rule.get("status", {}).get("backfill", {}).get("windowsDone", 0):
            done = lab.apply(manifest, *flags)
            conflicts += "conflict" in done.stderr
            assert done.returncode == 0 or "conflict" in done.stderr, done.stderr
            applies += 1
    assert applies >= 3
    lab.assert_exactly_once(start, end)
    lab.admit(manifest, *flags)
    assert "backfill" not in lab.until_cleared()["spec"]
    lab.assert_exactly_once(start, end)


def test_twenty_kills_at_random_moments_lose_and_double_nothing(lab: Lab, faults: Faults) -> None:
    survive(lab, faults, in_flight=8, windows=200, seed=20)
