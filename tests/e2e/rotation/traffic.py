"""The requests of the proof: reviews sent to the replicas, and rules sent to the API server.

Three habits of clients, each the worst for something else: one keeps its connection until it is
asked to close, one opens another whenever the caBundle has changed (as the API server does), one
opens another every few requests, so that each certificate that is served is verified.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from itertools import cycle
from typing import Any, Final

import httpx

from tests.e2e.manifests import rule as manifest
from tests.e2e.rotation.connection import Connection
from tests.e2e.rotation.tally import Tally
from tests.e2e.rotation.trust import Trust
from tests.webhook.reviews import as_go_writes, review, rule

PACE: Final = 0.01
"""Seconds between a client's requests: the machine is to be busy, not choked."""
RULES: Final = "/apis/adx-mon.azure.com/v1/namespaces/default/summaryrules?dryRun=All"
ASKED: Final = (
    ("/mutate", as_go_writes(review(rule())), True),
    ("/validate", as_go_writes(review(rule())), True),
    ("/validate", as_go_writes(review(rule(body=".drop table x"))), False),
)
MUST_CLOSE: Final = 10
IsStale = Callable[[int, ssl.SSLContext], bool]
_BROKEN: Final = (OSError, EOFError, TimeoutError, AssertionError, KeyError, ValueError)


class Asker:
    """One client of the replicas. `is_stale(asked, trust)` says when it opens another connection:
    after so many requests on one that was verified by `trust`."""

    def __init__(self, trust: Trust, tally: Tally, is_stale: IsStale) -> None:
        self._trust, self._tally, self._is_stale = trust, tally, is_stale
        self._open: Connection | None = None
        self._by, self._asked = trust.context, 0

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            for path, body, allowed in cycle(ASKED):
                await self._ask(path, body, allowed=allowed)
                await asyncio.sleep(PACE)
        finally:
            self._hang_up()

    async def _ask(self, path: str, body: bytes, *, allowed: bool) -> None:
        try:
            connection = self._open or await self._dial()
            response, is_closing = await connection.ask(path, body)
            assert response["allowed"] is allowed, response
        except _BROKEN as error:
            self._tally.now.failures.append(f"{self._tally.now.name}: {path}: {error!r}")
            self._hang_up()
            return
        self._tally.now.requests += 1
        self._asked += 1
        if is_closing or self._is_stale(self._asked, self._by):
            self._hang_up()

    async def _dial(self) -> Connection:
        self._by, self._asked = self._trust.context, 0
        self._open = await Connection.open(self._trust.port(), self._by)
        self._tally.now.handshakes += 1
        self._tally.now.certificates.add(self._open.served)
        return self._open

    def _hang_up(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


async def through_api_server(api: httpx.AsyncClient, tally: Tally) -> None:
    """Create rules, as dry runs, until cancelled: both webhooks are asked for each.

    A defaulted field shows that `/mutate` was reached, which an ignored failure would hide.
    """
    good = manifest(ingestionDelay=...)
    bad = manifest(body=".drop table T")
    while True:
        for wanted, said in ((good, '"ingestionDelay":"0s"'), (bad, "is a management command")):
            failure = await _create(api, wanted, said)
            if failure:
                tally.now.failures.append(f"{tally.now.name}: API server: {failure}")
            else:
                tally.now.through_api_server += 1
            await asyncio.sleep(PACE)


async def _create(api: httpx.AsyncClient, wanted: dict[str, Any], said: str) -> str:
    try:
        answer = await api.post(RULES, json=wanted)
    except httpx.HTTPError as error:
        return repr(error)
    return "" if said in answer.text else answer.text[:300]


@contextlib.asynccontextmanager
async def under_load(
    trust: Trust, api: httpx.AsyncClient, tally: Tally, each: int
) -> AsyncIterator[None]:
    """Run `each` clients of every habit, and two of the API server, for as long as the block."""
    habits: list[IsStale] = [
        lambda _asked, _by: False,
        lambda _asked, by: by is not trust.context,
        lambda asked, _by: asked >= MUST_CLOSE,
    ]
    async with asyncio.TaskGroup() as group:
        work = [
            trust.watch(),
            *(Asker(trust, tally, is_stale).run() for is_stale in habits * each),
            *(through_api_server(api, tally) for _ in range(2)),
        ]
        running = [group.create_task(each_of) for each_of in work]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
