"""`make e2e-rotation`: replicas restart, leaves and the CA rotate, and no request fails.

A stack of its own with two replicas of the webhook, whose certificates live for minutes instead of
days: each is renewed by its own clock, in its own order, at two thirds of its life.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from devstack.chart import NAMESPACE, RELEASE
from devstack.stack import Stack
from tests.conftest import NO_WORKER
from tests.e2e.kubectl import Kubectl
from tests.e2e.proofs.say import say
from tests.e2e.rotation.tally import Tally
from tests.e2e.rotation.traffic import under_load
from tests.e2e.rotation.trust import Trust, client, prober, webhooks
from tests.webhook.process import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.proof, pytest.mark.timeout(1200)]

REPLICAS = 2
CLIENTS = 4
"""Of each habit."""
LEAST = 100_000
DEPLOYMENT = f"deployment/{RELEASE}-webhook"
SECRET = f"secret/{RELEASE}-webhook-ca"
ARGUMENTS = (
    "--leaf-lifetime=40s",
    "--ca-lifetime=330s",
    "--ca-overlap=15s",
    f"--adopt-owner={NO_WORKER}",
)
PATIENCE = 400.0


@pytest.fixture
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Start a stack whose webhook has two replicas and begins with a new CA."""
    folder = tmp_path_factory.mktemp("rotation")
    with Stack.start(folder, without=frozenset({"worker"})) as stack:
        made = Kubectl.of(stack)
        begin_anew(made)
        yield made


def begin_anew(kubectl: Kubectl) -> None:
    """No replica is left that remembers the first CA, which lives for a year."""
    scale(kubectl, 0)
    wait_until(lambda: not webhooks(kubectl.stack))
    steps = [
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": argument}
        for argument in ARGUMENTS
    ]
    ask(kubectl, "patch", DEPLOYMENT, "--type=json", "-p", json.dumps(steps))
    ask(kubectl, "patch", SECRET, "--type=json", "-p", '[{"op": "remove", "path": "/data"}]')
    scale(kubectl, REPLICAS)
    wait_until(lambda: are_settled(kubectl.stack), 60)


def are_settled(stack: Stack) -> bool:
    found = webhooks(stack)
    return len(found) == REPLICAS and all(each.healthy for each in found)


def scale(kubectl: Kubectl, count: int) -> None:
    ask(kubectl, "scale", DEPLOYMENT, f"--replicas={count}")


def ask(kubectl: Kubectl, *words: str) -> None:
    kubectl.must(*words, "-n", NAMESPACE)


def roll(kubectl: Kubectl) -> None:
    """Replace every replica, as a new version would."""
    ask(kubectl, "rollout", "restart", DEPLOYMENT)
    wait_until(lambda: len(webhooks(kubectl.stack)) > REPLICAS, 60)
    wait_until(lambda: are_settled(kubectl.stack), 120)


async def until(holds: Callable[[], bool], what: str) -> None:
    last = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < last, f"waited {PATIENCE:.0f} s for {what}"
        await asyncio.sleep(0.1)


async def test_restarts_and_rotations_under_load_fail_no_request(kubectl: Kubectl) -> None:
    tally = Tally()
    async with client(kubectl.stack) as api, prober() as probe:
        trust = Trust(kubectl.stack, api, probe)
        await trust.look()
        tally.begin("nothing happens")
        async with under_load(trust, api, tally, CLIENTS):
            await live_through(kubectl, trust, tally)
        tally.end()
    say("\n".join(["", *tally.lines()]))
    whole = tally.total()
    assert whole.failures == []
    assert whole.requests >= LEAST


async def live_through(kubectl: Kubectl, trust: Trust, tally: Tally) -> None:
    """Every phase, each until what it is named after has happened."""
    first = trust.authorities
    assert len(first) == 1
    await asyncio.sleep(10)
    tally.begin("rolling restart, twice")
    for _ in range(2):
        await asyncio.to_thread(roll, kubectl)
    tally.begin("leaf rotation, twice a replica")
    await until(lambda: len(tally.now.certificates) >= 3 * REPLICAS, "new leaves")
    assert trust.authorities == first, "the CA was not to rotate yet"
    tally.begin("as it was, until the CA is due")
    await until(lambda: trust.authorities > first, "the next CA in the bundle")
    tally.begin("next CA published")
    following = trust.authorities - first
    issuer = trust.name(*following)
    await until(lambda: any(s.issuer == issuer for s in tally.now.certificates), "its first leaf")
    tally.begin("next CA in use, first one too")
    await until(lambda: trust.authorities == following, "the first CA to leave the bundle")
    tally.begin("first CA gone")
    await until(lambda: tally.total().requests >= LEAST, f"{LEAST:,} requests")
    await asyncio.sleep(10)
