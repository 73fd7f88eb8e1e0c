"""Mutual TLS: who is calling, and may they? Only used where ``--client-ca`` is given.

The handshake asks for a client certificate but does not insist, since the kubelet's probes and
Prometheus have none. Whether there was one is judged here, once a connection, and counts for the
admission paths only.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, cast

Caller = Callable[[asyncio.BaseTransport], bool]


def may_call(names: Collection[str]) -> Caller:
    """A check for a connection: a verified certificate, by one of ``names`` if any are given."""

    def check(transport: asyncio.BaseTransport) -> bool:
        caller = _common_name(transport)
        return caller is not None and (not names or caller in names)

    return check


def _common_name(transport: asyncio.BaseTransport) -> str | None:
    """The peer's common name; None when it gave no certificate (one that is bad got no TLS)."""
    certificate = cast("dict[str, Any] | None", transport.get_extra_info("peercert"))
    if not certificate:
        return None
    subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
    return str(subject.get("commonName", ""))
