"""The route from a ClusterIP to a local process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.egress import EgressProxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def echo() -> AsyncIterator[str]:
    """Yield the address of a server that answers with its input in upper case."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def egress(tmp_path: Path) -> AsyncIterator[EgressProxy]:
    proxy = EgressProxy(tmp_path / "egress.sock")
    await proxy.start()
    yield proxy
    await proxy.stop()


async def ask(egress: EgressProxy, request: str) -> tuple[str, Streams]:
    reader, writer = await asyncio.open_unix_connection(str(egress.socket))
    writer.write(request.encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    return answer.splitlines()[0], (reader, writer)


async def test_a_route_carries_both_ways(egress: EgressProxy, echo: str) -> None:
    egress.routes["10.96.0.7:443"] = echo
    answer, (reader, writer) = await ask(egress, "CONNECT 10.96.0.7:443 HTTP/1.1\r\n\r\n")
    assert answer == "HTTP/1.1 200 Connection established"
    writer.write(b"review")
    assert await reader.readexactly(6) == b"REVIEW"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "request_line",
    [
        "CONNECT 10.96.0.8:443 HTTP/1.1",
        "CONNECT 10.96.0.9:443 HTTP/1.1",
        "GET http://10.96.0.7:443/ HTTP/1.1",
        "nonsense",
    ],
)
async def test_nothing_else_is_carried(egress: EgressProxy, echo: str, request_line: str) -> None:
    egress.routes |= {"10.96.0.7:443": echo, "10.96.0.9:443": "127.0.0.1:1"}
    answer, (_, writer) = await ask(egress, f"{request_line}\r\n\r\n")
    assert answer == "HTTP/1.1 502 Bad Gateway"
    writer.close()


async def test_a_route_can_be_moved_and_closed(egress: EgressProxy, echo: str) -> None:
    async def status() -> str:
        answer, (_, writer) = await ask(egress, "CONNECT 10.96.0.7:443 HTTP/1.1\r\n\r\n")
        writer.close()
        return answer.split()[1]

    egress.routes["10.96.0.7:443"] = "127.0.0.1:1"
    assert await status() == "502"
    egress.routes["10.96.0.7:443"] = echo
    assert await status() == "200"
    del egress.routes["10.96.0.7:443"]
    assert await status() == "502"


async def test_the_socket_is_this_users_alone_and_goes_with_the_proxy(egress: EgressProxy) -> None:
    assert egress.socket.stat().st_mode & 0o777 == 0o600
    await egress.stop()
    assert not egress.socket.exists()
