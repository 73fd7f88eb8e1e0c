"""Free loopback ports, and a clear word when a wanted one is taken.

Called by `host.py` before anything starts.
"""

import socket
from collections.abc import Mapping, Sequence

from devstack.errors import DevstackError

HOST = "127.0.0.1"


def choose(names: Sequence[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Give each name a port: the wanted one, else one that is free now.

    Raises:
        DevstackError: a wanted port is taken.
    """
    held = [_bind(name, wanted.get(name, 0)) for name in names]
    try:
        return {name: int(sock.getsockname()[1]) for name, sock in zip(names, held, strict=True)}
    finally:
        for sock in held:
            sock.close()


def _bind(name: str, port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError as error:
        sock.close()
        raise DevstackError(
            f"port {port} for {name} cannot be had on {HOST} ({error.strerror}): free it, or "
            f"leave --port {name}={port} out to get a free one"
        ) from None
    return sock
