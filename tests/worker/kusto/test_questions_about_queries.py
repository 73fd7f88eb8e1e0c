"""What an endpoint can answer to a question about a query, and that it delays no window."""

import asyncio
import json
from typing import Any

import pytest

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.errors import InvalidQuery, Refused, Temporary, Unreachable
from summaryrule.planner.types import Column
from tests.worker.eventually import eventually
from tests.worker.kusto.test_what_an_endpoint_can_answer import (
    OPERATION,
    api_error,
    commands,
    json_reply,
    table,
)
from tests.worker.misbehaving import Misbehaving, Script, cut, hang
from worker.kusto.client import EndpointClient
from worker.kusto.requests import KustoRequests

SYNTAX = "Syntax error: SYN0002: Query could not be parsed at 'x' on line [3,5]"
EMPTY = json_reply(
    200,
    [
        {"FrameType": "DataSetHeader", "IsProgressive": False, "Version": "v2.0"},
        {
            "FrameType": "DataTable",
            "TableId": 0,
            "TableKind": "PrimaryResult",
            "TableName": "PrimaryResult",
            "Columns": [{"ColumnName": "N", "ColumnType": "long"}],
            "Rows": [],
        },
        {"FrameType": "DataSetCompletion", "HasErrors": False, "Cancelled": False},
    ],
)


async def columns(*scripts: Script) -> tuple[tuple[Column, ...] | None, list[dict[str, Any]]]:
    """The answer, and the bodies of the requests."""
    async with Misbehaving(*scripts) as server:
        kusto, _ = commands(server)
        try:
            found = await kusto.query_columns("Telemetry", "let a = 1;\nT | count;  // all")
        finally:
            await kusto.close()
        return found, [json.loads(each.partition(b"\r\n\r\n")[2]) for each in server.requests]


@pytest.mark.parametrize(
    "text",
    [
        SYNTAX,
        "Semantic error: SEM0100: 'where' operator: Failed to resolve column named 'Forbidden'",
        "Request is invalid and cannot be processed: Semantic error: SEM0001: no such function",
    ],
)
async def test_a_syntax_or_semantic_error_makes_the_query_invalid(text: str) -> None:
    with pytest.raises(InvalidQuery) as error:
        await columns(api_error(400, text))
    assert error.value.code in text


@pytest.mark.parametrize(
    "script",
    [
        api_error(400, "E_LOW_MEMORY_CONDITION: too much memory"),
        api_error(400, "Semantic error: SEM0100: principal is not authorized to read 'T'"),
        api_error(400, "Semantic error: SEM0100: the node is gone", permanent=False),
        api_error(403, "Semantic error: SEM0100: Failed to resolve 'T'"),
        api_error(504, "Request timed out", permanent=False),
        cut,
    ],
)
async def test_no_other_answer_makes_the_query_invalid(script: Script) -> None:
    with pytest.raises((Refused, Temporary)) as error:
        await columns(script)
    assert not isinstance(error.value, InvalidQuery)


async def test_a_query_that_cannot_be_continued_is_judged_by_its_own_text() -> None:
    found, requests = await columns(api_error(400, SYNTAX), EMPTY)
    assert found is None
    assert [each["csl"] for each in requests] == [
        "let a = 1;\nT | count\n| getschema",
        "let a = 1;\nT | count;  // all",
    ]


async def test_a_question_reads_only_and_is_bounded() -> None:
    _, requests = await columns(api_error(400, SYNTAX), EMPTY)
    for request in requests:
        options = json.loads(request["properties"])["Options"]
        assert options["request_readonly"] is True
        assert options["query_take_max_records"] == 1
        assert options["servertimeout"] == "0:00:10"


async def test_questions_without_answer_do_not_open_the_circuit() -> None:
    async with Misbehaving(cut, cut, cut, cut, cut, table([OPERATION])) as server:
        service = EndpointClient(server.url, SystemClock(), backoff=Backoff(30, 30))
        kusto = KustoRequests({"Telemetry": service})
        for _ in range(5):
            with pytest.raises(Unreachable):
                await kusto.query_columns("Telemetry", "T")
        assert service.health.state == "unknown"
        assert await service.call("test", "Telemetry", ".show version")
        await kusto.close()


async def test_nothing_is_asked_while_the_circuit_is_open() -> None:
    async with Misbehaving(cut) as server:
        service = EndpointClient(server.url, SystemClock(), backoff=Backoff(30, 30))
        kusto = KustoRequests({"Telemetry": service})
        for _ in range(3):
            with pytest.raises(Unreachable):
                await service.call("test", "Telemetry", ".show version")
        asked = len(server.requests)
        with pytest.raises(Unreachable, match="left alone for now"):
            await kusto.query_columns("Telemetry", "T")
        assert len(server.requests) == asked
        await kusto.close()


async def test_questions_that_hang_take_no_place_of_a_window() -> None:
    async with Misbehaving(hang) as server:
        service = EndpointClient(server.url, SystemClock(), concurrency=1, within=0.4)
        kusto = KustoRequests({"Telemetry": service})
        questions = [asyncio.create_task(kusto.query_columns("Telemetry", "T")) for _ in range(5)]

        async def all_wait() -> bool:
            return len(server.requests) == len(questions)

        await eventually(all_wait)
        with pytest.raises(Unreachable, match="no answer in time"):
            await service.call("test", "Telemetry", ".show version")
        assert len(server.requests) == len(questions) + 1
        await asyncio.gather(*questions, return_exceptions=True)
        await kusto.close()
