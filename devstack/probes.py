"""Health questions for the supervisor: does an address answer?

Each gives a `Health`: an async function that says yes or no and never raises. They read the
status line by hand, so that a probe costs no HTTP client.
"""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from devstack.child import Health
from devstack.pki import Pair

PATIENCE = 2.0


def answers(url: str, *, context: ssl.SSLContext | None = None) -> Health:
    """Healthy when GET `url` answers 200 within two seconds."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode()

    async def ask() -> bool:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        try:
            writer.write(request)
            return (await reader.readline()).split(b" ", 2)[1:2] == [b"200"]
        finally:
            writer.close()

    async def health() -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await ask()
        except (OSError, TimeoutError):
            return False

    return health


def mutual(ca: Path, pair: Pair | None = None) -> ssl.SSLContext:
    """Trust `ca`, and show `pair` to the server."""
    context = ssl.create_default_context(cafile=ca)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context
