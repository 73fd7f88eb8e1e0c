"""The servers under measure: how each is started, pinned to one core, and stopped."""

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Final

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1
SLOWEST_START: Final = 60.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
JSON_TYPE: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Server:
    """A contender: its name and command; PORT, CERTS and GO are filled in."""

    name: str
    command: tuple[str, ...]
    answers_alike: bool = True


PYTHON: Final = sys.executable
OTHERS: Final = "bench.webhook.contenders"
OURS: Final = "this project"
SERVERS: Final = (
    Server(
        OURS,
        (
            *(PYTHON, "-m", "webhook", "serve", "--port", "PORT", "--certificates", "files"),
            *("--cert-dir", "CERTS", "--log-level", "warning"),
        ),
    ),
    Server("uvicorn echo", (PYTHON, "-m", f"{OTHERS}.echo", "PORT", "CERTS"), answers_alike=False),
    Server("Go net/http", ("GO/nethttp", "-address", "127.0.0.1:PORT", "-cert-dir", "CERTS")),
    Server("controller-runtime", ("GO/controllerruntime", "-port", "PORT", "-cert-dir", "CERTS")),
    Server("plain FastAPI", (PYTHON, "-m", f"{OTHERS}.plain_fastapi", "PORT", "CERTS")),
    Server("Kopf", (PYTHON, "-m", f"{OTHERS}.kopf_server", "PORT", "CERTS"), answers_alike=False),
)


@dataclass(slots=True)
class Running:
    """A started server."""

    port: int
    process: subprocess.Popen[bytes]
    cold_start: float

    def ask(self, path: str, body: bytes) -> bytes:
        """One request on a new connection; the body of a 200."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        try:
            connection.request("POST", path, body, JSON_TYPE)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:  # noqa: PLR2004 - the one that counts
            raise RuntimeError(f"{path} answered {answer.status}: {text[:200]!r}")
        return text

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident(self) -> float:
        """MiB of resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def started(server: Server, port: int, certs: Path, go: Path, first: bytes) -> Iterator[Running]:
    """Run on one core; the cold start ends with the first review answered."""
    values = {"PORT": str(port), "CERTS": str(certs), "GO": str(go)}
    command = [_filled(part, values) for part in server.command]
    environment = {**os.environ, "KUBECONFIG": "/nonexistent", "HOME": str(certs)}
    began = time.monotonic()
    with (certs / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdout=log,
            stderr=log,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),  # noqa: PLW1509 - no threads
        )
    running = Running(port, process, 0)
    try:
        _wait(running, first)
        running.cold_start = time.monotonic() - began
        yield running
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _filled(part: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        part = part.replace(name, value)
    return part


def _wait(running: Running, first: bytes) -> None:
    deadline = time.monotonic() + SLOWEST_START
    while True:
        if running.process.poll() is not None:
            raise RuntimeError(f"ended with {running.process.returncode} before it answered")
        try:
            running.ask("/validate", first)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
