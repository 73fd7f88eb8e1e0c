"""Kill -9 of the stack's own worker at random moments of a backfill, each followed by a restart."""

import random
import time

from tests.e2e.faults import Faults, fault
from tests.e2e.lab import Lab, backfill, hours_ago

KILLS = 20


def survive(lab: Lab, faults: Faults, *, in_flight: int, windows: int, seed: int) -> None:
    """Run a backfill of so many windows through twenty kills, and compare its rows.

    Operations take a second, so that each kill finds some in flight; after the last kill the
    rest may go as fast as it can.
    """
    start, end = hours_ago(windows + 2), hours_ago(2)
    faults.set(fault("operation-latency", seconds=1.0, match=lab.table))
    lab.load(start, end)
    lab.admit(lab.rule(backfill=backfill(start, end, maxInFlight=in_flight)))
    draw = random.Random(seed)
    for _ in range(KILLS):
        lab.stack.until_healthy("worker")
        time.sleep(draw.uniform(0.0, 0.6))
        lab.stack.kill("worker")
    assert "backfill" in lab.get()["spec"], "it ended before the last kill: take more windows"
    faults.clear()
    lab.until_cleared(deadline=120)
    lab.assert_exactly_once(start, end)
