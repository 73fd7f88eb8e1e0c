"""Two electors on a real API server, one of them behind a proxy that can stop answering."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.clock import SystemClock
from runtime.errors import LeaseLost
from runtime.kube.client import KubeClient
from runtime.kube.config import connect
from tests.worker.eventually import eventually
from tests.worker.proxy import TcpProxy
from worker.kube.leases import LeaseClient
from worker.leader_election import LeaderElector, Leadership, Timing

TIMING = Timing(duration=3.0, renew_deadline=2.0, retry=0.3)


@pytest.fixture
async def proxied(api_server: Path) -> AsyncIterator[tuple[KubeClient, TcpProxy]]:
    """The API server through a proxy."""
    client = await connect({"KUBECONFIG": str(api_server)}, user_agent="contract-tests")
    try:
        async with TcpProxy(client.configuration.host) as proxy:
            client.configuration.host = proxy.url
            yield KubeClient(client), proxy
    finally:
        await client.close()  # type: ignore[no-untyped-call]


def elector(api: KubeClient, name: str, identity: str) -> LeaderElector:
    return LeaderElector(LeaseClient(api, "default"), name, identity, SystemClock(), timing=TIMING)


async def forever(_leadership: Leadership) -> None:
    await asyncio.Event().wait()


async def test_a_leader_whose_put_hangs_stops_before_the_other_leads(
    api: KubeClient, proxied: tuple[KubeClient, TcpProxy]
) -> None:
    behind, proxy = proxied
    name = f"lease-{uuid.uuid4().hex[:8]}"
    ended, began = asyncio.Event(), asyncio.Event()

    async def first_work(_leadership: Leadership) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert not began.is_set()
            ended.set()

    async def second_work(_leadership: Leadership) -> None:
        assert ended.is_set()
        began.set()

    first, second = elector(behind, name, "first"), elector(api, name, "second")
    leading = asyncio.create_task(first.run(first_work))
    await eventually(lambda: first.is_leader)
    following = asyncio.create_task(second.run(second_work))
    await asyncio.sleep(TIMING.duration)
    assert first.is_leader
    proxy.freeze()
    with pytest.raises(LeaseLost):
        await leading
    await following
    assert began.is_set()


async def test_a_cancelled_leader_hands_over_at_once(api: KubeClient) -> None:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    first, second = elector(api, name, "first"), elector(api, name, "second")
    leading = asyncio.create_task(first.run(forever))
    await eventually(lambda: first.is_leader)
    following = asyncio.create_task(second.run(forever))
    leading.cancel()
    await asyncio.wait({leading})
    await eventually(lambda: second.is_leader, within=4 * TIMING.retry)
    following.cancel()
    await asyncio.wait({following})


async def test_the_lease_reads_as_other_tools_expect(api: KubeClient) -> None:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    seen = {}

    async def look(_leadership: Leadership) -> None:
        seen.update(await LeaseClient(api, "default").read(name, within=5) or {})

    await elector(api, name, "first").run(look)
    spec = seen["spec"]
    assert spec["holderIdentity"] == "first"
    assert spec["leaseDurationSeconds"] == 3
    assert spec["leaseTransitions"] == 0
    assert spec["renewTime"].endswith("Z")
