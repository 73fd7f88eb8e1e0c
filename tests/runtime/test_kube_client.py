"""Replies of the API server, and of a proxy before it, as errors of `runtime.errors`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from runtime.errors import (
    Ambiguous,
    Conflict,
    Gone,
    NotFound,
    OperatorError,
    Refused,
    Temporary,
    Throttled,
    Unreachable,
)
from runtime.kube.client import KubeClient
from runtime.kube.config import connect, default_namespace
from tests.worker.misbehaving import Misbehaving, Script, cut, hang, reply

HTML = reply(502, b"<html>bad gateway</html>", "text/html")


def status(code: int, reason: str = "", message: str = "no", **headers: str) -> Script:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return reply(code, msgspec.json.encode(body), **headers)


@asynccontextmanager
async def answering(*scripts: Script) -> AsyncIterator[KubeClient]:
    async with Misbehaving(*scripts) as server:
        client = ApiClient(Configuration(host=server.url))
        try:
            yield KubeClient(client)
        finally:
            await client.close()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("script", "on_read", "on_write"),
    [
        (status(404), NotFound, NotFound),
        (status(409), Conflict, Conflict),
        (status(410), Gone, Gone),
        (status(422, "Invalid"), Refused, Refused),
        (status(403, "Forbidden"), Refused, Refused),
        (status(401), Temporary, Temporary),
        (status(500), Unreachable, Ambiguous),
        (status(504, "Timeout"), Unreachable, Ambiguous),
        (HTML, Unreachable, Ambiguous),
        (reply(200, b"<html>", "text/html"), Unreachable, Ambiguous),
        (reply(200, b'["no object"]'), Unreachable, Ambiguous),
        (cut, Unreachable, Ambiguous),
        (hang, Unreachable, Ambiguous),
    ],
)
async def test_an_answer_becomes_the_error_that_says_what_to_do(
    script: Script, on_read: type[OperatorError], on_write: type[OperatorError]
) -> None:
    patience = 0.3 if script is hang else 30.0
    for method, kind in (("GET", on_read), ("PATCH", on_write)):
        async with answering(script) as api:
            with pytest.raises(OperatorError) as error:
                await api.request(method, "/x", body=None, timeout=patience)
        assert type(error.value) is kind


async def test_a_throttled_request_says_how_long_to_wait() -> None:
    async with answering(status(429, "TooManyRequests", Retry_After="4")) as api:
        with pytest.raises(Throttled) as error:
            await api.request("GET", "/x")
    assert error.value.delay == 4


async def test_a_refusal_carries_the_servers_reason_and_words_on_one_line() -> None:
    async with answering(status(422, "Invalid", "spec.start:\n  Invalid value")) as api:
        with pytest.raises(Refused, match="spec.start: Invalid value") as error:  # noqa: RUF043
            await api.request("PATCH", "/x", body={})
    assert error.value.code == "Invalid"


async def test_a_server_that_is_down_has_carried_nothing_out() -> None:
    async with Misbehaving(cut) as server:
        url = server.url
    client = ApiClient(Configuration(host=url))
    with pytest.raises(Unreachable, match="cannot reach the API server"):
        await KubeClient(client).request("PATCH", "/x", body={})
    await client.close()  # type: ignore[no-untyped-call]


async def test_each_request_is_counted_by_its_result() -> None:
    seen: list[tuple[str, str]] = []
    async with Misbehaving(reply(200, b"{}"), status(409)) as server:
        client = ApiClient(Configuration(host=server.url))
        api = KubeClient(client, observe=lambda verb, result, _: seen.append((verb, result)))
        await api.request("GET", "/x")
        with pytest.raises(Conflict):
            await api.request("PATCH", "/x", body={})
        await client.close()  # type: ignore[no-untyped-call]
    assert seen == [("GET", "ok"), ("PATCH", "Conflict")]


async def test_without_any_configuration_the_refusal_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="set KUBECONFIG"):
        await connect({"KUBECONFIG": str(tmp_path / "none")}, user_agent="x")


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "text", "a: [", "\x00", "current-context: x\ncontexts: []\n"),
        "clusters: 5\ncontexts: 5\nusers: 5\ncurrent-context: x\n",
    ],
)
async def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Refused, match="no API server is configured"):
        await connect({"KUBECONFIG": str(path)}, user_agent="test")
    assert default_namespace({"KUBECONFIG": str(path)}) == "default"
