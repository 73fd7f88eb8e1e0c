"""HTTP on one connection, byte by byte: uvicorn's protocol on a transport that records."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from runtime.cel import parse_error
from summaryrule.api.instant import Instant
from tests.webhook.reviews import NOW, WORKER, as_go_writes, review, rule
from webhook.admission_review import AdmissionRequest
from webhook.app import AdmissionRoute, Application
from webhook.errors import RefusedRequestError
from webhook.handlers import AdmissionConfig, Result, mutate, validate
from webhook.metrics import Metrics
from webhook.request_limits import BODY_TIMEOUT, MAX_BODY_BYTES, read_body

GOOD = as_go_writes(review(rule()))
JSON_TYPE = "Content-Type: application/json\r\n"
DATE = (b"date", b"Tue, 24 Nov 2026 06:00:00 GMT")


def request(body: bytes = GOOD, head: str = JSON_TYPE, line: str = "POST /validate") -> bytes:
    length = f"Content-Length: {len(body)}\r\n\r\n"
    return f"{line} HTTP/1.1\r\nHost: x\r\n{head}{length}".encode() + body


def chunked(*parts: bytes) -> bytes:
    head = f"POST /validate HTTP/1.1\r\nHost: x\r\n{JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in parts)


@dataclass
class Transport(asyncio.Transport):
    """Keeps what is written; ``on_write`` plays a buffer that fills."""

    written: bytearray = field(default_factory=bytearray)
    is_closed: bool = False
    reads: bool = True
    on_write: Callable[[], None] = lambda: None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written += data
        self.on_write()

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default


@dataclass
class Timer:
    """A call that waits for its time."""

    delay: float
    act: Callable[[], object]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """The part of a loop that a connection needs; time passes when it is told to."""

    def __init__(self) -> None:
        self.create_task = asyncio.get_running_loop().create_task
        self.timers: list[Timer] = []

    def call_later(self, delay: float, act: Callable[..., object], *args: Any) -> Timer:
        self.timers.append(Timer(delay, partial(act, *args)))
        return self.timers[-1]

    def pass_(self, seconds: float) -> None:
        """Let ``seconds`` pass since every timer that waits was set."""
        for timer in self.timers:
            if timer.delay <= seconds and not timer.is_cancelled:
                timer.act()


class Connection:
    """One connection; ``/slow`` is answered when it is let go."""

    def __init__(
        self, *, body_timeout: float = BODY_TIMEOUT, **handlers: Callable[..., Result]
    ) -> None:
        self.metrics, self.clock, self.transport = Metrics(), Clock(), Transport()
        self.let_go = asyncio.Event()
        self.application = Application(
            {
                f"/{name}": AdmissionRoute(
                    f"/{name}",
                    handler=handler,
                    config=AdmissionConfig(WORKER, parse_error),
                    metrics=self.metrics,
                    now=lambda: Instant.parse(NOW),
                )
                for name, handler in {"mutate": mutate, "validate": validate, **handlers}.items()
            },
            self.probes,
            body_timeout=body_timeout,
        )
        config = uvicorn.Config(
            self.application,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            timeout_keep_alive=120,
        )
        self.state = ServerState()
        self.state.default_headers = [DATE]
        self.protocol = HttpToolsProtocol(
            config=config,
            server_state=self.state,
            app_state={},
            _loop=self.clock,  # type: ignore[arg-type]
        )
        self.protocol.connection_made(self.transport)

    async def probes(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await self.let_go.wait()
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"plain"})

    async def send(self, *texts: bytes) -> None:
        """Receive ``texts`` and do all that can be done about them now."""
        for text in texts:
            self.protocol.data_received(text)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def answers(self) -> list[int]:
        """The status of every answer so far, in order."""
        parts = bytes(self.transport.written).split(b"HTTP/1.1 ")
        return [int(part[:3]) for part in parts[1:]]

    def refused(self, code: int) -> float:
        labels = {"path": "/validate", "code": str(code)}
        name = "summaryrule_webhook_refused_requests_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0


async def test_an_answer_has_the_servers_headers_a_type_and_a_length() -> None:
    connection = Connection()
    await connection.send(request())
    head, _, body = bytes(connection.transport.written).partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"date: " + DATE[1],
        b"content-type: application/json",
        b"content-length: %d" % len(body),
    ]
    assert json.loads(body)["response"]["allowed"]
    assert not connection.transport.is_closed


async def test_a_request_byte_by_byte_is_one_request() -> None:
    connection = Connection()
    await connection.send(*(bytes([byte]) for byte in request() + request()))
    assert connection.answers == [200, 200]


async def test_chunks_make_up_one_body() -> None:
    connection = Connection()
    await connection.send(chunked(GOOD[:1], GOOD[1:900]), b"%x\r\n" % len(GOOD[900:]))
    assert connection.answers == []
    await connection.send(GOOD[900:] + b"\r\n0\r\n\r\n")
    assert connection.answers == [200]


async def test_pipelined_reviews_are_answered_in_their_order() -> None:
    connection = Connection()
    await connection.send(request() + request(b"{}") + request(line="POST /mutate?timeout=5s"))
    assert connection.answers == [200, 400, 200]


async def test_a_probe_behind_a_review_is_answered_after_it() -> None:
    connection = Connection()
    await connection.send(request() + request(b"", line="GET /healthz") + b"")
    await connection.settle()
    assert connection.answers == [200, 200]
    assert connection.transport.written.endswith(b"plain")


async def test_a_review_behind_an_unfinished_answer_waits_for_its_turn() -> None:
    connection = Connection()
    await connection.send(request(b"", line="GET /slow") + request() + request(b"{}"))
    assert connection.answers == []
    assert not connection.transport.reads
    connection.let_go.set()
    await connection.settle()
    assert connection.answers == [200, 200, 400]
    assert connection.transport.reads
    assert not connection.transport.is_closed


async def test_who_waits_for_100_is_told_to_go_on() -> None:
    connection = Connection()
    whole = request(head=JSON_TYPE + "Expect: 100-continue\r\n")
    await connection.send(whole[: -len(GOOD)])
    assert connection.answers == [100]
    await connection.send(GOOD)
    assert connection.answers == [100, 200]


async def test_who_waits_for_100_is_refused_before_sending_the_body() -> None:
    connection = Connection()
    await connection.send(request(head="Expect: 100-continue\r\n")[: -len(GOOD)])
    assert connection.answers == [415]
    assert connection.transport.is_closed


async def test_a_body_that_says_it_is_too_large_is_refused_at_once() -> None:
    connection = Connection()
    await connection.send(f"POST /validate HTTP/1.1\r\n{JSON_TYPE}Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())  # fmt: skip # noqa: E501
    assert connection.answers == [413]
    assert connection.transport.is_closed
    assert connection.refused(413) == 1
    await connection.send(b"x" * 1000)
    assert connection.answers == [413]


async def test_chunks_beyond_the_limit_are_refused_once_and_kept_no_longer() -> None:
    connection = Connection()
    await connection.send(chunked(b" " * MAX_BODY_BYTES, b" ", b" " * 1000), b"0\r\n\r\n")
    assert connection.answers == [413]
    assert connection.transport.is_closed


async def test_a_refusal_at_the_first_piece_leaves_no_timer() -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(RefusedRequestError):
        await read_body(receive, 0.01)
    await asyncio.sleep(0.05)
    assert errors == []


async def test_a_refused_request_is_read_to_its_end_and_the_next_is_answered() -> None:
    connection = Connection()
    await connection.send(request(head="")[:-20])
    assert connection.answers == [415]
    await connection.send(request()[-20:] + request())
    assert connection.answers == [415, 200]


async def test_a_body_that_does_not_come_is_given_up() -> None:
    connection = Connection(body_timeout=0.05)
    await connection.send(request()[:-20])
    assert connection.answers == []
    await asyncio.sleep(0.1)
    assert connection.answers == [408]
    assert connection.transport.is_closed
    assert connection.refused(408) == 1


async def test_a_body_that_comes_piece_by_piece_has_one_deadline() -> None:
    connection, body = Connection(body_timeout=0.1), request()
    await connection.send(body[:-20])
    for at in range(len(body) - 20, len(body) - 10):
        await asyncio.sleep(0.02)
        await connection.send(body[at : at + 1])
    assert connection.answers == [408]


async def test_an_answered_request_leaves_only_the_timer_of_an_idle_connection() -> None:
    connection = Connection()
    await connection.send(request()[:-20], request()[-20:])
    connection.clock.pass_(BODY_TIMEOUT)
    assert not connection.transport.is_closed
    connection.clock.pass_(connection.protocol.timeout_keep_alive)
    assert connection.answers == [200]
    assert connection.transport.is_closed


async def test_a_client_that_goes_away_in_a_body_is_counted() -> None:
    connection = Connection()
    await connection.send(request()[:-20])
    connection.transport.close()
    connection.protocol.connection_lost(None)
    await connection.settle()
    assert connection.answers == []
    assert connection.refused(400) == 1
    connection.clock.pass_(1000)
    assert connection.answers == []


async def test_nothing_is_read_from_a_peer_that_reads_no_answers() -> None:
    connection = Connection()
    connection.transport.on_write = connection.protocol.pause_writing
    await connection.send(request(), request(), request())
    assert len(connection.answers) <= 1
    assert not connection.transport.reads
    connection.transport.on_write = lambda: None
    connection.protocol.resume_writing()
    await connection.settle()
    assert connection.answers == [200, 200, 200]
    assert connection.transport.reads


@pytest.mark.parametrize("ends", ["HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"])
async def test_a_client_that_asks_to_close_is_answered_and_closed(ends: str) -> None:
    connection = Connection()
    await connection.send(request().replace(b"HTTP/1.1\r\n", ends.encode()))
    await connection.send(request())
    assert connection.answers == [200]
    assert b"connection: close" in connection.transport.written
    assert connection.transport.is_closed


@pytest.mark.parametrize("line", ["POST /validate", "GET /healthz"])
async def test_a_draining_server_says_once_that_it_closes(line: str) -> None:
    connection = Connection()
    connection.application.is_draining = True
    await connection.send(request(line=line))
    assert connection.answers == [200]
    assert connection.transport.written.count(b"connection: close") == 1
    assert connection.transport.is_closed


async def test_a_refusal_of_a_draining_server_says_once_that_it_closes() -> None:
    connection = Connection()
    connection.application.is_draining = True
    await connection.send(chunked(b" " * MAX_BODY_BYTES, b" "))
    assert connection.answers == [413]
    assert connection.transport.written.count(b"connection: close") == 1


async def test_a_server_that_stops_answers_the_review_whose_body_is_on_its_way() -> None:
    connection, idle = Connection(), Connection()
    await connection.send(request()[:-20])
    assert (connection.application.in_flight, idle.application.in_flight) == (1, 0)
    for each in (connection, idle):
        each.protocol.shutdown()
    assert (connection.transport.is_closed, idle.transport.is_closed) == (False, True)
    await connection.send(request()[-20:])
    assert connection.answers == [200]
    assert connection.transport.is_closed
    assert connection.application.in_flight == 0


async def test_an_error_of_ours_is_logged_and_answered_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = ZeroDivisionError()

    def handle(_request: AdmissionRequest, _config: AdmissionConfig, _now: Instant) -> Result:
        raise error

    connection = Connection(validate=handle)
    await connection.send(request())
    assert connection.answers == [500]
    assert b"an error of the webhook; see its log" in connection.transport.written
    assert connection.transport.is_closed
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]
    assert connection.refused(500) == 1
