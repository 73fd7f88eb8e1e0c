"""Carries the API server's calls from a Service's ClusterIP to a local process.

Without a kubelet nothing answers on a ClusterIP, and the API server would dial it on the real
network. Its egress selector sends such calls here instead: an HTTP CONNECT proxy on a Unix
socket that knows `clusterIP:port` → `127.0.0.1:port`. The kubelet fills `Egress.routes`.
"""

import asyncio
import contextlib
from pathlib import Path

LONGEST_HEAD = 8192


class Egress:
    """The proxy; `routes["10.0.0.7:443"] = "127.0.0.1:40123"` opens a way.

    `socket` may be relative to the working directory: Linux takes 107 bytes of a Unix socket's
    path, and a state folder's may be longer.
    """

    def __init__(self, socket: Path) -> None:
        self.routes: dict[str, str] = {}
        self.socket = socket
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on the socket, readable by this user alone."""
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(
            self._serve, str(self.socket), limit=LONGEST_HEAD
        )
        self.socket.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening; connections that are open end with their peers."""
        if self._server is not None:
            self._server.close()
        self.socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await self._dial(await reader.readuntil(b"\r\n\r\n"))
            if far is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the API server hung up, or is not who speaks here
        finally:
            writer.close()

    async def _dial(self, head: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        method, _, rest = head.decode("latin-1").partition(" ")
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
