"""`kubectl diff` between a manifest and its rule, while its backfill runs and when it is done."""

import json

import pytest

from tests.e2e.fixtures import Sandbox, backfill, hours_ago

LAST_APPLIED = "{"
"""The line of the annotation that a client-side apply writes begins like this."""


def changed(sandbox: Sandbox, manifest: str, *flags: str) -> list[str]:
    """The lines that `kubectl diff` shows as removed or added, without their mark."""
    done = sandbox.kubectl("diff", *flags, "-f", "-", stdin=manifest)
    assert done.returncode in {0, 1}, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[:1] in {"-", "+"}]
    found = [line[1:].strip() for line in lines if not line.startswith(("---", "+++"))]
    assert bool(found) == (done.returncode == 1)
    return found


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_rule_whose_backfill_runs_differs_in_nothing(
    sandbox: Sandbox, flags: tuple[str, ...]
) -> None:
    start, last = hours_ago(6), hours_ago(0)
    sandbox.load(start, last)
    rule = sandbox.rule(backfill=backfill(start, hours_ago(-2)))
    sandbox.admit(rule, *flags)
    # Its last windows are not due, so it neither ends nor changes while kubectl reads it twice.
    shown = str(last)
    sandbox.until(lambda rule: rule["spec"]["backfill"]["start"] == shown, "the cursor")
    assert changed(sandbox, json.dumps(rule), *flags) == []
    assert sandbox.get()["status"]["backfill"]["phase"] == "Running"


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_rule_whose_backfill_is_done_differs_in_nothing(
    sandbox: Sandbox, flags: tuple[str, ...]
) -> None:
    start, end = hours_ago(6), hours_ago(2)
    sandbox.load(start, end)
    rule = sandbox.rule(backfill=backfill(start, end))
    sandbox.admit(rule, *flags)
    sandbox.until_cleared()
    assert changed(sandbox, json.dumps(rule), *flags) == []


def test_of_a_rule_applied_client_side_the_server_changes_the_annotation_alone(
    sandbox: Sandbox,
) -> None:
    """kubectl shows this line for any object: it writes the annotation in another form."""
    start, end = hours_ago(6), hours_ago(2)
    sandbox.load(start, end)
    rule = sandbox.rule(backfill=backfill(start, end))
    manifest = json.dumps(rule)
    sandbox.admit(rule)
    sandbox.until_cleared()
    before, after = changed(sandbox, manifest, "--server-side")
    assert before.startswith(LAST_APPLIED)
    assert json.loads(before)["spec"] == json.loads(after)["spec"] == rule["spec"]
    sandbox.admit(rule, "--server-side")
    assert changed(sandbox, manifest, "--server-side") == []
