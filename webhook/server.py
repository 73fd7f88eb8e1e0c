"""uvicorn with the options of an admission webhook, and a drain before it stops.

On SIGTERM uvicorn closes its listener at once, while the API server still sends to this replica:
a change of endpoints takes a moment to reach every node. So the replica drains first: it is not
ready, every response says ``Connection: close``, and the listener closes some seconds later.
"""

import asyncio
import logging
import signal
import socket
import ssl
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webhook.app import Application
from webhook.probes import ReadinessGates
from webhook.request_limits import CLIENT_NAME

KEEP_ALIVE: Final = 120
"""Seconds an idle connection is kept; longer than the 90 s after which Go's HTTP client, and so
the API server, drops it. A server that drops first can lose a request that is on its way."""
SHUTDOWN_TIMEOUT: Final = 30
"""Seconds that requests in flight may take after the listener has closed."""

log = logging.getLogger(__name__)


class Server:
    """One process, HTTP/1.1: the API server speaks nothing newer to a webhook.

    (apiserver v0.37, util/webhook/client.go.) SIGTERM drains for ``drain`` seconds; a second
    SIGTERM, or SIGINT, ends the drain.
    """

    def __init__(
        self,
        application: Application,
        context: ssl.SSLContext,
        *,
        gates: ReadinessGates,
        drain: float,
        has_client_ca: bool = False,
    ) -> None:
        self._application, self._gates, self._drain_seconds = application, gates, drain
        self._uvicorn = uvicorn.Server(_config(application, context, has_client_ca=has_client_ca))

    async def serve(self, listener: socket.socket) -> None:
        """Serve on ``listener`` until a signal."""
        loop = asyncio.get_running_loop()
        serving = loop.create_task(self._uvicorn.serve(sockets=[listener]))
        await asyncio.sleep(0)  # uvicorn has installed its signal handlers; ours replace them
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        await serving

    def _drain(self) -> None:
        if self._application.is_draining:
            self._stop()
            return
        self._application.is_draining = True
        self._gates.set("drain", "this replica is stopping")
        log.info("draining", extra={"fields": {"seconds": self._drain_seconds}})
        asyncio.get_running_loop().call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self._uvicorn.should_exit = True


def _config(
    application: Application, context: ssl.SSLContext, *, has_client_ca: bool
) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        interface="asgi3",
        loop="uvloop",
        http=ClientNameProtocol if has_client_ca else "httptools",
        ws="none",
        lifespan="off",
        ssl_context_factory=lambda _config, _default: context,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
    )


class ClientNameProtocol(asyncio.Protocol):
    """Writes the client certificate's common name into the ASGI ``state`` of a connection.

    uvicorn 0.54 has no TLS extension (https://asgi.readthedocs.io/en/latest/specs/tls.html). This
    protocol makes uvicorn's own for each connection and leaves the connection to it.
    """

    def __init__(self, *, app_state: dict[str, Any], **arguments: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._state, self._arguments = app_state, arguments

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the certificate, once per connection."""
        state = {**self._state, CLIENT_NAME: _common_name(transport)}
        protocol = HttpToolsProtocol(app_state=state, **self._arguments)
        connection = cast("asyncio.Transport", transport)
        connection.set_protocol(protocol)
        protocol.connection_made(connection)


def _common_name(transport: asyncio.BaseTransport) -> str | None:
    """Return the client's common name; None without a certificate (an invalid one gets no TLS)."""
    certificate = cast("dict[str, Any] | None", transport.get_extra_info("peercert"))
    if not certificate:
        return None
    subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
    return str(subject.get("commonName", ""))
