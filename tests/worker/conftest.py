"""What the worker's tests share: a client of the real API server, and a port's two worlds."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.kube.client import KubeClient
from runtime.kube.config import connect
from tests.worker.contract import definition
from tests.worker.contract import kusto_world as kusto_worlds
from tests.worker.contract.rules_world import CONTRACT_RULES, MemoryWorld, ServerWorld, World
from tests.worker.simulation.cluster import Cluster
from tests.worker.simulation.kube import MemoryRules
from worker.kube.summaryrules import SummaryRuleClient
from worker.kusto.client import EndpointClient
from worker.kusto.requests import KustoRequests


@pytest.fixture
async def api(api_server: Path) -> AsyncIterator[KubeClient]:
    """The real API server, as its admin, with the contract tests' CRD."""
    client = await connect({"KUBECONFIG": str(api_server)}, user_agent="contract-tests")
    try:
        api = KubeClient(client)
        await definition.install(api)
        yield api
    finally:
        await client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def server_world(api: KubeClient) -> World:
    return ServerWorld(SummaryRuleClient(api, CONTRACT_RULES), api)


@pytest.fixture
def memory_world() -> World:
    cluster = Cluster()
    return MemoryWorld(MemoryRules(cluster), cluster)


@pytest.fixture(params=["memory", "server"])
def world(request: pytest.FixtureRequest) -> World:
    """The in-memory world and the real one: whatever asks for it runs in both."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the local endpoint's own process, data in memory."""
    port = tmp_path_factory.mktemp("emulator") / "port"
    command = [sys.executable, "-m", "emulator", "--port", "0", "--port-file", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{_written(port, process)}"
        finally:
            process.terminate()


def _written(port: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + 60
    while not (port.exists() and port.read_text().strip()):
        assert process.poll() is None, "the emulator ended before it listened"
        assert time.monotonic() < deadline, "the emulator did not listen in time"
        time.sleep(0.05)
    return port.read_text().strip()


@pytest.fixture
async def emulator_world(emulator: str) -> AsyncIterator[kusto_worlds.KustoWorld]:
    """The local endpoint behind the real adapter, its pauses short."""
    service = EndpointClient(emulator, SystemClock(), backoff=Backoff(0.01, 0.01))
    kusto = KustoRequests({kusto_worlds.DATABASE: service})
    yield kusto_worlds.EmulatorWorld(emulator, kusto, service)
    await kusto.close()


@pytest.fixture
async def memory_kusto_world() -> kusto_worlds.KustoWorld:
    return kusto_worlds.MemoryWorld()


@pytest.fixture(params=["memory_kusto_world", "emulator_world"], ids=["memory", "emulator"])
def kusto_world(request: pytest.FixtureRequest) -> kusto_worlds.KustoWorld:
    """Kusto in memory, and the local endpoint."""
    found: kusto_worlds.KustoWorld = request.getfixturevalue(request.param)
    return found
