"""`make prove-shards`: three workers share four shards, on real parts.

One is killed, one is stopped past its Leases and wakes, all are replaced by workers of another
number of shards, while the rules of every shard run backfills. Each window is there once.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator
from urllib.request import Request, urlopen

import pytest
from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

from devstack.stack import Stack
from summaryrule.shards import shard_of
from tests.e2e.lab import Lab, backfill, hours_ago
from tests.e2e.shards.crew import Crew, allow, crew

SHARDS = 4
RULES = 8
WINDOWS = 24
IN_FLIGHT = 2
OPERATION = 2.0
"""Seconds that each operation takes: a backfill lasts at least twelve of them."""

START, END = hours_ago(WINDOWS + 2), hours_ago(2)

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without a worker, whose chart lets one share the rules."""
    folder = tmp_path_factory.mktemp("shards")
    with Stack.start(folder, without=frozenset({"worker"})) as stack:
        allow(stack, SHARDS, tmp_path_factory.mktemp("helm"))
        fault = {"fault": "operation-latency", "seconds": OPERATION}
        body = json.dumps({"faults": [fault]}).encode()
        url = f"{stack.env()['KUSTO_ENDPOINT']}/faults"
        urlopen(Request(url, data=body, method="PUT"), timeout=10).close()  # noqa: S310 - loopback
        yield stack


@pytest.fixture(scope="module")
def three(bare: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("crew")
    with crew(bare, folder, "worker-a", "worker-b", "worker-c") as members:
        for each in members.members:
            each.start(f"--shards={SHARDS}")
        yield members


@pytest.fixture
def labs(bare: Stack, request: pytest.FixtureRequest) -> Iterator[list[Lab]]:
    """Rules with a backfill each, over all shards."""
    env = bare.env()
    connection = KustoConnectionStringBuilder.with_no_authentication(env["KUSTO_ENDPOINT"])
    kind = "roll" if "another" in request.node.name else "loss"
    with KustoClient(connection) as kusto:
        made = [Lab(bare, kusto, f"{kind}-{number}") for number in range(RULES)]
        for lab in made:
            lab.load(START, END)
        yield made


def begin(labs: list[Lab]) -> None:
    for lab in labs:
        lab.admit(lab.rule(backfill=backfill(START, END, maxInFlight=IN_FLIGHT)))
    for lab in labs:
        lab.until(lambda rule: done(rule) > 0, "a window to be done")


def done(rule: dict[str, dict[str, dict[str, int]]]) -> int:
    return rule.get("status", {}).get("backfill", {}).get("windowsDone", 0)


def took(holds: Callable[[], bool], what: str, deadline: float = 60.0) -> float:
    """Seconds until it holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + deadline, f"waited {deadline:.0f} s for {what}"
        time.sleep(0.2)
    return time.monotonic() - began


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a proof prints its figures


def finish(labs: list[Lab]) -> None:
    for lab in labs:
        lab.until_cleared(deadline=120)
        lab.assert_exactly_once(START, END)
    say(f"{len(labs)} backfills of {WINDOWS} windows: 0 missing, 0 doubled")


def test_shards_that_move_from_worker_to_worker_lose_and_double_nothing(
    three: Crew, labs: list[Lab]
) -> None:
    def is_even() -> bool:
        return three.share(SHARDS) == [2, 1, 1]

    even = took(is_even, "2-1-1")
    say(f"\nthree workers that start share {SHARDS} shards 2-1-1 after {even:.1f} s")
    begin(labs)

    killed = three.richest(SHARDS)
    lost = {shard for shard, who in three.holders(SHARDS).items() if who == killed.identity}
    theirs = [lab for lab in labs if shard_of(lab.get()["metadata"]["uid"], SHARDS) in lost]
    assert theirs
    killed.send(signal.SIGKILL)
    taken = took(lambda: three.share(SHARDS) == [2, 2], "the other two to take over")
    say(f"{killed.identity} killed, {len(theirs)} rules of its shards: taken over in {taken:.1f} s")
    killed.start(f"--shards={SHARDS}")
    say(f"started again: 2-1-1 after {took(is_even, '2-1-1'):.1f} s")

    stopped = three.richest(SHARDS)
    stopped.send(signal.SIGSTOP)
    taken = took(lambda: stopped.identity not in three.holders(SHARDS).values(), "a takeover")
    stopped.send(signal.SIGCONT)
    back = took(is_even, "2-1-1")
    say(f"{stopped.identity} stopped: taken over in {taken:.1f} s; woken: 2-1-1 after {back:.1f} s")
    finish(labs)


def test_workers_of_another_number_of_shards_take_over_and_nothing_is_lost_or_doubled(
    three: Crew, labs: list[Lab]
) -> None:
    begin(labs)
    began = time.monotonic()
    for each in three.members:
        each.send(signal.SIGTERM)
        each.start(f"--shards={SHARDS - 1}")
    taken = took(lambda: three.number() == f"{SHARDS - 1} shards", "workers of three shards")
    took(lambda: three.share(SHARDS - 1) == [1, 1, 1], "1-1-1")
    say(
        f"\nfrom {SHARDS} shards to {SHARDS - 1}: rolled in {time.monotonic() - began:.1f} s,"
        f" of which {taken:.1f} s after the last had been replaced"
    )
    finish(labs)
