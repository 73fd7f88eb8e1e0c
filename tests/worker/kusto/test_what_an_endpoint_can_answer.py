"""Every reply that an endpoint, or a proxy before it, can give, as the worker's errors."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.errors import Ambiguous, Permanent, Refused, Temporary, Throttled, Unreachable
from tests.worker.eventually import eventually
from tests.worker.fences import allow
from tests.worker.misbehaving import Misbehaving, Script, cut, hang, reply
from worker.kusto.client import EndpointClient
from worker.kusto.requests import KustoRequests

HTML = b"<html><head><style>b{}</style></head><body>502 Bad Gateway</body></html>"
OPERATION = "11111111-2222-4333-8444-555555555555"


def json_reply(status: int, body: Any, **headers: str) -> Script:
    return reply(status, msgspec.json.encode(body), **headers)


def api_error(status: int, text: str, *, permanent: bool = True, code: str = "General") -> Script:
    error = {"code": code, "message": "short", "@message": text, "@permanent": permanent}
    return json_reply(status, {"error": error})


def table(*rows: list[Any], column: str = "OperationId") -> Script:
    columns = [{"ColumnName": column, "DataType": "Guid", "ColumnType": "guid"}]
    body = {"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": list(rows)}]}
    return json_reply(200, body)


def commands(server: Misbehaving, **options: Any) -> tuple[KustoRequests, EndpointClient]:
    options = dict[str, Any](within=0.4, backoff=Backoff(30, 30)) | options
    service = EndpointClient(server.url, SystemClock(), **options)
    return KustoRequests({"Telemetry": service}), service


async def submit(*scripts: Script, **options: Any) -> str:
    async with Misbehaving(*scripts) as server:
        kusto, _ = commands(server, **options)
        try:
            return await kusto.submit(
                "Telemetry", ".set-or-append async T <| print 1", before_send=allow
            )
        finally:
            await kusto.close()


async def poll(*scripts: Script) -> object:
    async with Misbehaving(*scripts) as server:
        kusto, _ = commands(server)
        try:
            return await kusto.operations("Telemetry", [OPERATION])
        finally:
            await kusto.close()


NO_USABLE_ANSWER = {
    "a gateway's HTML": reply(502, HTML, "text/html"),
    "HTML with status 200": reply(200, HTML, "text/html"),
    "JSON without error": json_reply(500, {"message": "no"}),
    "JSON that is no object": json_reply(500, ["no"]),
    "JSON whose error is text": json_reply(500, {"error": "no"}),
    "an error of the server": api_error(500, "internal", permanent=False),
    "a redirect": reply(302, b"", "text/plain", Location="http://127.0.0.1:1/"),
    "200 without tables": json_reply(200, {}),
    "200 with no table at all": json_reply(200, {"Tables": []}),
    "an empty 200": reply(200, b""),
    "a cut connection": cut,
    "no answer": hang,
}


@pytest.mark.parametrize("script", NO_USABLE_ANSWER.values(), ids=NO_USABLE_ANSWER.keys())
async def test_a_submit_without_a_usable_answer_is_ambiguous(script: Script) -> None:
    with pytest.raises(Ambiguous, match="gave no usable answer") as error:
        await submit(script)
    assert "<" not in str(error.value)


@pytest.mark.parametrize("script", NO_USABLE_ANSWER.values(), ids=NO_USABLE_ANSWER.keys())
async def test_a_poll_without_a_usable_answer_is_unreachable(script: Script) -> None:
    with pytest.raises(Unreachable):
        await poll(script)


async def test_a_submit_that_was_taken_without_an_operation_id_is_ambiguous() -> None:
    for script in (table(), table([None]), table(["x"]), table([OPERATION], column="Other")):
        with pytest.raises(Ambiguous, match="no operation id"):
            await submit(script)


async def test_errors_inside_a_200_are_ambiguous() -> None:
    inner = {
        "OneApiErrors": [
            {"error": {"code": "LimitsExceeded", "message": "m", "@message": "too much"}}
        ]
    }
    with pytest.raises(Ambiguous, match="too much"):
        await submit(table(inner))  # type: ignore[arg-type]


async def test_a_refused_connection_is_not_ambiguous() -> None:
    service = EndpointClient("http://127.0.0.1:1", SystemClock())
    kusto = KustoRequests({"Telemetry": service})
    with pytest.raises(Unreachable, match="cannot connect to http"):
        await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
    await kusto.close()


@pytest.mark.parametrize(
    ("status", "says"), [(401, "does not accept"), (403, "no right"), (404, "no Kusto endpoint")]
)
async def test_a_wrong_login_right_or_url_waits_for_people_and_fails_no_window(
    status: int, says: str
) -> None:
    with pytest.raises(Temporary, match=says) as error:
        await submit(api_error(status, "Principal 'aadapp=…' is not authorized"))
    assert error.value.delay == 60
    assert not isinstance(error.value, Ambiguous | Unreachable)


async def test_an_error_in_the_kql_is_refused_with_code_and_position() -> None:
    text = (
        "Request is invalid and cannot be processed: Semantic error: SEM0100: 'where' operator: "
        "Failed to resolve scalar expression named 'x'\n[line:position=3:12]. "
        "Query: 'T | where x'"
    )
    with pytest.raises(Refused) as error:
        await submit(api_error(400, text, code="BadRequest_SemanticError"))
    assert error.value.code == "SEM0100"
    assert "Failed to resolve scalar expression named 'x'" in str(error.value)
    assert "3:12" in str(error.value)
    assert "\n" not in str(error.value)


async def test_an_error_that_kusto_calls_passing_is_temporary() -> None:
    with pytest.raises(Temporary, match="busy") as error:
        await submit(api_error(400, "the node is busy", permanent=False))
    assert not isinstance(error.value, Ambiguous)


async def test_retry_after_is_taken_over() -> None:
    with pytest.raises(Throttled) as error:
        await submit(json_reply(429, {"error": {}}, Retry_After="7"))
    assert error.value.delay == 7


async def test_one_throttled_rule_does_not_stop_the_others() -> None:
    throttled, taken = json_reply(429, {}, Retry_After="30"), table([OPERATION])
    async with Misbehaving(throttled, throttled, taken, throttled, throttled, taken) as server:
        kusto, _ = commands(server)
        for kind in (Throttled, Throttled, None, Throttled, Throttled, None):
            with pytest.raises(kind) if kind else contextlib.nullcontext():
                await kusto.submit(
                    "Telemetry", ".set-or-append async T <| print 1", before_send=allow
                )
        await kusto.close()


async def test_after_a_run_of_throttles_all_submits_wait_and_polls_go_on() -> None:
    throttled = json_reply(429, {}, Retry_After="30")
    async with Misbehaving(throttled, throttled, throttled, table()) as server:
        kusto, _ = commands(server)
        for _ in range(3):
            with pytest.raises(Throttled):
                await kusto.submit(
                    "Telemetry", ".set-or-append async T <| print 1", before_send=allow
                )
        with pytest.raises(Temporary, match="submits wait") as error:
            await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
        assert 20 < error.value.delay <= 30
        (health,) = kusto.health().values()
        assert (health.state, health.throttled) == ("answering", health.last_answer)
        assert await kusto.operations("Telemetry", [OPERATION]) == {}
        assert len(server.requests) == 4
        await kusto.close()


async def test_an_endpoint_that_does_not_answer_is_left_alone_after_a_few_calls() -> None:
    async with Misbehaving(reply(502, HTML, "text/html")) as server:
        kusto, _ = commands(server)
        for _ in range(10):
            with pytest.raises(Unreachable):
                await kusto.operations("Telemetry", [OPERATION])
        assert len(server.requests) == 3
        with pytest.raises(Unreachable, match="left alone") as error:
            await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
        assert 10 < error.value.delay <= 30
        await kusto.close()


async def test_one_probe_closes_the_circuit_again() -> None:
    scripts = [reply(502, HTML, "text/html")] * 3 + [table()]
    async with Misbehaving(*scripts) as server:
        kusto, _ = commands(server, backoff=Backoff(0.05, 0.05))
        for _ in range(3):
            with pytest.raises(Unreachable):
                await kusto.operations("Telemetry", [OPERATION])
        await asyncio.sleep(0.06)
        polls = [kusto.operations("Telemetry", [OPERATION]) for _ in range(4)]
        answers = await asyncio.gather(*polls, return_exceptions=True)
        assert answers.count({}) == 1
        assert len(server.requests) == 4
        assert await kusto.operations("Telemetry", [OPERATION]) == {}
        await kusto.close()


async def test_refusals_never_open_the_circuit() -> None:
    async with Misbehaving(api_error(400, "SYN0002: no")) as server:
        kusto, _ = commands(server)
        for _ in range(10):
            with pytest.raises(Refused):
                await kusto.submit(
                    "Telemetry", ".set-or-append async T <| print 1", before_send=allow
                )
        assert len(server.requests) == 10
        await kusto.close()


async def test_no_more_calls_than_allowed_are_under_way_at_once() -> None:
    async with Misbehaving(hang) as server:
        kusto, _ = commands(server, concurrency=4, within=5)
        polls = [asyncio.create_task(kusto.operations("Telemetry", [OPERATION])) for _ in range(20)]
        await eventually(lambda: len(server.requests) == 4)
        await asyncio.sleep(0.1)
        assert len(server.requests) == 4
        for task in polls:
            task.cancel()
        await asyncio.wait(polls)
        await kusto.close()


async def test_each_call_is_counted_by_its_result() -> None:
    seen: list[tuple[str, str]] = []
    async with Misbehaving(table(), cut) as server:
        service = EndpointClient(
            server.url, SystemClock(), observe=lambda call, result, _: seen.append((call, result))
        )
        kusto = KustoRequests({"Telemetry": service})
        await kusto.operations("Telemetry", [OPERATION])
        with pytest.raises(Temporary):
            await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
        await kusto.close()
    assert seen == [("poll", "ok"), ("submit", "Ambiguous")]


class Credential:
    """An azure-identity credential, as far as the adapter uses one."""

    def __init__(self, token: str | Exception) -> None:
        self._token = token
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str) -> Any:
        self.scopes += scopes
        if isinstance(self._token, Exception):
            raise self._token
        return type("AccessToken", (), {"token": self._token})


async def test_the_token_is_for_the_endpoint_and_goes_into_the_header_only() -> None:
    async with Misbehaving(table([OPERATION])) as server:
        credential = Credential("eyJsecret")
        kusto, _ = commands(server, credential=credential)
        await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
        await kusto.close()
        assert credential.scopes == [f"{server.url}/.default"]
        assert server.requests[0].count(b"eyJsecret") == 1
        assert b"Authorization: Bearer eyJsecret" in server.requests[0]


async def test_a_token_that_cannot_be_had_is_temporary_and_tells_no_secret() -> None:
    async with Misbehaving(table([OPERATION])) as server:
        failure = RuntimeError("AADSTS7000215: invalid client_secret=hunter2 for app")
        kusto, _ = commands(server, credential=Credential(failure))
        with pytest.raises(Temporary, match="no token for") as error:
            await kusto.submit("Telemetry", ".set-or-append async T <| print 1", before_send=allow)
        await kusto.close()
    assert "hunter2" not in str(error.value)
    assert not isinstance(error.value, Ambiguous | Permanent)
    assert server.requests == []
