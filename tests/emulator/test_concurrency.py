"""Many clients at once, through the official asyncio client."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from azure.kusto.data.aio import KustoClient

from tests.emulator.client import Kusto, append

ROWS = "range i from 1 to 5 step 1"


@pytest.fixture
async def client(kusto: Kusto) -> AsyncIterator[KustoClient]:
    async with KustoClient(kusto.url) as client:
        yield client


async def _settled(client: KustoClient, database: str, command: str) -> str:
    submitted = await client.execute_mgmt(database, command)
    operation_id = submitted.primary_results[0][0]["OperationId"]
    while True:
        reply = await client.execute_mgmt(database, f".show operations ({operation_id})")
        state = str(reply.primary_results[0][0]["State"])
        if state != "InProgress":
            return state
        await asyncio.sleep(0.02)


async def test_equal_submits_at_once_append_once(kusto: Kusto, client: KustoClient) -> None:
    same = append("T", ROWS, ingest_by="a")
    states = await asyncio.gather(*(_settled(client, kusto.database, same) for _ in range(20)))
    assert set(states) == {"Completed"}
    assert kusto.count("T") == 5


async def test_different_submits_at_once_all_append(kusto: Kusto, client: KustoClient) -> None:
    commands = [append("T", ROWS, ingest_by=f"t{number}") for number in range(40)]
    states = await asyncio.gather(
        *(_settled(client, kusto.database, command) for command in commands)
    )
    assert states == ["Completed"] * 40
    assert kusto.count("T") == 200
    assert len(kusto.mgmt(".show table T extents")) == 40


async def test_readers_see_whole_appends_while_a_writer_writes(
    kusto: Kusto, client: KustoClient
) -> None:
    kusto.mgmt(".create table T (i: long)")
    writes = [_settled(client, kusto.database, append("T", ROWS)) for _ in range(20)]
    counts: list[int] = []

    async def read() -> None:
        for _ in range(30):
            reply = await client.execute_query(kusto.database, "T | count")
            counts.append(reply.primary_results[0][0]["Count"])

    await asyncio.gather(*writes, read(), read())
    assert all(count % 5 == 0 for count in counts)
    assert kusto.count("T") == 100


async def test_a_slow_query_does_not_hold_up_an_append(kusto: Kusto, client: KustoClient) -> None:
    async def slow() -> float:
        text = "range i from 1 to 10000000 step 1 | summarize dcount(i)"
        await client.execute_query(kusto.database, text)
        return time.monotonic()

    async def quick() -> float:
        assert await _settled(client, kusto.database, append("T", ROWS)) == "Completed"
        return time.monotonic()

    slow_end, quick_end = await asyncio.gather(slow(), quick())
    assert quick_end < slow_end
