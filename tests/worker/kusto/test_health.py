"""What is known of an endpoint, and what the log, the rules and Kusto itself get of a call."""

import asyncio
import json
import logging
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.errors import Misconfigured, Unreachable
from runtime.logging import log_context
from runtime.version import installed_version
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from tests.worker.eventually import eventually
from tests.worker.misbehaving import Misbehaving, hang, reply
from worker.endpoint_monitor import EndpointMonitor
from worker.kusto.client import EndpointClient
from worker.kusto.config import login_of

EMPTY = {"TableName": "T", "Columns": [{"ColumnName": "A", "DataType": "String"}], "Rows": []}
ANSWER = reply(200, json.dumps({"Tables": [EMPTY]}).encode())
WINDOW = "[2026-11-20T01:00:00Z, 2026-11-20T02:00:00Z)"
NOON = Instant.parse("2026-11-20T12:00:00Z")


@dataclass
class SetClock:
    """A clock that stands until it is set."""

    seconds: float = 0.0

    def now(self) -> int:
        return NOON.ticks + round(self.seconds * TICKS_PER_SECOND)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Identity:
    """An azure-identity credential; `error` is why it gives no token."""

    error: Exception | None = None
    asked: int = field(default=0)

    async def get_token(self, *_scopes: str) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return type("AccessToken", (), {"token": "eyJtoken"})


def poll(client: EndpointClient) -> Any:
    return client.call("poll", "Telemetry", ".show operations")


async def test_an_endpoint_is_unknown_until_it_was_asked_and_then_answers() -> None:
    async with Misbehaving(ANSWER) as server:
        client = EndpointClient(server.url, SetClock())
        assert str(client.health) == "was not asked yet"
        await poll(client)
        assert str(client.health) == f"answers since {NOON}, last at {NOON}"
        assert client.health.as_json()["state"] == "answering"
        await client.close()


async def test_an_endpoint_that_cannot_be_reached_fails_since_the_first_time() -> None:
    clock = SetClock()
    client = EndpointClient("http://127.0.0.1:1", clock)
    for clock.seconds in (0, 5):
        with pytest.raises(Unreachable):
            await poll(client)
    assert str(client.health).startswith(f"fails since {NOON}: cannot connect to http://127.0")
    await client.close()


async def test_a_refusal_is_an_answer() -> None:
    refusal = {"error": {"code": "BadRequest", "message": "no", "@permanent": True}}
    async with Misbehaving(reply(400, json.dumps(refusal).encode())) as server:
        client = EndpointClient(server.url, SetClock())
        with pytest.raises(Exception, match="no"):
            await poll(client)
        assert client.health.state == "answering"
        await client.close()


async def test_a_call_that_hangs_is_reported_while_it_waits_with_rule_and_window() -> None:
    clock = SetClock()
    async with Misbehaving(ANSWER, hang) as server:
        client = EndpointClient(server.url, clock)
        await poll(client)
        with log_context(rule="telemetry/cpu", window=WINDOW):
            submit = asyncio.create_task(
                client.call("submit", "Telemetry", ".append", before_send=lambda: None)
            )
        await eventually(lambda: len(server.requests) > 1)
        clock.seconds = 9
        assert client.health.state == "answering"
        clock.seconds = 11
        assert str(client.health) == (
            f"fails since {NOON}: {server.url} has not answered the submit of window {WINDOW} of"
            f" telemetry/cpu since {NOON}"
        )
        submit.cancel()
        await asyncio.gather(submit, return_exceptions=True)
        assert client.health.state == "answering"
        await client.close()


async def test_an_endpoint_is_idle_since_its_last_call_ended() -> None:
    clock = SetClock()
    async with Misbehaving(ANSWER, hang) as server:
        client = EndpointClient(server.url, clock)
        clock.seconds = 60
        assert client.idle_seconds == 60
        await poll(client)
        assert client.idle_seconds == 0
        clock.seconds = 100
        assert client.idle_seconds == 40
        waiting = asyncio.create_task(poll(client))
        await eventually(lambda: len(server.requests) > 1)
        clock.seconds = 110
        assert client.idle_seconds == 0
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        clock.seconds = 115
        assert client.idle_seconds == 5
        await client.close()


async def test_a_probe_reads_no_table_and_asks_the_database_of_the_last_call() -> None:
    async with Misbehaving(ANSWER) as server:
        client = EndpointClient(server.url, SetClock(), database="First")
        await client.probe()
        await client.call("poll", "Second", ".show operations")
        await client.probe()
        await client.close()
        first, _, last = (request.decode() for request in server.requests)
    for request, database in ((first, "First"), (last, "Second")):
        assert request.startswith("POST /v2/rest/query")
        assert f'"db": "{database}", "csl": "print 1"' in request


