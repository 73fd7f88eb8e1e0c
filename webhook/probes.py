"""The FastAPI side: ``/healthz``, ``/readyz``, ``/metrics``.

Everything that is not one of the two admission paths ends here, 404s included. These are asked a
few times a minute, so comfort counts, not microseconds.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from webhook.metrics import Metrics
from webhook.readiness import Readiness

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def create_app(readiness: Readiness, metrics: Metrics) -> App:
    """Build the app when it is first asked, which the first probe does.

    FastAPI takes 0.3 s to import; a replica that has just started need not wait for it before it
    listens.
    """

    async def probes(scope: Scope, receive: Receive, send: Send) -> None:
        await app()(scope, receive, send)

    @cache
    def app() -> App:
        return _build(readiness, metrics)

    return probes


def _build(readiness: Readiness, metrics: Metrics) -> App:
    """No documentation pages, since its paths are for machines."""
    from fastapi import FastAPI  # noqa: PLC0415 - see create_app
    from fastapi.responses import PlainTextResponse, Response  # noqa: PLC0415

    app = FastAPI(title="SummaryRule webhook", openapi_url=None)

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse)
    async def readyz() -> PlainTextResponse:
        if readiness.is_ready:
            return PlainTextResponse("ok")
        lines = (f"{topic}: {reason}" for topic, reason in sorted(readiness.missing.items()))
        return PlainTextResponse("\n".join(lines), status_code=503)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return app
