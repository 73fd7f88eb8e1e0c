"""A TLS context whose certificate can be replaced while the server runs.

uvicorn takes one ``SSLContext`` for its lifetime. That context has no certificate: its
``sni_callback`` replaces it with the current context at each handshake. So a replacement is one
assignment.

NB: ``load_cert_chain`` on a context in use breaks every handshake when the pair does not match,
and keeps the old certificate when the kind of key changes (CPython 3.11, OpenSSL 3.0).
"""

import os
import ssl
from typing import Final

from webhook.certificates.pki import KeyPair
from webhook.errors import UnusableCertificateError

_MAX_ROUNDS: Final = 10


class ReloadableTLSContext:
    """The context to listen with (`listener_context`); `replace` changes what it presents.

    ``client_ca`` is the PEM of the CA that signs client certificates. A client is then asked for
    one, and may have none: probes and metrics need no certificate.
    """

    def __init__(self, first: KeyPair, client_ca: str | None = None) -> None:
        self.client_ca = client_ca
        self._current = self._context_with(first)
        self.pair = first
        self.listener_context = self._empty_context()
        self.listener_context.sni_callback = self._present

    def replace(self, pair: KeyPair, bundle: bytes, name: str) -> None:
        """Present ``pair`` from the next handshake on, if a client can verify it.

        Raises:
            UnusableCertificateError: when a client that trusts ``bundle`` and asks for the host
                ``name`` would refuse it; the previous pair stays.
        """
        context = self._context_with(pair)
        verify(context, bundle, name)
        self._current, self.pair = context, pair

    def replace_unverified(self, pair: KeyPair) -> None:
        """Present ``pair``, whose CA is unknown, from the next handshake on.

        Raises:
            UnusableCertificateError: when key and certificate do not match.
        """
        self._current, self.pair = self._context_with(pair), pair

    def verify(self, bundle: bytes, name: str) -> None:
        """Verify the present pair as `replace` does."""
        verify(self._context_with(self.pair), bundle, name)

    def _present(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext
    ) -> None:
        connection.context = self._current

    def _context_with(self, pair: KeyPair) -> ssl.SSLContext:
        context = self._empty_context()
        try:
            load_pair(context, pair)
        except ssl.SSLError as error:
            raise UnusableCertificateError(f"certificate and key do not match: {error}") from error
        return context

    def _empty_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = 0  # Go's client keeps no session (net/http, Go 1.26)
        context.set_alpn_protocols(["http/1.1"])
        if self.client_ca is not None:
            context.load_verify_locations(cadata=self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def load_pair(context: ssl.SSLContext, pair: KeyPair) -> None:
    """Load a key pair from memory.

    The ssl module reads files only, so this makes an anonymous one that never reaches a disk.
    """
    descriptor = os.memfd_create("pair")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pair.key + b"\n" + pair.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def verify(context: ssl.SSLContext, bundle: bytes, name: str) -> None:
    """Run a handshake with ``context`` in memory, as a client that trusts ``bundle`` only.

    Raises:
        UnusableCertificateError: when that client would refuse.
    """
    try:
        client = ssl.create_default_context(cadata=bundle.decode("ascii"))
        _handshake(client, context, name)
    except (ssl.SSLError, ValueError) as error:
        raise UnusableCertificateError(f"not trusted as {name}: {error}") from error


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(_MAX_ROUNDS):
        sides = [side for side in sides if not _advance(side)]
        if not sides:
            return
    raise UnusableCertificateError(f"the handshake as {name} does not end")


def _advance(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
