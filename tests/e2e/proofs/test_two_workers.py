"""`make prove-two-workers`: the leader is stopped past its Lease, another takes over, it wakes.

SIGSTOP freezes the leader at a chosen moment of a running backfill. It is continued once the other
worker leads and has moved the backfill on. Each worker has a gateway of its own, so what the woken
one sends can be told from what its successor does.
"""

import asyncio
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from devstack.stack import Stack
from tests.e2e.candidates import Candidate, candidates, holder
from tests.e2e.faults import Faults, fault
from tests.e2e.fixtures import Sandbox, SandboxMaker, backfill, hours_ago
from tests.e2e.gateway import Effect, Moment
from tests.e2e.proofs.say import say

WINDOWS = 60
IN_FLIGHT = 4
AWAKE = 4.0
"""Seconds that the woken worker is watched for."""

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(900)]


@dataclass
class Freeze:
    """A hook that stops the worker at a call of the kind `what`, and may hold that call."""

    candidate: Candidate
    what: str
    when: Moment
    holds: bool = False
    frozen: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def may_be_in_client(self, act: str) -> bool:
        """Whether the stop may have met `act` in the Kusto client, while it opened a connection.

        The submits side by side with the one that stops the worker were checked before the stop.
        The client has no documented hook between that check and the first byte.
        """
        return self.what == "submit" and act.startswith("Kusto: submit")

    async def __call__(self, effect: Effect, moment: Moment) -> None:
        if moment is not self.when or self.what not in effect.what or self.frozen.is_set():
            return
        self.candidate.send(signal.SIGSTOP)
        self.frozen.set()
        if self.holds:
            await asyncio.to_thread(self.let_go.wait, 60)


Scene = Callable[[Candidate], Freeze]
MOMENTS: dict[str, Scene] = {
    "a submit on its way": lambda each: Freeze(each, "submit", Moment.ARRIVED),
    "a submit carried out, its reply not heard": lambda each: Freeze(
        each, "submit", Moment.CARRIED_OUT
    ),
    "a submit held on its way until the other leads": lambda each: Freeze(
        each, "submit", Moment.ARRIVED, holds=True
    ),
    "intents being recorded": lambda each: Freeze(each, "intent", Moment.ARRIVED),
    "intents held on their way until the other leads": lambda each: Freeze(
        each, "intent", Moment.ARRIVED, holds=True
    ),
    "intents recorded, the reply just heard": lambda each: Freeze(each, "intent", Moment.PASSED_ON),
    "between, while operations run": lambda each: Freeze(each, "poll", Moment.PASSED_ON),
}


@pytest.fixture(scope="module")
def pair(
    bare: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Candidate, Candidate]]:
    with candidates(bare, tmp_path_factory.mktemp("pair"), "worker-a", "worker-b") as (a, b):
        a.start()
        until(lambda: holder(bare) == a.identity, "the first to lead")
        b.start()
        yield a, b


def until(holds: Callable[[], bool], what: str, deadline: float = 60.0) -> None:
    last = time.monotonic() + deadline
    while not holds():
        assert time.monotonic() < last, f"waited {deadline:.0f} s for {what}"
        time.sleep(0.1)


def done(sandbox: Sandbox) -> int:
    return int(sandbox.get().get("status", {}).get("backfill", {}).get("windowsDone", 0))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_leader_that_wakes_after_its_lease_begins_nothing_and_nothing_is_doubled(
    moment: str, pair: tuple[Candidate, Candidate], bare_sandbox: SandboxMaker, bare_faults: Faults
) -> None:
    sandbox, start, end = bare_sandbox("pair"), hours_ago(WINDOWS + 2), hours_ago(2)
    stack = sandbox.stack
    leader, other = sorted(pair, key=lambda each: each.identity != holder(stack))
    bare_faults.set(fault("operation-latency", seconds=1.0, match=f"{sandbox.table} "))
    for each in pair:
        each.gateway.watch()
    sandbox.admit(sandbox.rule(backfill=backfill(start, end, maxInFlight=IN_FLIGHT)))
    until(lambda: done(sandbox) > 4, "windows to be done")
    time.sleep(random.uniform(0, 1))

    freeze = MOMENTS[moment](leader)
    leader.gateway.watch(freeze)
    assert freeze.frozen.wait(30)
    before = done(sandbox)
    until(lambda: holder(stack) == other.identity, "the other to lead")
    until(lambda: done(sandbox) > before, "the other to move the backfill on")
    woken = time.monotonic()
    leader.send(signal.SIGCONT)
    freeze.let_go.set()
    time.sleep(AWAKE)
    sent = [each.what for each in leader.gateway.effects if each.at >= woken]
    bare_faults.clear()
    sandbox.until_cleared(deadline=120)

    missing, doubled = sandbox.count_differences(start, end)
    acts = [what for what in sent if not what.startswith("Kusto: poll")]
    say(
        f"\nstopped at: {moment}: {leader.identity} slept, {other.identity} led;"
        f" sent after waking: {', '.join(acts) or 'nothing'}; {missing} missing, {doubled} doubled"
    )
    assert [what for what in acts if not freeze.may_be_in_client(what)] == []
    assert len(acts) < IN_FLIGHT
    assert (missing, doubled) == (0, 0)
