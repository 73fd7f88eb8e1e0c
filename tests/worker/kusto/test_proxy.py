"""Kusto is reached through the proxy that the environment names, but for hosts in NO_PROXY."""

import asyncio

import pytest

from runtime.clock import SystemClock
from runtime.errors import Temporary
from tests.worker.fences import allow
from tests.worker.loopback import Loopback
from worker.kusto.client import EndpointClient
from worker.kusto.config import proxy_for

ENDPOINT = "https://mycluster.westeurope.kusto.windows.net"


class ConnectProxy(Loopback):
    """A proxy that writes down what it is asked for, and refuses it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n")[0].decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()


async def call(url: str) -> None:
    client = EndpointClient(url, SystemClock(), within=5.0)
    try:
        await client.call("submit", "Telemetry", ".show tables", before_send=allow)
    finally:
        await client.close()


async def test_a_command_asks_the_proxy_for_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("https_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(Temporary):
            await call(ENDPOINT)
    assert proxy.asked
    assert proxy.asked[0] == "CONNECT mycluster.westeurope.kusto.windows.net:443 HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        (ENDPOINT, "", "http://127.0.0.1:9"),
        (ENDPOINT, "example.com", "http://127.0.0.1:9"),
        (ENDPOINT, ".kusto.windows.net", None),
        (ENDPOINT, "*", None),
        ("https://127.0.0.1:8443", "", None),
        ("https://localhost", "", None),
    ],
)
def test_no_proxy_and_loopback_are_reached_directly(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, expected: str | None
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == expected
