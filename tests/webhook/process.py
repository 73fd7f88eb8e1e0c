"""The webhook as a real process over real TLS, and a client that keeps its connection."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Final, Self

from webhook.certificates.pki import KeyPair, ServiceName, new_ca, new_leaf

NAME: Final = ServiceName("summaryrule-operator-webhook", "summaryrule-system")
DAY: Final = timedelta(days=1)
SLOWEST: Final = 20.0
JSON_TYPE: Final = {"Content-Type": "application/json"}
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass
class Webhook:
    """A running process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    bundle: Callable[[], str]

    def client(self) -> "Client":
        """A new connection, verified against the present bundle."""
        return Client(self.port, ssl.create_default_context(cadata=self.bundle()))

    def probe(self, path: str) -> tuple[int, str]:
        """Ask as a kubelet does: a new connection, no verification."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with Client(self.port, context) as client:
            return client.ask("GET", path)

    def logs(self) -> list[dict[str, Any]]:
        """Every line logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SLOWEST)


@dataclass
class Client:
    """One keep-alive connection, opened on the first request and again when it was closed."""

    port: int
    context: ssl.SSLContext
    connections: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    _connection: HTTPSConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """One request; its status and text. Fails when the connection breaks."""
        connection = self._connection or self._open()
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self.close()
        return answer.status, text

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """One review, and its response."""
        status, text = self.ask("POST", path, body, JSON_TYPE)
        assert status == 200, text
        response: dict[str, Any] = json.loads(text)["response"]
        return response

    def raw(self, text: bytes) -> bytes:
        """Send bytes, read until the server closes or falls silent for half a second."""
        plain = socket.create_connection(("127.0.0.1", self.port), SLOWEST)
        with self.context.wrap_socket(plain, server_hostname=NAME.dns_name) as secure:
            secure.sendall(text)
            secure.settimeout(0.5)
            return b"".join(_pieces(secure))

    def _open(self) -> HTTPSConnection:
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=SLOWEST, context=self.context)
        plain = socket.create_connection(("127.0.0.1", self.port), SLOWEST)
        connection.sock = self.context.wrap_socket(plain, server_hostname=NAME.dns_name)
        self._connection = connection
        self.connections += 1
        return connection


def _pieces(secure: ssl.SSLSocket) -> Iterator[bytes]:
    try:
        while piece := secure.recv(65_536):
            yield piece
    except (TimeoutError, ssl.SSLError, ConnectionError):
        return


def write_pair(
    folder: Path, *, authority: KeyPair | None = None, names: ServiceName = NAME
) -> KeyPair:
    """Put a leaf and its CA into ``folder`` as cert-manager does; returns the CA."""
    now = datetime.now(UTC)
    signer = authority or new_ca(now, DAY)
    leaf = new_leaf(signer, names.dns_names, now, DAY)
    folder.mkdir(exist_ok=True)
    files = {"ca.crt": signer.chain, "tls.crt": leaf.chain, "tls.key": leaf.key}
    for name, text in files.items():
        (folder / f".{name}").write_bytes(text)
        (folder / f".{name}").rename(folder / name)
    return signer


@contextmanager
def webhook(
    folder: Path, *arguments: str, bundle: Callable[[], str], **environment: str
) -> Iterator[Webhook]:
    """Run ``webhook serve`` on a free port until the block ends; wait until it listens."""
    port = free_port()
    log = folder / f"webhook-{port}.log"
    command = [sys.executable, "-m", "webhook", "serve", "--port", str(port), *arguments]
    home = {"KUBECONFIG": str(folder / "none"), "HOME": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=output, env={**os.environ, **home, **environment}
        )
    running = Webhook(port, process, log, bundle)
    try:
        wait_until(lambda: answers(running))
        yield running
    finally:
        process.kill()
        process.wait()


def answers(running: Webhook) -> bool:
    """Whether it listens."""
    assert running.process.poll() is None, running.log.read_text()
    try:
        return running.probe("/healthz") == (200, "ok")
    except OSError:
        return False


def is_ready(running: Webhook) -> bool:
    """Whether it would get requests."""
    return running.probe("/readyz")[0] == 200


def wait_until(condition: Callable[[], object], slowest: float = SLOWEST) -> None:
    """Look until ``condition`` holds."""
    deadline = time.monotonic() + slowest
    while not condition():
        assert time.monotonic() < deadline, f"not within {slowest} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def sample(metrics: str, series: str) -> float:
    """The value of one series, labels as written in the exposition; 0 where it is not there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0
