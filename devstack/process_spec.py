"""A process of the stack: its specification, its health check and its status."""

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

HEALTH_TIMEOUT = 2.0
"""Seconds for one answer to a health check."""

HealthCheck = Callable[[], Awaitable[bool]]
"""Called about once a second. Answers within about two seconds and raises nothing."""


async def always_healthy() -> bool:
    """Return True: the health check of a process that is healthy while it runs."""
    return True


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process to run.

    `env` is its whole environment. `grace` is the time in seconds between SIGTERM and SIGKILL.
    With `restart`, the supervisor starts it again whenever it ends, as a kubelet does.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    address: str = ""
    health: HealthCheck = always_healthy
    cwd: Path | None = None
    restart: bool = False
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One entry of `status -o json`: these six keys, in this order."""

    name: str
    pid: int | None
    address: str
    log: str
    healthy: bool
    restarts: int

    def as_json(self) -> dict[str, object]:
        """Return the six keys as a JSON object."""
        return asdict(self)


def log_tail(log: Path, lines: int = 1) -> str:
    """Return the last non-blank `lines` of a log; empty when the log cannot be read."""
    try:
        text = log.read_bytes()[-8192:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def http_health(url: str, *, context: ssl.SSLContext | None = None) -> HealthCheck:
    """Return a check that is true when GET `url` answers 200 within `HEALTH_TIMEOUT`.

    It reads only the status line, so it needs no HTTP client.
    """
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode()

    async def get() -> bool:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        try:
            writer.write(request)
            return (await reader.readline()).split(b" ", 2)[1:2] == [b"200"]
        finally:
            writer.close()

    async def health() -> bool:
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                return await get()
        except (OSError, TimeoutError):
            return False

    return health
