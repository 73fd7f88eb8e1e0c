"""What the kubelet and Prometheus get."""

import asyncio
import contextlib

import httpx
import pytest

from worker.health_server import HealthServer
from worker.metrics import Metrics


class State:
    live: str | None = None
    ready: str | None = None


async def ask(state: State, method: str, path: str) -> httpx.Response:
    metrics = Metrics()
    metrics.windows.labels("backfill", "completed").inc()
    async with (
        HealthServer(
            "127.0.0.1",
            0,
            live=lambda: state.live,
            ready=lambda: state.ready,
            metrics=metrics.exposition,
            details=lambda: ["https://kusto was not asked yet"],
        ) as health,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{health.port}") as client,
    ):
        return await client.request(method, path)


async def test_healthy_and_ready_are_200() -> None:
    for path in ("/healthz", "/readyz", "/readyz?verbose"):
        assert (await ask(State(), "GET", path)).status_code == 200


async def test_ready_names_the_endpoints_and_alive_does_not() -> None:
    assert (await ask(State(), "GET", "/readyz")).text == "ok\nhttps://kusto was not asked yet\n"
    assert (await ask(State(), "GET", "/healthz")).text == "ok\n"


async def test_not_ready_is_503_and_says_why() -> None:
    state = State()
    state.ready = "the rules are not listed yet"
    response = await ask(state, "GET", "/readyz")
    assert (response.status_code, response.text) == (503, "the rules are not listed yet\n")
    assert (await ask(state, "GET", "/healthz")).status_code == 200


async def test_metrics_are_prometheus_text() -> None:
    response = await ask(State(), "GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    line = 'summaryrule_worker_windows_total{kind="backfill",result="completed"} 1.0'
    assert line in response.text.splitlines()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/", 404), ("POST", "/healthz", 405), ("HEAD", "/healthz", 200)],
)
async def test_anything_else_is_answered_in_http(method: str, path: str, code: int) -> None:
    assert (await ask(State(), method, path)).status_code == code


async def test_a_client_that_never_sends_its_request_is_dropped_at_the_end() -> None:
    metrics = Metrics()
    async with HealthServer(
        "127.0.0.1", 0, live=lambda: None, ready=lambda: None, metrics=metrics.exposition
    ) as health:
        reader, writer = await asyncio.open_connection("127.0.0.1", health.port)
        writer.write(b"GET /healthz")
        await writer.drain()
    with contextlib.suppress(ConnectionResetError):  # what it sent may not have been read
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_a_head_without_end_is_no_request() -> None:
    metrics = Metrics()
    async with HealthServer(
        "127.0.0.1", 0, live=lambda: None, ready=lambda: None, metrics=metrics.exposition
    ) as health:
        reader, writer = await asyncio.open_connection("127.0.0.1", health.port)
        writer.write(b"x" * 20_000)
        await writer.drain()
        assert (await reader.readline()).startswith(b"HTTP/1.1 4")
        writer.close()
