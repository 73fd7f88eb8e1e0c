"""Finds free loopback ports.

A port is only found here; the process binds it a moment later. Meanwhile the kernel may give any
port of its ephemeral range to an outgoing connection, so free ports are drawn from below that
range.
"""

import random
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from devstack.errors import DevstackError

HOST = "127.0.0.1"
LOOPBACK_HOSTS = (HOST, "localhost", "::1")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
MIN_PORT = 20_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
DEFAULT_EPHEMERAL_START = 32_768
MAX_DRAWS = 200

_random = random.SystemRandom()


def no_proxy_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return NO_PROXY in both spellings, with loopback added; {} without a proxy.

    Clients in Go never use a proxy for loopback addresses; clients in Python and curl do.
    """
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    has_proxy = any(environ.get(each) or environ.get(each.lower()) for each in PROXY_VARIABLES)
    if listed == "*" or not has_proxy:
        return {}
    hosts = ",".join(dict.fromkeys([*filter(None, listed.split(",")), *LOOPBACK_HOSTS]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def choose(names: Sequence[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """Return a port per name: the wanted one, else one that is free now.

    Raises:
        DevstackError: a wanted port is taken.
    """
    for name, port in wanted.items():
        _require_free(name, port)
    return {name: wanted[name] if name in wanted else find_free() for name in names}


def find_free() -> int:
    """Return a port that is free now.

    Raises:
        DevstackError: `MAX_DRAWS` random ports were all taken.
    """
    for _ in range(MAX_DRAWS):
        port = _random.randrange(MIN_PORT, _ephemeral_start())
        if _bind_error(port) is None:
            return port
    raise DevstackError(f"no free port found on {HOST} from {MIN_PORT} to {_ephemeral_start()}")


def _require_free(name: str, port: int) -> None:
    if error := _bind_error(port):
        raise DevstackError(
            f"port {port} for {name} cannot be used on {HOST} ({error}): free it, or "
            f"leave --port {name}={port} out to get a free one"
        )


def _bind_error(port: int) -> str | None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            return error.strerror
    return None


def _ephemeral_start() -> int:
    try:
        first = int(EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        first = DEFAULT_EPHEMERAL_START
    return max(first, MIN_PORT + 1000)
