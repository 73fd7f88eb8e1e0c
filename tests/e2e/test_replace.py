"""Mode Replace on a real API server and the local Kusto endpoint."""

from typing import Any

from summaryrule.api.instant import Instant
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

WINDOWS = 3
WRONG = ("sum(Value)", "sum(Value) + 1")


def wrong_then_right(sandbox: Sandbox) -> tuple[dict[str, Any], Instant, Instant]:
    """Run a backfill with a wrong body; the rule with the right one, not applied yet."""
    start, end = hours_ago(WINDOWS + 2), hours_ago(2)
    sandbox.load(start, end)
    right = sandbox.rule(writeMode="Replace", backfill=backfill(start, end, maxInFlight=3))
    body = right["spec"]["body"]
    sandbox.admit(right | {"spec": right["spec"] | {"body": body.replace(*WRONG)}})
    sandbox.until_cleared()
    assert sandbox.count_differences(start, end) == (WINDOWS, WINDOWS)
    right["spec"]["backfill"]["requestId"] = "right"
    return right, start, end


def test_a_recompute_replaces_the_rows_though_kusto_merges_what_it_may(
    sandbox: Sandbox, faults: Faults
) -> None:
    faults.set(fault("merge-extents", match=sandbox.table))
    right, start, end = wrong_then_right(sandbox)
    sandbox.admit(right)
    sandbox.until_cleared()
    sandbox.assert_exactly_once(start, end)


def test_without_the_right_to_drop_the_window_fails_with_the_role(
    sandbox: Sandbox, faults: Faults
) -> None:
    right, start, end = wrong_then_right(sandbox)
    faults.set(fault("forbid", match=".drop extents"))
    sandbox.admit(right)
    failed = sandbox.until(
        lambda rule: len(rule["status"]["backfill"]["failed"]) == WINDOWS, "the windows to fail"
    )["status"]["backfill"]["failed"]
    assert f"needs the role Table Admin on table {sandbox.table}" in failed[0]["error"]
    assert sandbox.count_differences(start, end) == (0, WINDOWS)
    faults.clear()
    sandbox.kubectl("annotate", "summaryrule", sandbox.name, "adx-mon.azure.com/backfill-retry=all")
    sandbox.until_cleared()
    sandbox.assert_exactly_once(start, end)


def test_the_mode_in_the_wrong_case_is_refused(sandbox: Sandbox) -> None:
    done = sandbox.apply(sandbox.rule(writeMode="replace"))
    assert done.returncode == 1
    assert 'spec.writeMode: Unsupported value: "replace"' in done.stderr
    assert '"Append", "Replace"' in done.stderr
