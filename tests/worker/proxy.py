"""A TCP proxy on loopback that can freeze: connections stay open and nothing passes."""

import asyncio
import contextlib
from urllib.parse import urlsplit

from tests.worker.loopback import Loopback


class TcpProxy(Loopback):
    """Passes bytes to the host and port of `target`, until told to freeze."""

    def __init__(self, target: str) -> None:
        super().__init__()
        parts = urlsplit(target)
        self.scheme, self._target = parts.scheme, (parts.hostname or "", parts.port or 443)
        self._flowing = asyncio.Event()
        self._flowing.set()

    def freeze(self) -> None:
        """From here on nothing passes, in either direction."""
        self._flowing.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer))
                both.create_task(self._pump(far_reader, writer))
        finally:
            far_writer.close()
            with contextlib.suppress(OSError):
                await far_writer.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof() if writer.can_write_eof() else writer.close()
