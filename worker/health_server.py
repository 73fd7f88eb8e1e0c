"""``/healthz``, ``/readyz``, ``/metrics`` and further pages over plain HTTP.

A few lines on asyncio instead of a web framework: GET only, no body is read, one reply or stream
per connection.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, Self

from worker.metrics import CONTENT_TYPE

Check = Callable[[], str | None]
"""What is wrong, in a few words; None if nothing is."""

_HEAD_WITHIN: Final = 5.0
_WRITE_WITHIN: Final = 30.0
"""Seconds within which a reader of a stream must take what was written."""
_MOST_CONNECTIONS: Final = 64
_MOST_STREAMS: Final = 32
"""Fewer than connections, so that probes are always answered."""
_TEXT: Final = "text/plain; charset=utf-8"
Reply = tuple[HTTPStatus, str, bytes]
Handler = Callable[[str], Reply]
"""Answers a GET, given the query of its URL."""
Stream = Callable[[str], AsyncIterator[bytes]]
"""Answers a GET with server-sent events for as long as the client reads, given the query."""

_HEADERS: Final = (
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n\r\n"
)


class HealthServer:
    """The server; ``async with`` listens and, at the end, closes."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        live: Check,
        ready: Check,
        metrics: Callable[[], bytes],
        pages: Mapping[str, Handler] | None = None,
        streams: Mapping[str, Stream] | None = None,
        details: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Prepare the server; ``port`` 0 chooses a free one, see ``port``.

        ``pages`` and ``streams`` are by path; ``details`` are the lines after ``ok`` of
        ``/readyz``.
        """
        self.port = port
        self._host = host
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._streams: Mapping[str, Stream] = streams or {}
        self._streaming = 0
        self._pages: Mapping[str, Handler] = {
            "/healthz": lambda _: _probe_response(live()),
            "/readyz": lambda _: _probe_response(ready(), details()),
            "/metrics": lambda _: (HTTPStatus.OK, CONTENT_TYPE, metrics()),
            **(pages or {}),
        }

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self.port, limit=8192)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(lambda _: writer.close())  # cancelled before its first step

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_HEAD_WITHIN):
                    method, path, query = _parse(await _head(reader))
                stream = self._streams.get(path) if method == b"GET" else None
                if stream is not None and self._streaming < _MOST_STREAMS:
                    await self._stream(reader, writer, stream(query))
                else:
                    async with asyncio.timeout(_HEAD_WITHIN):
                        writer.write(self._answer(method, path, query))
                        await writer.drain()
        finally:
            writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        events: AsyncIterator[bytes],
    ) -> None:
        """Send events until the client closes the connection, which ends what it sends."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{_HEADERS}"
        self._streaming += 1
        sending = asyncio.create_task(_send(writer, head.encode("ascii"), events))
        closing = asyncio.create_task(reader.read())
        try:
            done, _ = await asyncio.wait({sending, closing}, return_when=asyncio.FIRST_COMPLETED)
            if sending in done:
                sending.result()  # raises what ended it
        finally:
            self._streaming -= 1
            sending.cancel()
            closing.cancel()
            await asyncio.gather(sending, closing, return_exceptions=True)

    def _answer(self, method: bytes, path: str, query: str) -> bytes:
        page = self._pages.get(path)
        if path in self._streams:
            return _reply(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"too many viewers\n", body=True)
        if page is None:
            return _reply(HTTPStatus.NOT_FOUND, _TEXT, b"not found\n", body=True)
        if method not in {b"GET", b"HEAD"}:
            return _reply(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n", body=True)
        return _reply(*page(query), body=method == b"GET")


async def _send(writer: asyncio.StreamWriter, head: bytes, events: AsyncIterator[bytes]) -> None:
    writer.write(head)
    async for event in events:
        writer.write(event)
        async with asyncio.timeout(_WRITE_WITHIN):
            await writer.drain()


def _parse(head: bytes) -> tuple[bytes, str, str]:
    """Method, path and query of a request's head."""
    method, _, rest = head.partition(b" ")
    target = rest.partition(b" ")[0].decode("ascii", "replace")
    path, _, query = target.partition("?")
    return method, path, query


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return b""


def _probe_response(problem: str | None, details: Iterable[str] = ()) -> Reply:
    if problem is None:
        return HTTPStatus.OK, _TEXT, "".join(f"{line}\n" for line in ("ok", *details)).encode()
    return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{problem}\n".encode()


def _reply(status: HTTPStatus, kind: str, content: bytes, *, body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(content)}\r\n{_HEADERS}"
    )
    return head.encode("ascii") + (content if body else b"")
