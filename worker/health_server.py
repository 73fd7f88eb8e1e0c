"""``/healthz``, ``/readyz`` and ``/metrics`` over plain HTTP, for the kubelet and Prometheus.

A few lines on asyncio instead of a web framework: GET only, no body is read, one reply per
connection.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, Self

from worker.metrics import CONTENT_TYPE

Check = Callable[[], str | None]
"""What is wrong, in a few words; None if nothing is."""

_HEAD_WITHIN: Final = 5.0
_MOST_CONNECTIONS: Final = 64
_TEXT: Final = "text/plain; charset=utf-8"
Reply = tuple[HTTPStatus, str, bytes]
Handler = Callable[[str], Reply]
"""Answers a GET, given the query of its URL."""


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
        details: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Prepare the server; ``port`` 0 chooses a free one, see ``port``.

        ``pages`` are further handlers by path; ``details`` are the lines after ``ok`` of
        ``/readyz``.
        """
        self.port = port
        self._host = host
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
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
                    writer.write(self._answer(await _head(reader)))
                    await writer.drain()
        finally:
            writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        target = rest.partition(b" ")[0].decode("ascii", "replace")
        path, _, query = target.partition("?")
        page = self._pages.get(path)
        if page is None:
            return _reply(HTTPStatus.NOT_FOUND, _TEXT, b"not found\n", body=True)
        if method not in {b"GET", b"HEAD"}:
            return _reply(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n", body=True)
        return _reply(*page(query), body=method == b"GET")


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
        f"Content-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if body else b"")
