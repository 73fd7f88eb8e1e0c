"""`make prove-reapply`: the manifest of a running backfill is applied again and again.

Two hundred server-side applies without `--force-conflicts`, at random moments: a watch never sees
`spec.backfill.start` go back, and at most 2 % are refused with a conflict. Client-side applies and
those by force are never refused.
"""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from summaryrule.api.instant import Instant
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, backfill, hours_ago
from tests.e2e.proofs.say import say

OPERATION = 1.0
"""Seconds that each operation takes."""

PAUSE = 0.6
"""Seconds between two applies, at most."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


@contextmanager
def watched(sandbox: Sandbox) -> Iterator[list[Instant]]:
    """Each `spec.backfill.start` that a watch has shown, in order."""
    path = "jsonpath={.spec.backfill.start}{'\\n'}"
    argv = [str(sandbox.stack.kubectl), "get", "summaryrule", sandbox.name, "--watch", "-o", path]
    seen: list[Instant] = []
    with subprocess.Popen(
        argv, env=sandbox.stack.env(), stdout=subprocess.PIPE, text=True
    ) as kubectl:
        assert kubectl.stdout is not None
        lines = kubectl.stdout

        def read() -> None:
            seen.extend(Instant.parse(line.strip()) for line in lines if line.strip())

        reading = threading.Thread(target=read)
        reading.start()
        try:
            yield seen
        finally:
            time.sleep(1)
            kubectl.terminate()
            reading.join()


@pytest.mark.parametrize(
    ("flags", "applies", "allowed"),
    [
        pytest.param(("--server-side",), 200, 0.02, id="server-side"),
        pytest.param((), 50, 0.0, id="client-side"),
        pytest.param(("--server-side", "--force-conflicts"), 50, 0.0, id="by-force"),
    ],
)
def test_reapplies_at_random_moments_rewind_nothing_and_seldom_conflict(
    sandbox: Sandbox, faults: Faults, flags: tuple[str, ...], applies: int, allowed: float
) -> None:
    start, end = hours_ago(2 * applies + 12), hours_ago(2)
    sandbox.load(start, end)
    faults.set(fault("operation-latency", seconds=OPERATION, match=sandbox.table))
    manifest = sandbox.rule(backfill=backfill(start, end))
    draw, conflicts = random.Random(200), 0
    sandbox.admit(manifest, *flags)
    with watched(sandbox) as seen:
        for _ in range(applies):
            time.sleep(draw.uniform(0.0, PAUSE))
            done = sandbox.apply(manifest, *flags)
            conflicts += "conflict" in done.stderr
            assert done.returncode == 0 or "conflict" in done.stderr, done.stderr
        faults.clear()
        sandbox.until_cleared(deadline=300)
    rewinds = sum(later < earlier for earlier, later in pairwise(seen))
    missing, doubled = sandbox.count_differences(start, end)
    say(
        f"\nkubectl apply {' '.join(flags)}: {applies} re-applies, {len(seen)} changes seen,"
        f" {rewinds} rewinds,"
        f" {conflicts} conflicts ({conflicts / applies:.1%}), {missing} missing, {doubled} doubled"
    )
    assert rewinds == 0
    assert conflicts <= allowed * applies
    assert (missing, doubled) == (0, 0)
