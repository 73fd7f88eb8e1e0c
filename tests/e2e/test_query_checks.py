"""The condition ``QueryValid`` on the real stack: a query is judged within seconds of its apply."""

import time
from typing import Any

import pytest

from tests.e2e.api import RULES
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

TYPO = (
    "| where Timestamp between (_startTime .. _endTime)\n"
    "| summarize Total = sum(Valu) by Timestamp = bin(Timestamp, 1h)\n"
)


def condition(rule: dict[str, Any], kind: str = "QueryValid") -> dict[str, Any]:
    found = (each for each in rule["status"]["conditions"] if each["type"] == kind)
    return next(found, {})


def events(sandbox: Sandbox, reason: str) -> list[dict[str, Any]]:
    query = f"fieldSelector=involvedObject.name={sandbox.name},reason={reason}"
    found: list[dict[str, Any]] = sandbox.api.get(f"/api/v1/namespaces/default/events?{query}")[
        "items"
    ]
    return found


def wait(sandbox: Sandbox, condition: str, seconds: int = 5) -> None:
    """`kubectl wait`, as a pipeline calls it."""
    words = ("wait", f"--for=condition={condition}", f"summaryrule/{sandbox.name}")
    done = sandbox.kubectl(*words, f"--timeout={seconds}s")
    assert done.returncode == 0, (done.stderr, sandbox.get())


def test_a_typo_is_in_the_condition_within_5_seconds_with_its_place_in_the_body(
    sandbox: Sandbox,
) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    sandbox.admit(sandbox.rule(suspend=False, body=f"\n{sandbox.raw}\n{TYPO}"))
    wait(sandbox, "QueryValid=False")
    found = condition(sandbox.get())
    assert found["reason"] == "QueryInvalid"
    assert "SEM0100" in found["message"]
    assert "Valu" in found["message"]
    assert "[line 4, position 24 of spec.body]" in found["message"]
    for command in ("status", "explain"):
        said = sandbox.kubectl("summaryrule", command, sandbox.name).stdout
        assert "line 4, position 24 of spec.body" in said
    assert (
        "correct spec.body where the message says"
        in sandbox.kubectl("summaryrule", "explain", sandbox.name).stdout
    )


def test_windows_run_without_a_retry_once_the_body_is_corrected(sandbox: Sandbox) -> None:
    start, end = hours_ago(3), hours_ago(0)
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(suspend=False, body=f"{sandbox.raw}\n{TYPO}"))
    wait(sandbox, "QueryValid=False")
    assert sandbox.rows(f"print N = toscalar({sandbox.raw} | count)")
    sandbox.admit(sandbox.rule(suspend=False))
    wait(sandbox, "QueryValid=True")
    sandbox.until(lambda rule: "lastDone" in rule["status"]["schedule"], "the window", 20)
    assert not sandbox.get()["status"]["schedule"].get("failed")
    assert len(sandbox.rows(sandbox.table)) == 1
    assert len(events(sandbox, "QueryInvalid")) == 1
    assert len(events(sandbox, "QueryValid")) == 1
    assert events(sandbox, "WindowFailed") == []


@pytest.mark.parametrize("mode", ["Append", "Replace"])
def test_a_backfill_runs_without_a_retry_once_the_body_is_corrected(
    sandbox: Sandbox, mode: str
) -> None:
    start, end = hours_ago(6), hours_ago(0)
    sandbox.load(start, end)
    asked = backfill(start, end, maxInFlight=2)
    sandbox.admit(sandbox.rule(writeMode=mode, backfill=asked, body=f"{sandbox.raw}\n{TYPO}"))
    wait(sandbox, "QueryValid=False")
    sandbox.admit(sandbox.rule(writeMode=mode, backfill=asked))
    status = sandbox.until_cleared()["status"]["backfill"]
    assert (status["phase"], status["windowsDone"]) == ("Completed", 6)
    sandbox.assert_exactly_once(start, end)
    assert events(sandbox, "BackfillFailed") == []