async def test_kusto_gets_the_application_and_an_id_with_the_rule_and_the_window() -> None:
    async with Misbehaving(ANSWER) as server:
        client = EndpointClient(server.url, SetClock())
        with log_context(rule="telemetry/cpu", window=WINDOW):
            await client.call("submit", "Telemetry", ".append", before_send=lambda: None)
        await poll(client)
        await client.close()
        first, second = (request.decode() for request in server.requests)
    assert f"x-ms-app: summaryrule-operator/{installed_version()}\r\n" in first
    ids = r"x-ms-client-request-id: SummaryRule\.%s;%s;[0-9a-f-]{36}\r\n"
    assert re.search(ids % ("submit", "telemetry/cpu;2026-11-20T01:00:00Z"), first)
    assert re.search(ids % ("poll", ";"), second)


LOGIN = login_of(
    "workload-identity", {"AZURE_CLIENT_ID": "c1", "AZURE_TENANT_ID": "t1", "X_SECRET": "hunter2"}
)


@pytest.mark.parametrize(
    ("kind", "environ", "identity", "remedy"),
    [
        (
            "auto",
            {"AZURE_FEDERATED_TOKEN_FILE": "f", "AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t"},
            "workload-identity (client c, tenant t)",
            "workloadIdentity.clientId",
        ),
        (
            "auto",
            {"AZURE_CLIENT_SECRET": "hunter2", "AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t"},
            "client-secret (client c, tenant t)",
            "kusto.clientSecret.existingSecret",
        ),
        ("managed-identity", {}, "managed-identity", "workloadIdentity.enabled"),
        ("auto", {}, "az-login", "no identity is configured: set the chart values workload"),
    ],
)
def test_a_login_names_who_it_is_and_what_to_configure(
    kind: str, environ: dict[str, str], identity: str, remedy: str
) -> None:
    login = login_of(kind, environ)
    assert login.identity == identity
    assert remedy in login.remedy
    assert "hunter2" not in str(login)


async def test_a_token_is_asked_for_at_the_start_and_its_absence_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.endpoint_monitor._LOGIN_PERIOD", 0.01)
    monkeypatch.setattr("worker.kusto.client._LOGIN_PAUSE", 0.0)
    monkeypatch.setattr("worker.endpoint_monitor._REPORT_PERIOD", 0.01)
    caplog.set_level(logging.INFO)
    identity, changed = Identity(RuntimeError("Azure CLI not found")), list[str]()
    client = EndpointClient("https://k.test", SetClock(), credential=identity, login=LOGIN)
    monitor = asyncio.create_task(EndpointMonitor([client], changed.append, bool).run())
    await eventually(lambda: identity.asked > 5)
    error = (
        "no token for https://k.test as workload-identity (client c1, tenant t1): RuntimeError:"
        f" Azure CLI not found; {LOGIN.remedy}"
    )
    assert client.login_error == error
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", f"endpoint https://k.test fails since {NOON}: {error}")
    ]
    assert changed == ["https://k.test"]
    identity.error = None
    await eventually(lambda: len(changed) > 1)
    monitor.cancel()
    await asyncio.gather(monitor, return_exceptions=True)
    assert client.login_error is None
    assert str(client.health) == f"was not asked yet (login: {LOGIN.identity})"
    await client.close()


async def test_a_login_error_says_the_newest_cause_without_what_differs_each_time() -> None:
    identity, clock = Identity(), SetClock()
    client = EndpointClient("https://k.test", clock, credential=identity, login=LOGIN)
    said = list[str | None]()
    for cause in ("AADSTS700016: no such app.", "AADSTS700016: no such app.", "AADSTS700211: no"):
        number = len(said)
        trace = f" Trace ID: {number}-a Correlation ID: {number}-b Timestamp: 2026-11-20 12:00Z"
        identity.error = RuntimeError(cause + trace)
        clock.seconds += 20
        with pytest.raises(Misconfigured):
            await poll(client)
        said.append(client.login_error)
        assert client.login_error == client.health.error
    assert said[0] == said[1]
    assert "AADSTS700016: no such app.;" in str(said[1])
    assert "AADSTS700211" in str(said[2])
    await client.close()


async def test_many_rules_do_not_ask_again_at_once_for_a_token_that_was_refused() -> None:
    identity, clock = Identity(RuntimeError("no")), SetClock()
    client = EndpointClient("https://k.test", clock, credential=identity, login=LOGIN)
    for clock.seconds in (0, 1, 9, 11):
        with pytest.raises(Misconfigured, match="as workload-identity"):
            await poll(client)
    assert identity.asked == 2
    await client.close()
