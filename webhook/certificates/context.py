"""The TLS context that the server listens with, and how its certificate changes while it serves.

uvicorn takes one ``SSLContext`` for its life. That one has no certificate: at each handshake its
``sni_callback`` puts the current context in its place, so that a swap is one assignment that no
connection can see half of.

NB: ``load_cert_chain`` on a context in use breaks every handshake when the pair does not match,
and keeps the old certificate when the kind of key changes (CPython 3.11, OpenSSL 3.0).
"""

import os
import ssl
from dataclasses import dataclass
from typing import Final

from webhook.errors import UnusableCertificateError

_MOST_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain (leaf first) and its private key, both PEM."""

    chain: bytes
    key: bytes


class Serving:
    """The context to listen with (`outer`) and the switch for what it presents (`swap`).

    ``client_ca`` is the PEM of the CA that may sign clients. A client is then asked for a
    certificate; whether it must have one is for `webhook.callers` to say, path by path.
    """

    def __init__(self, first: Pair, client_ca: str | None = None) -> None:
        self.client_ca = client_ca
        self._current = self._context(first)
        self.pair = first
        self.outer = self._blank()
        self.outer.sni_callback = self._present

    def swap(self, pair: Pair, bundle: bytes, name: str) -> None:
        """Present ``pair`` from the next handshake on.

        Raises:
            UnusableCertificateError: when a client that trusts ``bundle`` and asks for the host
                ``name`` would refuse it; what was presented before stays.
        """
        context = self._context(pair)
        verify(context, bundle, name)
        self._current, self.pair = context, pair

    def swap_unverified(self, pair: Pair) -> None:
        """Present ``pair``, of which no CA is known here.

        Raises:
            UnusableCertificateError: when key and certificate do not match.
        """
        self._current, self.pair = self._context(pair), pair

    def verify(self, bundle: bytes, name: str) -> None:
        """Check what is presented now as `swap` does."""
        verify(self._context(self.pair), bundle, name)

    def _present(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext
    ) -> None:
        connection.context = self._current

    def _context(self, pair: Pair) -> ssl.SSLContext:
        context = self._blank()
        try:
            load_pair(context, pair)
        except ssl.SSLError as error:
            raise UnusableCertificateError(f"certificate and key do not match: {error}") from error
        return context

    def _blank(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = 0  # Go's client keeps no session (net/http, Go 1.26)
        context.set_alpn_protocols(["http/1.1"])
        if self.client_ca is not None:
            context.load_verify_locations(cadata=self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    """Put a pair that is in memory into a context.

    The ssl module reads files only, so it is given an anonymous one that never reaches a disk.
    """
    descriptor = os.memfd_create("pair")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pair.key + b"\n" + pair.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def verify(context: ssl.SSLContext, bundle: bytes, name: str) -> None:
    """Shake hands with ``context`` in memory, as a client that trusts ``bundle`` alone.

    Raises:
        UnusableCertificateError: when that client would refuse.
    """
    try:
        client = ssl.create_default_context(cadata=bundle.decode("ascii"))
        _shake(client, context, name)
    except (ssl.SSLError, ValueError) as error:
        raise UnusableCertificateError(f"not trusted as {name}: {error}") from error


def _shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(_MOST_ROUNDS):
        sides = [side for side in sides if not _step(side)]
        if not sides:
            return
    raise UnusableCertificateError(f"the handshake as {name} does not end")


def _step(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
