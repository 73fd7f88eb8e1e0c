"""`worker verify` on the real stack: planted gaps and doubles, and what repairs them."""

import json
import os
import subprocess
import sys
from typing import Any

from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import window_token
from summaryrule.api.windows import windows_between
from tests.e2e.fixtures import HOUR, Sandbox, hours_ago


def run(
    sandbox: Sandbox, name: str, *words: str, without: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command about a rule, with the environment of `make env`, `without` one variable."""
    environment = {**os.environ, **sandbox.stack.env()}
    environment.pop(without, None)
    return subprocess.run(
        [sys.executable, "-m", "worker", "verify", name, "-n", "default", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def verify(sandbox: Sandbox, *words: str) -> tuple[int, str]:
    """Exit code and output of the command; nothing may be on standard error."""
    done = run(sandbox, sandbox.name, *words)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def report(sandbox: Sandbox, start: Instant, end: Instant) -> dict[str, Any]:
    _, printed = verify(sandbox, "--from", str(start), "--to", str(end), "-o", "json")
    (found,) = json.loads(printed)
    assert isinstance(found, dict)
    return found


def filled(sandbox: Sandbox, **spec: Any) -> tuple[Instant, Instant]:
    """A rule with a finished backfill of eight hours."""
    start, end = hours_ago(10), hours_ago(2)
    sandbox.load(start, end)
    backfill = {"start": str(start), "end": str(end), "maxInFlight": 8}
    sandbox.admit(sandbox.rule(suspend=True, backfill=backfill, **spec))
    sandbox.until_cleared()
    return start, end


def token_of(sandbox: Sandbox, start: Instant, number: int, request: str | None = None) -> str:
    rule = parse_rule(sandbox.get())
    return window_token(rule, windows_between(start, hours_ago(2), HOUR)[number], request)


def drop(sandbox: Sandbox, token: str) -> None:
    """Drop the rows of one append, as a person or a retention policy does."""
    text = (
        f".drop extents <| .show table {sandbox.table} extents where tags has 'ingest-by:{token}'"
    )
    sandbox.kusto.execute_mgmt(sandbox.database, text)


def run_repair(sandbox: Sandbox, command: str) -> None:
    """Run the printed command with the plugin, or as a command to Kusto."""
    if command.startswith("."):
        sandbox.kusto.execute_mgmt(sandbox.database, command)
        return
    words = command.removeprefix("kubectl summaryrule ").split()
    program = [sys.executable, "-m", "plugin", *words, "--wait"]
    environment = {**os.environ, **sandbox.stack.env()}
    subprocess.run(program, env=environment, check=True, capture_output=True, timeout=120)


def test_a_right_table_is_said_to_be_right(sandbox: Sandbox) -> None:
    filled(sandbox)
    code, printed = verify(sandbox)
    assert (code, printed) == (0, f"{sandbox.name}: 8 windows: 8 once\n")


def test_a_gap_is_found_and_its_command_fills_it(sandbox: Sandbox) -> None:
    start, end = filled(sandbox)
    drop(sandbox, token_of(sandbox, start, 3))
    drop(sandbox, token_of(sandbox, start, 4))
    code, printed = verify(sandbox)
    assert code == 1
    assert f"{sandbox.name}: 8 windows: 6 once, 2 missing" in printed
    assert "(2 windows)" in printed
    (command,) = [line.split("do: ")[1] for line in printed.splitlines() if "do: " in line]
    run_repair(sandbox, command)
    assert report(sandbox, start, end)["once"] == 8
    sandbox.assert_exactly_once(start, end)


def test_doubled_windows_are_found_and_its_command_removes_one_run(sandbox: Sandbox) -> None:
    start, end = filled(sandbox)
    again = f"--request-id again --start {start} --end {hours_ago(7)}"
    run_repair(sandbox, f"kubectl summaryrule backfill {sandbox.name} {again}")
    found = report(sandbox, start, end)
    assert (found["once"], found["twice"]) == (5, 3)
    assert [len(item["tokens"]) for item in found["items"]] == [2, 2, 2]
    for item in found["items"]:
        run_repair(sandbox, item["repair"])
    assert report(sandbox, start, end)["once"] == 8
    sandbox.assert_exactly_once(start, end)


def test_an_hour_without_data_is_empty_and_not_missing(sandbox: Sandbox) -> None:
    start, end = hours_ago(10), hours_ago(2)
    sandbox.load(hours_ago(8), end)
    sandbox.admit(
        sandbox.rule(
            suspend=True, backfill={"start": str(start), "end": str(end), "maxInFlight": 8}
        )
    )
    sandbox.until_cleared()
    found = report(sandbox, start, end)
    assert (found["once"], found["empty"], found["missing"]) == (6, 2, 0)


def test_repair_replaces_what_is_wrong_after_it_has_said_so(sandbox: Sandbox) -> None:
    start, end = filled(sandbox, writeMode="Replace")
    gap = start.plus(3 * HOUR.ticks)
    run_of_gap = f"drop-by:summaryrule/default/{sandbox.name}/{gap}/"
    tagged = f".show table {sandbox.table} extents where tags contains '{run_of_gap}'"
    sandbox.kusto.execute_mgmt(sandbox.database, f".drop extents <| {tagged}")
    range_of_repair = f"[{gap}, {gap.plus(HOUR.ticks)})"
    said = run(sandbox, sandbox.name, "--repair")
    assert said.returncode == 1
    assert f"would request a backfill of {range_of_repair}; add --yes" in said.stderr
    assert "backfill" not in sandbox.get()["spec"]
    assert (
        f"requested a backfill of {range_of_repair}"
        in run(sandbox, sandbox.name, "--repair", "--yes").stderr
    )
    sandbox.until_cleared()
    assert run(sandbox, sandbox.name, "--repair").returncode == 0
    sandbox.assert_exactly_once(start, end)


def test_repair_of_a_rule_that_appends_is_refused(sandbox: Sandbox) -> None:
    start, _ = filled(sandbox)
    drop(sandbox, token_of(sandbox, start, 3))
    done = run(sandbox, sandbox.name, "--repair")
    assert done.returncode == 2
    assert "needs writeMode: Replace" in done.stderr
    assert "do: kubectl summaryrule backfill" in done.stdout


def test_a_name_that_is_wrong_and_an_endpoint_that_is_missing_are_said(sandbox: Sandbox) -> None:
    filled(sandbox)
    wrong = run(sandbox, "nobody")
    assert wrong.returncode == 2
    assert "no SummaryRule nobody" in wrong.stderr
    lost = run(sandbox, sandbox.name, without="KUSTO_ENDPOINT")
    assert lost.returncode == 1
    assert "add it with --kusto-endpoint" in lost.stderr
