"""`make prove-failures`, last row: Kusto is down, and no flood meets it on its return.

Three schedules that owe sixty windows each and a backfill of sixty wait through the outage.
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.stack import Stack
from summaryrule.api.instant import Instant
from tests.e2e.api import RULES
from tests.e2e.candidates import Candidate, candidates
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import HOUR, Sandbox, SandboxMaker, backfill, hours_ago, now
from tests.e2e.gateway import Effect
from tests.e2e.proofs.say import say

OUTAGE = 45.0
OWED = 60
IN_FLIGHT = 4
"""Windows of one rule at once: what the backfill asks for, and the bound of interval runs."""

SUBMIT = "Kusto: submit "
OWNER = "adx-mon.azure.com/owner"

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(600)]


@pytest.fixture
def worker(bare: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Candidate]:
    with candidates(bare, tmp_path_factory.mktemp("worker"), "worker-1") as (only,):
        yield only


def owe(sandbox: Sandbox) -> None:
    """A rule whose schedule stands where another operator left it, sixty windows ago."""
    rule = sandbox.rule(suspend=False)
    rule["metadata"]["annotations"] = {OWNER: "another"}
    sandbox.admit(rule)
    cursor = {
        "type": "summaryrule.adx-mon.azure.com/LastSuccessfulExecution",
        "status": "True",
        "reason": "ExecutionSuccessful",
        "message": str(hours_ago(OWED)),
        "lastTransitionTime": now().to_seconds(),
    }
    path = f"{RULES}/{sandbox.name}"
    sandbox.api.patch(f"{path}/status", {"status": {"conditions": [cursor]}})
    sandbox.api.patch(path, {"metadata": {"annotations": {OWNER: None}}})


def caught_up(sandbox: Sandbox) -> Instant:
    """Wait until the schedule owes nothing; the end of its last window."""
    due = hours_ago(0)

    def last_done(rule: dict[str, Any]) -> Instant:
        return Instant.parse(rule["status"]["schedule"]["lastDone"])

    rule = sandbox.until(lambda rule: last_done(rule) >= due, "the schedule to catch up", 120)
    return last_done(rule)


def start_of(submit: Effect) -> Instant:
    return Instant.parse(submit.what.removeprefix(SUBMIT))


def most_at_once(sandbox: Sandbox) -> int:
    """The most appends that Kusto ran at the same time, by its own records."""
    records = sandbox.kusto.execute_mgmt(sandbox.database, ".show operations").primary_results[0]
    latest = {row["OperationId"]: row for row in records if "Append" in row["Operation"]}
    moments = [(str(row["StartedOn"]), 1) for row in latest.values()]
    moments += [(str(row["LastUpdatedOn"]), -1) for row in latest.values()]
    return max(itertools.accumulate(step for _, step in sorted(moments)))


def test_kusto_down_is_no_flood_on_its_return(
    worker: Candidate, bare_sandbox: SandboxMaker, bare_faults: Faults
) -> None:
    bare_faults.set(fault("operation-latency", seconds=0.5))
    owing, past = [bare_sandbox("owing") for _ in range(3)], bare_sandbox("past")
    gateway = worker.gateway
    gateway.kusto_is_down = True
    for sandbox in owing:
        owe(sandbox)
    start, end = hours_ago(OWED + 2), hours_ago(2)
    past.admit(past.rule(backfill=backfill(start, end, maxInFlight=IN_FLIGHT)))
    worker.start()
    time.sleep(OUTAGE)
    asked = [effect for effect in gateway.effects if effect.what.startswith("Kusto")]

    gateway.watch()
    returned, gateway.kusto_is_down = time.monotonic(), False
    past.until_cleared(deadline=120)
    for sandbox in owing:
        sandbox.assert_exactly_once(hours_ago(OWED), caught_up(sandbox))
    past.assert_exactly_once(start, end)

    sent = [effect for effect in gateway.effects if effect.table]
    first = sent[0].at
    say(
        f"\nKusto down for {OUTAGE:.0f} s: {len(asked)} calls meanwhile; back at work"
        f" {first - returned:.0f} s after its return, {len(sent)} windows in"
        f" {sent[-1].at - first:.0f} s, at most {most_at_once(past)} at once"
    )
    assert len(asked) < OUTAGE
    assert most_at_once(past) <= IN_FLIGHT * (len(owing) + 1)
    for sandbox in (*owing, past):
        order = [start_of(each) for each in sent if each.table == sandbox.table]
        gaps = [earlier.ticks - later.ticks for earlier, later in itertools.pairwise(order)]
        assert max(gaps) < IN_FLIGHT * HOUR.ticks, "not the oldest first"