def test_a_table_that_is_created_later_heals_the_rule(sandbox: Sandbox) -> None:
    start, end = hours_ago(6), hours_ago(0)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end)))
    wait(sandbox, "QueryValid=False")
    found = condition(sandbox.get(), "Backfill")
    assert (found["status"], found["reason"]) == ("False", "QueryInvalid")
    assert sandbox.raw in found["message"]
    sandbox.load(start, end)
    wait(sandbox, "QueryValid=True", 30)
    sandbox.until_cleared()
    sandbox.assert_exactly_once(start, end)
    assert events(sandbox, "WindowFailed") == []


def test_a_column_of_another_type_is_named_before_the_first_window(sandbox: Sandbox) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    columns = "Timestamp:datetime, Samples:long, Total:real"
    sandbox.kusto.execute_mgmt(sandbox.database, f".create table {sandbox.table} ({columns})")
    sandbox.admit(sandbox.rule(suspend=False, ingestionDelay="12h"))
    wait(sandbox, "QueryValid=True")
    found = condition(sandbox.get())
    assert found["reason"] == "ColumnsDiffer"
    assert found["message"] == (
        f"column 3 is Total:long, and Total:real in table {sandbox.table}: write toreal(Total)"
    )
    assert len(events(sandbox, "ColumnsDiffer")) == 1
    said = sandbox.kubectl("summaryrule", "explain", sandbox.name).stdout
    assert "Warning: ColumnsDiffer: column 3 is Total:long" in said


def test_a_new_column_and_a_table_that_does_not_exist_are_said(sandbox: Sandbox) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    sandbox.admit(sandbox.rule())
    wait(sandbox, "QueryValid=True")
    assert f"table {sandbox.table} did not exist yet" in condition(sandbox.get())["message"]
    columns = "Timestamp:datetime, Samples:long"
    sandbox.kusto.execute_mgmt(sandbox.database, f".create table {sandbox.table} ({columns})")
    sandbox.admit(sandbox.rule(body=sandbox.rule()["spec"]["body"] + " // again"))
    wait(sandbox, "QueryValid=True")
    text = f"the query is valid; the first window adds Total:long to table {sandbox.table}"
    assert condition(sandbox.get())["message"] == text


def test_a_condition_is_about_the_newest_spec(sandbox: Sandbox) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    sandbox.admit(sandbox.rule())
    wait(sandbox, "QueryValid=True")
    began = time.monotonic()
    sandbox.admit(sandbox.rule(body=f"{sandbox.raw}\n{TYPO}"))
    wait(sandbox, "QueryValid=False")
    assert time.monotonic() - began < 5


def test_no_window_waits_for_the_checks_of_many_rules(sandbox: Sandbox, faults: Faults) -> None:
    sandbox.load(hours_ago(3), hours_ago(0))
    faults.set(fault("request-latency", match="getschema", seconds=2))
    rules = [sandbox.rule(suspend=False, table=f"{sandbox.table}_{n}") for n in range(60)]
    for number, rule in enumerate(rules):
        rule["metadata"] |= {"name": f"{sandbox.name}-{number}", "labels": {"many": sandbox.name}}
    began = time.monotonic()
    sandbox.admit({"apiVersion": "v1", "kind": "List", "items": rules})
    while any(
        "lastDone" not in (each.get("status") or {}).get("schedule", {}) for each in many(sandbox)
    ):
        assert time.monotonic() - began < 20, "windows wait"
        time.sleep(0.2)
    asked = faults.fired("request-latency", "getschema")
    assert 0 < asked <= 4 * ((time.monotonic() - began) / 2 + 1)
    assert asked < len(rules)
    done = sandbox.kubectl(
        "wait", "--for=condition=QueryValid", "sr", "-l", f"many={sandbox.name}", "--timeout=50s"
    )
    assert done.returncode == 0, done.stderr
    sandbox.kubectl("delete", "sr", "-l", f"many={sandbox.name}", "--wait=false")


def many(sandbox: Sandbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.api.get(f"{RULES}?labelSelector=many%3D{sandbox.name}")[
        "items"
    ]
    return found
