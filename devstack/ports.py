"""Free loopback ports, and a clear word when a wanted one is taken.

Called by `host.py` and the kubelet before a process starts. A port is only looked for here and
bound by the process a moment later. Meanwhile the kernel may hand out any port of its ephemeral
range, as the near end of somebody's connection, so free ones are drawn from below that range.
"""

import random
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.errors import DevstackError

HOST = "127.0.0.1"
LOCAL = (HOST, "localhost", "::1", ".svc")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOWEST = 20_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_EPHEMERAL = 32_768
TRIES = 200

_draw = random.SystemRandom()


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Give NO_PROXY with what runs on this machine added; nothing where no proxy is set.

    Clients in Go never send loopback addresses to a proxy; clients in Python and curl do. An API
    server sends what it asks a webhook (`NAME.NAMESPACE.svc`) to a proxy. Clients read either of
    the two spellings.
    """
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if listed == "*" or not any(environ.get(p) or environ.get(p.lower()) for p in PROXIES):
        return {}
    hosts = ",".join(dict.fromkeys([*filter(None, listed.split(",")), *LOCAL]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def choose(names: Sequence[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Give each name a port: the wanted one, else one that is free now.

    Raises:
        DevstackError: a wanted port is taken.
    """
    for name, port in wanted.items():
        _check(name, port)
    return {name: wanted[name] if name in wanted else free() for name in names}


def free() -> int:
    """Give a port that nobody has just now.

    Raises:
        DevstackError: a few hundred draws found none.
    """
    for _ in range(TRIES):
        port = _draw.randrange(LOWEST, _ephemeral())
        if _refusal(port) is None:
            return port
    raise DevstackError(f"no free port found on {HOST} from {LOWEST} to {_ephemeral()}")


def _check(name: str, port: int) -> None:
    if refusal := _refusal(port):
        raise DevstackError(
            f"port {port} for {name} cannot be had on {HOST} ({refusal}): free it, or "
            f"leave --port {name}={port} out to get a free one"
        )


def _refusal(port: int) -> str | None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            return error.strerror
    return None


def _ephemeral() -> int:
    try:
        first = int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):
        first = USUAL_EPHEMERAL
    return max(first, LOWEST + 1000)
