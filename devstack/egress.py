"""Forwards the API server's calls from a Service's ClusterIP to a local process.

Nothing answers on a ClusterIP here, and the API server would dial it on the real network. Its
egress selector sends such calls to this HTTP CONNECT proxy on a Unix socket instead.
"""

import asyncio
import contextlib
from pathlib import Path

MAX_HEADER_BYTES = 8192


class EgressProxy:
    """The proxy. `routes["10.0.0.7:443"] = "127.0.0.1:40123"` opens a route.

    `socket` may be relative to the working directory: Linux allows 107 bytes for the path of a Unix
    socket, and the path of a state directory may be longer.
    """

    def __init__(self, socket: Path) -> None:
        self.routes: dict[str, str] = {}
        self.socket = socket
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on the socket, which only this user can access."""
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._serve, str(self.socket), limit=MAX_HEADER_BYTES
        )
        self.socket.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening; open connections end when a peer closes them."""
        if self._server is not None:
            self._server.close()
        self.socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await self._connect(await reader.readuntil(b"\r\n\r\n"))
            if upstream is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pump(reader, upstream[1]), _pump(upstream[0], writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client closed the connection or sent no HTTP request
        finally:
            writer.close()

    async def _connect(
        self, header: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        method, _, rest = header.decode("latin-1").partition(" ")
        local = self.routes.get(rest.partition(" ")[0])
        if local is None or method != "CONNECT":
            return None
        host, _, port = local.rpartition(":")
        try:
            return await asyncio.open_connection(host, int(port))
        except OSError:
            return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
