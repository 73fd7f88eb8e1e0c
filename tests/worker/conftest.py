"""What the worker's tests share: a client of the real API server, and a port's two worlds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.worker.contract import definition
from tests.worker.contract.rules_world import CONTRACT_RULES, MemoryWorld, ServerWorld, World
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryRules
from worker.kube.api import Api
from worker.kube.connection import connect
from worker.kube.rules import KubeRules


@pytest.fixture
async def api(api_server: Path) -> AsyncIterator[Api]:
    """The real API server, as its admin, with the contract tests' CRD."""
    client = await connect({"KUBECONFIG": str(api_server)}, user_agent="contract-tests")
    try:
        api = Api(client)
        await definition.install(api)
        yield api
    finally:
        await client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def server_world(api: Api) -> World:
    return ServerWorld(KubeRules(api, CONTRACT_RULES), api)


@pytest.fixture
def memory_world() -> World:
    cluster = Cluster()
    return MemoryWorld(MemoryRules(cluster), cluster)


@pytest.fixture(params=["memory", "server"])
def world(request: pytest.FixtureRequest) -> World:
    """The in-memory world and the real one: whatever asks for it runs in both."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found
