"""``/healthz``, ``/readyz``, ``/metrics`` and further pages over plain HTTP, by ``aiohttp.web``."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, Self

from aiohttp import web

from worker.metrics import CONTENT_TYPE

Check = Callable[[], str | None]
"""What is wrong, in a few words; None if nothing is."""
Parameters = Mapping[str, str]
"""The parameters of a URL by name, decoded."""
Page = Callable[[Parameters], web.Response]
"""Answers a GET."""
Stream = Callable[[Parameters], AsyncIterator[bytes]]
"""Answers a GET with server-sent events for as long as the client reads."""

_WRITE_WITHIN: Final = 30.0
"""Seconds within which a reader of a stream must take what was written."""
_MOST_STREAMS: Final = 32
_IDLE_WITHIN: Final = 75.0
"""Seconds after which a connection without a complete request is closed."""
_STOP_WITHIN: Final = 1.0
"""Seconds for which a stop waits for replies that are being sent; streams end at once."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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
        pages: Mapping[str, Page] | None = None,
        streams: Mapping[str, Stream] | None = None,
        details: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Prepare the server; ``port`` 0 chooses a free one, see ``port``.

        ``pages`` and ``streams`` are by path; ``details`` are the lines after ``ok`` of
        ``/readyz``.
        """
        self.port = port
        self._host = host
        self._viewers: list[web.Request] = []
        answers: Mapping[str, Page] = {
            "/healthz": lambda _: _probe_response(live()),
            "/readyz": lambda _: _probe_response(ready(), details()),
            "/metrics": lambda _: web.Response(
                body=metrics(), headers={"Content-Type": CONTENT_TYPE}
            ),
            **(pages or {}),
        }
        app = web.Application(middlewares=[_refuse_in_few_words])
        for path, page in answers.items():
            app.router.add_get(path, partial(_answer, page))
        for path, stream in (streams or {}).items():
            app.router.add_get(path, partial(self._stream, stream), allow_head=False)
        app.on_response_prepare.append(_set_headers)
        app.on_shutdown.append(self._end_streams)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=_IDLE_WITHIN,
            shutdown_timeout=_STOP_WITHIN,
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        await site.start()
        self.port = site.port
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _stream(self, stream: Stream, request: web.Request) -> web.StreamResponse:
        """Send events until the connection closes: that cancels the task of the request."""
        if len(self._viewers) >= _MOST_STREAMS:
            return web.Response(status=503, text="too many viewers\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self._viewers.append(request)
        try:
            await response.prepare(request)
            async for event in stream(request.query):
                async with asyncio.timeout(_WRITE_WITHIN):
                    await response.write(event)
        except OSError:  # a timeout, or a connection that is closing
            _disconnect(request)
        finally:
            self._viewers.remove(request)
        return response

    async def _end_streams(self, _: web.Application) -> None:
        for viewer in self._viewers:
            _disconnect(viewer)


def _disconnect(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _answer(page: Page, request: web.Request) -> web.Response:
    return page(request.query)


@web.middleware
async def _refuse_in_few_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text="not found\n")
    except web.HTTPMethodNotAllowed as error:
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return web.Response(status=405, text="GET only\n", headers=allowed)


async def _set_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    del response.headers["Server"]


def _probe_response(problem: str | None, details: Iterable[str] = ()) -> web.Response:
    if problem is None:
        return web.Response(text="".join(f"{line}\n" for line in ("ok", *details)))
    return web.Response(status=503, text=f"{problem}\n")
