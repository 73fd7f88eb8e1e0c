"""Three workers that share shards by Leases on a real API server."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.worker.eventually import eventually
from worker.clock import SystemClock
from worker.kube.api import Api
from worker.kube.leases import KubeLeases
from worker.lease import Timing
from worker.shards import Hold, Shards

TIMING = Timing(duration=3.0, renew_deadline=2.0, retry=0.3)
SHARDS = 4
Held = dict[int, str]


@asynccontextmanager
async def worker(
    api: Api, lease: str, name: str, held: Held, shards: int = SHARDS
) -> AsyncIterator[None]:
    """A worker, until the block's end; `held` has who works on what."""

    async def work(hold: Hold) -> None:
        assert hold.shard not in held
        held[hold.shard] = name
        try:
            await hold.leaving.wait()
        finally:
            del held[hold.shard]

    mine = Shards(KubeLeases(api, "default"), lease, shards, name, SystemClock(), timing=TIMING)
    task = asyncio.ensure_future(mine.run(work))
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait({task})


def shares(held: Held) -> list[int]:
    return sorted(Counter(held.values()).values(), reverse=True)


async def test_workers_come_to_even_shares_and_go_again(api: Api) -> None:
    lease, held = f"shared-{uuid.uuid4().hex[:8]}", Held()
    async with worker(api, lease, "a", held):
        await eventually(lambda: shares(held) == [4])
        async with worker(api, lease, "b", held), worker(api, lease, "c", held):
            await eventually(lambda: shares(held) == [2, 1, 1])
            leases = await KubeLeases(api, "default").read_all(within=5)
            roster, first = leases[lease], leases[f"{lease}-0"]
            assert roster["spec"]["holderIdentity"] == "4 shards"
            told = json.loads(roster["metadata"]["annotations"]["adx-mon.azure.com/workers"])
            assert set(told) == {"a", "b", "c"}
            assert first["spec"]["holderIdentity"] == held[0]
        await eventually(lambda: shares(held) == [4])
    given_up = await KubeLeases(api, "default").read_all(within=5)
    names = [f"{lease}-{shard}" for shard in range(SHARDS)]
    assert {given_up[name]["spec"]["holderIdentity"] for name in names} == {""}


async def test_workers_of_another_number_wait_for_the_last_to_go(api: Api) -> None:
    lease, old, new = f"shared-{uuid.uuid4().hex[:8]}", Held(), Held()
    async with AsyncExitStack() as later:
        async with worker(api, lease, "old", old):
            await eventually(lambda: shares(old) == [4])
            await later.enter_async_context(worker(api, lease, "single", new, shards=1))
            await asyncio.sleep(TIMING.duration)
            assert (shares(old), new) == ([4], {})
        await eventually(lambda: new == {0: "single"})
        assert old == {}
