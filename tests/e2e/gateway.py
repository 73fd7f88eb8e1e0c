"""A reverse proxy in front of the API server and the Kusto endpoint, one a worker of a proof.

A proof starts a worker whose kubeconfig and `--kusto-endpoint` lead here, and learns of every side
effect in order: each write to the API server and each call to Kusto. Its hook is asked at three
moments of each, and may kill the worker, stop it, or hold the call, so that no hook of this kind is
needed in the worker. What passed through a gateway was sent by its worker and by nobody else.
"""

import asyncio
import contextlib
import json
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

from devstack.stack import Stack

LEASE = "Lease"
_OWN_HEADERS = {"host", "connection", "transfer-encoding", "content-length"}
_PATIENCE = 30.0


class Moment(Enum):
    """When the hook is asked about a call."""

    ARRIVED = auto()
    """The worker has sent it; it has not been passed on."""
    CARRIED_OUT = auto()
    """The service has answered; the worker has not heard of it."""
    PASSED_ON = auto()
    """The worker has been sent the whole answer."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One side effect: the `turn`-th that reads `what`.

    `at` is when it came, of `time.monotonic`; `table` is where a submit goes.
    """

    what: str
    turn: int
    at: float
    table: str = ""


@dataclass
class Questions:
    """The questions about queries: how many passed, and the most that were open at once."""

    asked: int = 0
    most_at_once: int = 0
    _open: int = 0

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Around one question, until it is answered."""
        self.asked += 1
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            yield
        finally:
            self._open -= 1


Hook = Callable[[Effect, Moment], Awaitable[None]]


async def _nothing(_effect: Effect, _moment: Moment) -> None:
    """Let all pass."""


class Gateway:
    """The proxy, while entered; it runs on a thread of its own.

    `effects` has what passed since `watch`, in order, and `questions` the checks of queries. While
    `kusto_is_down`, its connections break.
    """

    def __init__(self, stack: Stack) -> None:
        self.effects: list[Effect] = []
        self.questions = Questions()
        self.api = self.kusto = ""
        self.kusto_is_down = False
        self._targets = (_server(stack), stack.env()["KUSTO_ENDPOINT"])
        self._trust = ssl.create_default_context(cafile=stack.state_dir.pki / "ca.crt")
        self._hook: Hook = _nothing
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="gateway")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_PATIENCE), "the gateway did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def watch(self, hook: Hook = _nothing) -> None:
        """Forget what passed, and ask `hook` about what comes from now on."""
        self.effects, self.questions, self._hook = [], Questions(), hook

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            urls = [
                await stack.enter_async_context(self._listening(target)) for target in self._targets
            ]
            self.api, self.kusto = urls
            self._ready.set()
            await self._over.wait()
        # NB: aiohttp (3.14) closes TLS transports on a later turn of the loop.
        await asyncio.sleep(0.2)

    @contextlib.asynccontextmanager
    async def _listening(self, target: str) -> AsyncIterator[str]:
        connector = aiohttp.TCPConnector(ssl=self._trust)
        async with aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session:

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                return await self._pass(request, session, target)

            # A worker that is gone must not leave its watches open.
            server = web.Server(handle, handler_cancellation=True)
            listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
            try:
                yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            finally:
                listening.close()
                await server.shutdown(0.1)

    async def _pass(
        self, request: web.BaseRequest, session: aiohttp.ClientSession, target: str
    ) -> web.StreamResponse:
        body = await request.read()
        if is_question(request.path, body):
            with self.questions.counted():
                return await self._carry_out(request, body, session, target)
        return await self._carry_out(request, body, session, target)

    async def _carry_out(
        self, request: web.BaseRequest, body: bytes, session: aiohttp.ClientSession, target: str
    ) -> web.StreamResponse:
        effect = self._note(request.method, request.path, body)
        await self._tell(effect, Moment.ARRIVED)
        if self.kusto_is_down and target == self._targets[1] and request.transport is not None:
            request.transport.abort()
            return web.Response()
        url = URL(target + request.raw_path, encoded=True)
        headers = _without(request.headers)
        async with session.request(request.method, url, headers=headers, data=body) as reply:
            answer = web.StreamResponse(status=reply.status, headers=_without(reply.headers))
            if "watch" in request.query:
                return await _stream(request, answer, reply)
            data = await reply.read()
        await self._tell(effect, Moment.CARRIED_OUT)
        answer.content_length = len(data)
        with contextlib.suppress(ConnectionError):  # the hook may have killed who asked
            await answer.prepare(request)
            await answer.write(data)
            await answer.write_eof()
            await self._tell(effect, Moment.PASSED_ON)
        return answer

    def _note(self, method: str, path: str, body: bytes) -> Effect | None:
        what = effect_of(method, path, body)
        if what is None:
            return None
        turn = sum(each.what == what for each in self.effects) + 1
        table = re.match(rb'.*"\.set-or-append async (\S+)', body)
        effect = Effect(what, turn, time.monotonic(), table[1].decode() if table else "")
        self.effects.append(effect)
        return effect

    async def _tell(self, effect: Effect | None, moment: Moment) -> None:
        if effect is not None:
            await self._hook(effect, moment)


async def _stream(
    request: web.BaseRequest, answer: web.StreamResponse, reply: aiohttp.ClientResponse
) -> web.StreamResponse:
    answer.enable_chunked_encoding()
    with contextlib.suppress(ConnectionError):
        await answer.prepare(request)
        async for chunk in reply.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
    return answer


def _without(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OWN_HEADERS}


def _server(stack: Stack) -> str:
    return stack.process("kube-apiserver").address


def is_question(path: str, body: bytes) -> bool:
    """Whether it is a query or asks for the schema of a table: the two steps of a check."""
    return path == "/v2/rest/query" or (path == "/v1/rest/mgmt" and b" schema as json" in body)


def effect_of(method: str, path: str, body: bytes) -> str | None:
    """What a call does, in a few words; None for one that reads the API server."""
    if path.startswith("/v1/rest/mgmt"):
        return f"Kusto: {_command(json.loads(body)['csl'])}"
    if method == "GET" or not path.startswith(("/api/", "/apis/")):
        return None
    if path.endswith("/status"):
        return f"status: {_status(json.loads(body)['status'])}"
    if "/summaryrules/" in path:
        return f"rule: {_rule(json.loads(body))}"
    if "/leases" in path:
        return LEASE
    return f"Event: {json.loads(body).get('reason', 'said again')}"


def _command(text: str) -> str:
    if window := re.search(r"let _startTime=datetime\(([^)]*)\)", text):
        return f"submit {window[1]}"
    if run := re.search(r"drop-by:summaryrule/[^/]*/[^/]*/([^/]*)/", text):
        return f"{'drop a run' if text.startswith('.drop') else 'find runs'} of {run[1]}"
    if text.endswith(" schema as json"):
        return "schema"
    words = {".show operations (": "poll", ".show operations |": "log", ".show table": "tags"}
    return next((name for begin, name in words.items() if text.startswith(begin)), text[:24])


def _status(change: Mapping[str, Any]) -> str:
    """A status patch holds what changed: windows in flight, with an operation or as intents."""
    backfill = change.get("backfill") or {}
    if "phase" in backfill and backfill["phase"] not in ("Pending", "Running"):
        return str(backfill["phase"])
    flying = backfill.get("inFlight")
    if flying is None:
        return "conditions" if "conditions" in change else ", ".join(change)
    return ", ".join(_window(window) for window in flying) or "nothing in flight"


def _window(window: Mapping[str, Any]) -> str:
    kind = "operation" if window.get("operationId") else "intent"
    return f"{kind} {window['start']}"


def _rule(change: Mapping[str, Any]) -> str:
    metadata, spec = change.get("metadata", {}), change.get("spec")
    if spec is not None:
        backfill = spec.get("backfill")
        return f"start {backfill['start']}" if backfill else "backfill removed"
    kinds = {"managedFields": "fields given up", "finalizers": "finalizer"}
    return next((name for key, name in kinds.items() if key in metadata), "annotations")
