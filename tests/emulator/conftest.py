from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.emulator.client import Kusto, Process


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("emulator")
    process = Process(folder / "data", folder / "port")
    yield process.url
    assert process.stop() == 0


@pytest.fixture
def kusto(endpoint: str) -> Iterator[Kusto]:
    """A database of its own for each test."""
    name = f"Test{uuid4().hex[:12]}"
    with Kusto(endpoint, name) as kusto:
        kusto.mgmt(f".create database {name}")
        yield kusto
        httpx.delete(f"{endpoint}/faults")
        kusto.mgmt(f".drop database {name}")


@pytest.fixture
def started(tmp_path: Path) -> Iterator["Starter"]:
    starter = Starter(tmp_path)
    yield starter
    starter.end()


class Starter:
    """Starts endpoints on one data folder, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []

    def start(self) -> Process:
        self.processes.append(Process(self.folder / "data", self.folder / "port"))
        return self.processes[-1]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
