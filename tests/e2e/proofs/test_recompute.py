"""`make prove-recompute`: 720 windows with a wrong body are recomputed in mode Replace.

The worker is killed twenty times on the way, and the schedule goes on. A reader asks all the time
which windows have rows. At the end every row is compared.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from summaryrule.api.instant import Instant
from summaryrule.api.windows import windows_between
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import HOUR, Sandbox, backfill, hours_ago
from tests.e2e.kills import KILLS
from tests.e2e.proofs.say import say

WINDOWS = 720
WRONG = ("sum(Value)", "sum(Value) + 1")

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]


@dataclass
class Reader:
    """Reads the windows that have rows, again and again; `gaps` are those that it missed."""

    sandbox: Sandbox
    start: Instant
    end: Instant
    reads: int = 0
    gaps: set[str] = field(default_factory=set)

    @contextmanager
    def reading(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _read(self, stop: threading.Event) -> None:
        expected = {str(window.start) for window in windows_between(self.start, self.end, HOUR)}
        endpoint = self.sandbox.stack.env()["KUSTO_ENDPOINT"]
        query = f"{self.sandbox.table} | distinct Timestamp"
        with KustoClient(KustoConnectionStringBuilder.with_no_authentication(endpoint)) as client:
            while not stop.is_set():
                rows = client.execute_query(self.sandbox.database, query).primary_results[0]
                found = {str(Instant.parse(row[0])) for row in rows.raw_rows}
                self.gaps |= expected - found
                self.reads += 1


def test_a_recompute_replaces_every_row_and_no_reader_finds_a_gap(
    sandbox: Sandbox, faults: Faults
) -> None:
    start, end = hours_ago(WINDOWS), hours_ago(0)
    sandbox.load(start, end)
    made = sandbox.rule(
        suspend=False, writeMode="Replace", backfill=backfill(start, end, maxInFlight=20)
    )
    wrong = made | {"spec": made["spec"] | {"body": made["spec"]["body"].replace(*WRONG)}}
    began = time.monotonic()
    sandbox.admit(wrong)
    sandbox.until_cleared(deadline=500)
    assert compare(sandbox, start, end) == (WINDOWS, WINDOWS), "the wrong rows are there once"
    say(f"\n{WINDOWS} windows with the wrong body: {time.monotonic() - began:.0f} s")
    made["spec"]["backfill"] |= {"requestId": "fixed", "maxInFlight": 8}
    faults.set(fault("operation-latency", seconds=0.5, match=sandbox.table))
    reader, began = Reader(sandbox, start, end), time.monotonic()
    with reader.reading():
        sandbox.admit(made)
        kill(sandbox)
        faults.clear()
        sandbox.until_cleared(deadline=500)
    missing, surplus = compare(sandbox, start, end)
    say(
        f"recomputed with {KILLS} kills: {time.monotonic() - began:.0f} s, {missing} missing,"
        f" {surplus} doubled or old; {reader.reads} reads, {len(reader.gaps)} windows without rows"
    )
    assert (missing, surplus, reader.gaps) == (0, 0, set())
    assert reader.reads > KILLS


def kill(sandbox: Sandbox) -> None:
    """Kill -9 at random moments; the backfill must still run after the last one."""
    generator = random.Random(1)
    for _ in range(KILLS):
        sandbox.stack.wait_until_healthy("worker")
        time.sleep(generator.uniform(0.0, 0.6))
        sandbox.stack.kill("worker")
    assert "backfill" in sandbox.get()["spec"], "the backfill ended before the last kill"


def compare(sandbox: Sandbox, start: Instant, end: Instant) -> tuple[int, int]:
    """The numbers of missing rows and of surplus rows before `end`."""
    rows = (
        f"{sandbox.table} | where Timestamp < datetime({end}) | project Timestamp, Samples, Total"
    )
    stored, expected = Counter(sandbox.rows(rows)), sandbox.direct(start, end)
    return (expected - stored).total(), (stored - expected).total()
