"""Readiness gates, and the FastAPI app that serves ``/healthz``, ``/readyz`` and ``/metrics``.

Every path that is not an admission path ends here, with 404 if there is no such path.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from webhook.metrics import Metrics

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""


@dataclass(slots=True)
class ReadinessGates:
    """What must hold before requests may come; ``failures`` has a reason for each failed gate."""

    failures: dict[str, str] = field(default_factory=dict)

    def set(self, gate: str, reason: str) -> None:
        """Set a gate to failed, for a reason of one sentence; an empty reason sets it to passed."""
        if reason:
            self.failures[gate] = reason
        else:
            self.failures.pop(gate, None)

    @property
    def is_ready(self) -> bool:
        """Whether every gate has passed."""
        return not self.failures


def create_app(gates: ReadinessGates, metrics: Metrics) -> App:
    """Return an ASGI app that imports FastAPI at its first request.

    FastAPI takes 0.3 s to import, and the server listens before that.
    """

    async def probes(scope: Scope, receive: Receive, send: Send) -> None:
        await app()(scope, receive, send)

    @cache
    def app() -> App:
        return _build(gates, metrics)

    return probes


def _build(gates: ReadinessGates, metrics: Metrics) -> App:
    from fastapi import FastAPI  # noqa: PLC0415 - see create_app
    from fastapi.responses import PlainTextResponse, Response  # noqa: PLC0415

    app = FastAPI(title="SummaryRule webhook", openapi_url=None)

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok"

    @app.get("/readyz", response_class=PlainTextResponse)
    async def readyz() -> PlainTextResponse:
        if gates.is_ready:
            return PlainTextResponse("ok")
        lines = (f"{gate}: {reason}" for gate, reason in sorted(gates.failures.items()))
        return PlainTextResponse("\n".join(lines), status_code=503)

    @app.get("/metrics")
    async def scrape() -> Response:
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return app
