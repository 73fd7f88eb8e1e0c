"""What the kubelet and Prometheus get."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from aiohttp import web

from tests.worker.eventually import eventually
from worker import health_server
from worker.health_server import HealthServer, Page, Parameters, Stream
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
    ("method", "path", "code", "text"),
    [
        ("GET", "/", 404, "not found\n"),
        ("POST", "/", 404, "not found\n"),
        ("POST", "/healthz", 405, "GET only\n"),
        ("HEAD", "/healthz", 200, ""),
    ],
)
async def test_anything_else_is_answered_in_http(
    method: str, path: str, code: int, text: str
) -> None:
    response = await ask(State(), method, path)
    assert (response.status_code, response.text) == (code, text)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "server" not in response.headers


@asynccontextmanager
async def serving(
    pages: Mapping[str, Page] | None = None, streams: Mapping[str, Stream] | None = None
) -> AsyncIterator[int]:
    async with HealthServer(
        "127.0.0.1",
        0,
        live=lambda: None,
        ready=lambda: None,
        metrics=Metrics().exposition,
        pages=pages,
        streams=streams,
    ) as health:
        yield health.port


async def test_an_error_in_a_page_is_logged_and_not_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def page(_: Parameters) -> web.Response:
        raise ValueError("a secret")

    async with serving({"/page": page}) as port, httpx.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{port}/page")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers
    assert "ValueError: a secret" in caplog.text


async def test_a_client_that_never_sends_its_request_is_dropped_at_the_end() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz")
        await writer.drain()
    with contextlib.suppress(ConnectionResetError):  # what it sent may not have been read
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_a_head_without_end_is_no_request() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 20_000)
        await writer.drain()
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_the_end_closes_all_streams_at_once_and_leaves_no_task() -> None:
    async def events(_: Parameters) -> AsyncIterator[bytes]:
        while True:
            yield b"data: 1\n\n"
            await asyncio.sleep(0.01)

    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        async with serving(streams={"/events": events}) as port:
            for _ in range(3):
                await stack.enter_async_context(viewer(port))
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1.0
        assert asyncio.all_tasks() == before


async def test_a_viewer_that_takes_no_data_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_server, "_WRITE_WITHIN", 0.2)
    dropped = asyncio.Event()

    async def events(_: Parameters) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            dropped.set()

    async with serving(streams={"/events": events}) as port, viewer(port):
        await eventually(dropped.is_set)


@asynccontextmanager
async def viewer(port: int) -> AsyncIterator[None]:
    """A client that reads only the first line of a stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in await reader.readline()
    yield
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()
