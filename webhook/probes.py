"""The FastAPI side: ``/healthz``, ``/readyz``, ``/metrics``.

Everything that is not one of the two admission paths ends here, 404s included. These are asked a
few times a minute, so comfort counts, not microseconds.
"""

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from webhook.metrics import Metrics
from webhook.readiness import Readiness


def create_probes(readiness: Readiness, metrics: Metrics) -> FastAPI:
    """Build the app; no documentation pages, since its paths are for machines."""
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
