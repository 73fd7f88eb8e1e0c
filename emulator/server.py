"""Runs the application on a socket until a signal stops it.

NB: uvicorn 0.54 gives an application no way to cut a connection, which the lost-connection faults
need; so its protocol hands each request its transport's `abort`. It also raises a caught SIGTERM
again when it is done, which would end the process with a signal's exit code.
"""

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from emulator.app import App

_DRAIN_SECONDS: Final = 1
"""Seconds that requests in flight get after SIGTERM."""


class _Protocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["emulator.abort"] = self.transport.abort


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    return socket.create_server((host, port), backlog=512)


def announce(bound: socket.socket, port_file: Path | None) -> str:
    """The endpoint's URL; writes the port's number to `port_file`, whole or not at all."""
    host, port = bound.getsockname()[:2]
    if port_file is not None:
        draft = port_file.with_name(port_file.name + ".part")
        draft.write_text(f"{port}\n")
        draft.replace(port_file)
    return f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells the endpoint at once that the end has come, so that long queries do not delay it."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal handler."""
        super().handle_exit(sig, frame)
        self._stopping()


def serve(app: App, bound: socket.socket, stopping: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `stopping` is called when the signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    _Server(config, stopping).run(sockets=[bound])
