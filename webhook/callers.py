"""Mutual TLS: who is calling, and may they? Only used where ``--client-ca`` is given.

The handshake asks for a client certificate but does not insist, since the kubelet's probes and
Prometheus have none. Whether there was one is judged here, for the admission paths only.
"""

import asyncio
from collections.abc import Callable, Collection, MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Caller = Callable[[MutableMapping[str, Any]], bool]
_STATE = "caller"


class NamingProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the verified common name of the peer in each request's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look at the peer's certificate once a connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _STATE: _common_name(transport)}


def may_call(names: Collection[str]) -> Caller:
    """A check for a request's scope: a verified certificate, by one of ``names`` if any given."""

    def check(scope: MutableMapping[str, Any]) -> bool:
        caller = scope["state"].get(_STATE)
        return caller is not None and (not names or caller in names)

    return check


def _common_name(transport: asyncio.BaseTransport) -> str | None:
    """The peer's common name; None when it gave no certificate (one that is bad got no TLS)."""
    certificate = cast("dict[str, Any] | None", transport.get_extra_info("peercert"))
    if not certificate:
        return None
    subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
    return str(subject.get("commonName", ""))
