"""A server that answers each request with the next of its prepared replies, bytes as they are.

It stands in for failure modes that the real services do not show on demand; what it sends was
seen from them, or from the proxies in front of them.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tests.worker.loopback import Loopback

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Script:
    """A whole reply; header names as keywords, with `_` for `-`."""
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    )

    async def send(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + body)
        await writer.drain()

    return send


def stream(*pieces: bytes | float, then_hang: bool = False) -> Script:
    """A chunked 200 that sends its pieces; a number is a pause in seconds."""

    async def send(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if then_hang:
            await asyncio.Event().wait()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return send


async def hang(_request: bytes, _writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.Event().wait()


async def cut(_request: bytes, writer: asyncio.StreamWriter) -> None:
    """Take the request and close."""
    writer.close()


class Misbehaving(Loopback):
    """Plays its scripts in order, the last one again and again; `requests` has what came."""

    def __init__(self, *scripts: Script) -> None:
        super().__init__()
        self._scripts = list(scripts)
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                request = await _request(reader)
                self.requests.append(request)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                await script(request, writer)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)
