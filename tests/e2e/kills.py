"""Kills the stack's worker (SIGKILL) at random moments of a backfill; the stack restarts it."""

import random
import time

from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago

KILLS = 20


def survive(sandbox: Sandbox, faults: Faults, *, in_flight: int, windows: int, seed: int) -> None:
    """Run a backfill of `windows` windows with `KILLS` kills, and compare its rows.

    Operations take one second, so that some are in flight at each kill. After the last kill they
    are not delayed any more.
    """
    start, end = hours_ago(windows + 2), hours_ago(2)
    faults.set(fault("operation-latency", seconds=1.0, match=sandbox.table))
    sandbox.load(start, end)
    sandbox.admit(sandbox.rule(backfill=backfill(start, end, maxInFlight=in_flight)))
    generator = random.Random(seed)
    for _ in range(KILLS):
        sandbox.stack.wait_until_healthy("worker")
        time.sleep(generator.uniform(0.0, 0.6))
        sandbox.stack.kill("worker")
    assert "backfill" in sandbox.get()["spec"], (
        "the backfill ended before the last kill: use more windows"
    )
    faults.clear()
    sandbox.until_cleared(deadline=120)
    sandbox.assert_exactly_once(start, end)
