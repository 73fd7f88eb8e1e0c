"""The client of one Kusto endpoint, on the official client library, with a circuit breaker."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from azure.kusto.data import ClientRequestProperties, KustoConnectionStringBuilder
from azure.kusto.data.aio import KustoClient

from runtime.backoff import Backoff
from runtime.errors import (
    Misconfigured,
    Observe,
    OperatorError,
    Temporary,
    Throttled,
    Unreachable,
    ignore,
    observed,
)
from runtime.logging import context_fields
from runtime.version import installed_version
from worker.kusto.circuit_breaker import PROBE_DELAYS, CircuitBreaker
from worker.kusto.config import Login, proxy_for
from worker.kusto.errors import mapped_errors, no_token
from worker.kusto.health import EndpointHealth, EndpointTracker
from worker.ports import Clock

Row = dict[str, Any]

# NB: an async command runs under the limit of the request that started it: 10 minutes by
# default, one hour at most (Kusto docs, "Set timeout limits").
_TIMEOUT: Final = ClientRequestProperties.request_timeout_option_name
_SUBMIT: Final = {_TIMEOUT: timedelta(hours=1)}
_QUESTION_SECONDS: Final = 10
_QUESTION: Final = {
    _TIMEOUT: timedelta(seconds=_QUESTION_SECONDS),
    "request_readonly": True,
    "query_take_max_records": 1,
}
_PAUSING_THROTTLES: Final = 3
_SHORT_CALLS: Final = {"submit": 20.0, "poll": 20.0, "probe": 20.0}
"""Calls that Kusto answers at once, and the most seconds of one: what waits longer hangs."""
_TOKEN_WITHIN: Final = 15.0
_LOGIN_PAUSE: Final = 10.0
"""Seconds for which a refused token is not asked for again, however many rules want one."""
_APPLICATION: Final = f"summaryrule-operator/{installed_version()}"


class EndpointClient:
    """Bounded calls to one endpoint: in number, in time, and not at all while it is down."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        database: str = "",
        credential: Any = None,  # noqa: ANN401 - azure's AsyncTokenCredential
        login: Login | None = None,
        concurrency: int = 16,
        within: float = 30.0,
        observe: Observe = ignore,
        backoff: Backoff | None = None,
    ) -> None:
        """Make the client; it connects with its first call.

        Args:
            url: the endpoint.
            clock: for the circuit breaker and the health.
            database: the database of a probe, until a call has named another.
            credential: gives access tokens; None sends no login.
            login: describes the credential in errors.
            concurrency: the most calls at a time.
            within: the most seconds of one call.
            observe: gets each call.
            backoff: the delays before probes while the circuit is open.
        """
        self.url = url
        self._clock = clock
        self._database = database
        self._credential = credential
        self._login = login
        self._tracker = EndpointTracker(url, clock, login.identity if login is not None else "")
        self._within = within
        self._observe = observe
        self._places = asyncio.Semaphore(concurrency)
        self._circuit = CircuitBreaker(clock, backoff or Backoff(*PROBE_DELAYS))
        self._throttles = 0
        self._no_submits_until = 0.0
        self._client: KustoClient | None = None
        self._token = ""
        self._fetching_token = asyncio.Lock()
        self._no_login_until = 0.0

    async def call(
        self,
        name: str,
        database: str,
        text: str,
        *,
        before_send: Callable[[], None] | None = None,
    ) -> list[Row]:
        """Run a management command; its first table's rows, values as the JSON has them.

        ``before_send`` is given for a command that changes something. It is called once the
        concurrency slot and the access token are there; if it raises, nothing is sent.

        Raises:
            OperatorError: see ``worker.kusto.errors``; or what ``before_send`` raised.
        """
        submits, self._database = before_send is not None, database
        with observed(self._observe, name):
            try:
                async with self._places:
                    if submits:
                        self._require_no_pause()
                    with (
                        self._circuit.protect(),
                        self._tracker.track(name),
                        mapped_errors(self.url, submits=submits),
                    ):
                        options = _SUBMIT if submits else {}
                        rows = await self._run(name, database, text, options, before_send)
            except Throttled as error:
                if submits:
                    self._note_throttle(error)
                raise
            if submits:
                self._throttles = 0
            return rows

    async def ask(self, name: str, database: str, text: str) -> list[Row]:
        """Run a query or a ``.show`` command that only reads, in at most 10 seconds.

        It takes no place of ``call`` and does not count for the circuit, so it delays no window.
        While the circuit is open, nothing is sent.

        Raises:
            OperatorError: see ``worker.kusto.errors``.
        """
        with observed(self._observe, name):
            if self._circuit.open_reason is not None:
                raise Unreachable(f"{self._circuit.open_reason}; it is left alone for now")
            with mapped_errors(self.url, submits=False):
                async with asyncio.timeout(_QUESTION_SECONDS):
                    rows = await self._run(name, database, text, _QUESTION)
            self._tracker.answered()
            return rows

    @property
    def health(self) -> EndpointHealth:
        """Whether it answers, and since when."""
        return self._tracker.health()

    @property
    def identity(self) -> str:
        """Who the worker is to the endpoint; empty if it sends no login."""
        return self.health.identity

    @property
    def login_error(self) -> str | None:
        """Why there is no access token for it; None if there is one, or nobody has asked yet."""
        return self._tracker.login_error

    async def check_login(self) -> None:
        """Ask for an access token; ``health`` and ``login_error`` have the result."""
        with contextlib.suppress(Misconfigured):
            await self._fetch_token()

    @property
    def idle_seconds(self) -> float:
        """How long ago the last call ended; 0 while one waits."""
        return self._tracker.idle_seconds

    async def probe(self) -> None:
        """Send a query that reads no table; ``health`` has the result."""
        with contextlib.suppress(OperatorError):
            await self.call("probe", self._database, "print 1")

    async def close(self) -> None:
        """End its connections."""
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]

    async def _run(
        self,
        name: str,
        database: str,
        text: str,
        options: Mapping[str, Any],
        before_send: Callable[[], None] | None = None,
    ) -> list[Row]:
        async with asyncio.timeout(min(self._within, _SHORT_CALLS.get(name, self._within))):
            client = self._connected()
            await self._fetch_token()
            if before_send is not None:
                before_send()
            # It sends what begins with a dot as a command, and all else as a query.
            reply = await client.execute(database, text, _properties(name, options))
        table = reply.primary_results[0]
        names = [column["ColumnName"] for column in table.raw_columns]
        return [dict(zip(names, row, strict=True)) for row in table.raw_rows]

    def _connected(self) -> KustoClient:
        """The client, built on first use: its session belongs to the running loop."""
        if self._client is None:
            self._client = KustoClient(self._connection())
            proxy = proxy_for(self.url)
            if proxy is not None:
                self._client.set_proxy(proxy)
        return self._client

    def _connection(self) -> KustoConnectionStringBuilder:
        if self._credential is None:
            # NB: with_no_authentication (6.0.4) refuses https, which a credential-less caller of
            # a proxy may need; all it does else is to leave the login out.
            connection = KustoConnectionStringBuilder(self.url)
            connection["AAD Federated Security"] = False
            return connection
        # NB: the client's own azure credential provider (6.0.4) fetches the endpoint's metadata
        # with a blocking call that has no timeout, inside the event loop. A token callback does
        # not. It returns the token that is there, so that the client waits for none.
        return KustoConnectionStringBuilder.with_async_token_provider(self.url, self._current_token)

    async def _current_token(self) -> str:
        return self._token

    async def _fetch_token(self) -> None:
        """Have a valid token, which azure-identity caches; one fetch at a time."""
        if self._credential is None:
            return
        async with self._fetching_token:
            if self.login_error is not None and self._clock.monotonic() < self._no_login_until:
                raise Misconfigured(self.login_error, _LOGIN_PAUSE)
            try:
                async with asyncio.timeout(_TOKEN_WITHIN):
                    token = await self._credential.get_token(f"{self.url}/.default")
            except Exception as error:
                refused = no_token(error, self.url, self._login)
                self._tracker.token_refused(refused)
                self._no_login_until = self._clock.monotonic() + _LOGIN_PAUSE
                raise refused from error
        self._token = str(token.token)
        self._tracker.token_obtained()

    def _note_throttle(self, error: Throttled) -> None:
        """One rule may be throttled while others go on; a run of them pauses all submits."""
        self._throttles += 1
        if self._throttles >= _PAUSING_THROTTLES:
            until = self._clock.monotonic() + error.delay
            self._no_submits_until = max(self._no_submits_until, until)

    def _require_no_pause(self) -> None:
        wait = self._no_submits_until - self._clock.monotonic()
        if wait > 0:
            raise Temporary(f"{self.url} asked for fewer calls; submits wait {wait:.0f} s", wait)


def _properties(call: str, options: Mapping[str, Any]) -> ClientRequestProperties:
    """The application, and an id that names the rule and the window, for ``.show commands``."""
    properties = ClientRequestProperties()  # type: ignore[no-untyped-call]
    for option, value in options.items():
        properties.set_option(option, value)
    fields = context_fields()
    parts = [fields.get("rule", ""), fields.get("window", "").strip("[)").partition(",")[0]]
    properties.application = _APPLICATION
    properties.client_request_id = ";".join([f"SummaryRule.{call}", *parts, str(uuid.uuid4())])
    return properties
