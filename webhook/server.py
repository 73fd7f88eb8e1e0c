"""uvicorn, made to stop without losing a request.

On SIGTERM a stock uvicorn closes its listener at once, while the API server still sends to this
pod: endpoints take a moment to spread. So a drain comes first: not ready, every answer says
``Connection: close``, and only after some seconds the listener closes (docs/webhook.md).
"""

import asyncio
import logging
import signal
import ssl
import time
from collections.abc import Mapping
from functools import partial
from types import FrameType
from typing import Final, cast

import uvicorn

from webhook.callers import Caller
from webhook.endpoint import Endpoint
from webhook.metrics import Metrics
from webhook.probes import App
from webhook.protocol import AdmissionProtocol
from webhook.readiness import Readiness

KEEP_ALIVE: Final = 120
"""Seconds an idle connection is kept; longer than the 90 s after which Go's HTTP client, and so
the API server, drops it. A server that drops first can lose a request that is on its way."""
LONGEST_REQUEST: Final = 30
"""Seconds that requests in flight may still take once the listener is closed."""

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves until told to stop; SIGTERM drains for ``drain`` seconds, SIGINT stops at once."""

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain: float) -> None:
        super().__init__(config)
        self.readiness = readiness
        self.drain = drain
        self.stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin the drain, or end it when the signal comes again."""
        if sig != signal.SIGTERM or self.stop_at is not None:
            self.should_exit = True
            return
        self.stop_at = time.monotonic() + self.drain
        self.readiness.wait_for("drain", "this replica is stopping")
        close = (b"connection", b"close")
        self.config.encoded_headers.append(close)
        self.server_state.default_headers = [*self.server_state.default_headers, close]
        log.info("draining", extra={"fields": {"seconds": self.drain}})

    def in_flight(self) -> int:
        """How many requests are being received or answered."""
        open_ = (cast("AdmissionProtocol", each) for each in self.server_state.connections)
        return len(self.server_state.tasks) + sum(each.endpoint is not None for each in open_)

    async def on_tick(self, counter: int) -> bool:
        """Tell uvicorn, ten times a second, whether to go on."""
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            self.should_exit = True
        return await super().on_tick(counter)


def create_server(
    app: App,
    endpoints: Mapping[bytes, Endpoint],
    context: ssl.SSLContext,
    *,
    readiness: Readiness,
    metrics: Metrics,
    drain: float,
    may_call: Caller | None = None,
) -> Server:
    """A server that presents what ``context`` says: one process, HTTP/1.1.

    The API server speaks nothing newer to a webhook (apiserver v0.37, util/webhook/client.go).
    ``app`` gets the requests that are for none of ``endpoints``.
    """
    protocol = partial(AdmissionProtocol, endpoints=endpoints, may_call=may_call)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),
        ws="none",
        lifespan="off",
        ssl_context_factory=lambda _config, _default: context,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LONGEST_REQUEST,
    )
    server = Server(config, readiness, drain)
    metrics.in_flight(server.in_flight)
    return server
