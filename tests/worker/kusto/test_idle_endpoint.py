"""An endpoint of its own process is killed, stopped and started again while no window is due."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from devstack.ports import find_free
from runtime.backoff import Backoff
from runtime.clock import SystemClock
from tests.worker.eventually import eventually
from worker.endpoint_monitor import EndpointMonitor
from worker.kusto.client import EndpointClient

IDLE = 0.3


@pytest.fixture(autouse=True)
def _short_periods(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("worker.endpoint_monitor._PROBE_AFTER", IDLE)
    monkeypatch.setattr("worker.endpoint_monitor._IDLE_CHECK_PERIOD", 0.05)
    monkeypatch.setattr("worker.endpoint_monitor._REPORT_PERIOD", 0.05)
    monkeypatch.setattr("worker.kusto.health.HANGS_AFTER", 1.0)
    caplog.set_level(logging.INFO)


class Endpoint:
    """The local endpoint on one port, with the client that the worker has of it."""

    def __init__(self) -> None:
        self.port = find_free()
        self.calls: list[tuple[str, str]] = []
        self.client = EndpointClient(
            f"http://127.0.0.1:{self.port}",
            SystemClock(),
            database="Telemetry",
            observe=lambda call, result, _seconds: self.calls.append((call, result)),
            backoff=Backoff(0.1, 0.1),
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "emulator", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def until(self, state: str) -> None:
        await eventually(lambda: self.client.health.state == state, 60)


@asynccontextmanager
async def monitored(*, leads: bool = True) -> AsyncIterator[Endpoint]:
    """A running endpoint that nothing but the monitor asks."""
    endpoint = Endpoint()
    endpoint.start()
    monitor = EndpointMonitor([endpoint.client], lambda _url: None, lambda: leads)
    running = asyncio.create_task(monitor.run())
    try:
        yield endpoint
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await endpoint.client.close()
        endpoint.kill()


async def test_an_idle_endpoint_that_dies_fails_and_answers_again_once_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def logged() -> list[str]:
        return [each.levelname for each in caplog.records]

    async with monitored() as endpoint:
        await eventually(lambda: "INFO" in logged(), 60)
        before = len(logged())
        endpoint.kill()
        await eventually(lambda: len(logged()) > before)
        assert "cannot connect to" in str(endpoint.client.health)
        endpoint.start()
        await eventually(lambda: len(logged()) > before + 1, 60)
        assert endpoint.client.health.state == "answering"
    assert logged()[before:] == ["WARNING", "INFO"]
    assert {call for call, _ in endpoint.calls} == {"probe"}
    assert {result for _, result in endpoint.calls} == {"ok", "Unreachable"}


async def test_an_idle_endpoint_that_hangs_fails_while_the_probe_waits() -> None:
    async with monitored() as endpoint:
        await endpoint.until("answering")
        endpoint.send(signal.SIGSTOP)
        try:
            await endpoint.until("failing")
            assert "has not answered the probe since" in str(endpoint.client.health)
        finally:
            endpoint.send(signal.SIGCONT)
        await endpoint.until("answering")


async def test_a_replica_that_does_not_lead_probes_nothing() -> None:
    async with monitored(leads=False) as endpoint:
        await asyncio.sleep(3 * IDLE)
        assert endpoint.calls == []
        assert endpoint.client.health.state == "unknown"
