"""The contract of `worker.ports.Kusto`, on the local endpoint's process and in memory."""

import asyncio
import uuid

import pytest

from runtime.errors import Ambiguous, InvalidQuery, LeaseLost, Refused, Temporary, Throttled
from summaryrule.api.instant import Instant
from summaryrule.planner.types import Column
from tests.worker.contract.kusto_world import DATABASE, NO_ROWS, KustoWorld, append, ended
from tests.worker.fences import allow

LONG_AGO = Instant(0)


@pytest.fixture
def table() -> str:
    return f"T_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex


async def test_an_append_runs_to_its_end_and_leaves_its_tag(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    record = await ended(kusto_world, operation)
    assert record.state == "Completed"
    assert record.id == operation
    assert await kusto_world.rows(table) == 1
    assert await kusto_world.kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_what_before_send_raises_is_raised_and_nothing_is_appended(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    def lost() -> None:
        raise LeaseLost("another worker may be leading")

    with pytest.raises(LeaseLost):
        await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=lost)
    operation = await kusto_world.kusto.submit(
        DATABASE, append(table, uuid.uuid4().hex), before_send=allow
    )
    await ended(kusto_world, operation)
    assert await kusto_world.rows(table) == 1


async def test_a_record_says_when_it_started_and_how_long_it_took(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    record = await ended(kusto_world, operation)
    assert record.started <= record.updated
    assert record.duration.ticks == record.updated.ticks - record.started.ticks


async def test_the_same_token_again_appends_nothing(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    for _ in range(2):
        operation = await kusto_world.kusto.submit(
            DATABASE, append(table, token), before_send=allow
        )
        assert (await ended(kusto_world, operation)).state == "Completed"
    assert await kusto_world.rows(table) == 1


async def test_the_same_token_twice_at_once_appends_once(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    submits = [
        kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
        for _ in range(4)
    ]
    for operation in await asyncio.gather(*submits):
        await ended(kusto_world, operation)
    assert await kusto_world.rows(table) == 1


async def test_another_token_appends_again(kusto_world: KustoWorld, table: str) -> None:
    for token in ("a" * 32, "b" * 32):
        await ended(
            kusto_world,
            await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow),
        )
    assert await kusto_world.rows(table) == 2


async def test_an_append_of_no_rows_leaves_no_tag(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(
        DATABASE, append(table, token, NO_ROWS), before_send=allow
    )
    assert (await ended(kusto_world, operation)).state == "Completed"
    assert not await kusto_world.kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_a_tag_is_found_whole_only(kusto_world: KustoWorld, table: str, token: str) -> None:
    await ended(
        kusto_world,
        await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow),
    )
    for other in (f"ingest-by:{token[:-1]}", token, f"ingest-by:{token}x"):
        assert not await kusto_world.kusto.has_tag(DATABASE, table, other)


async def test_a_table_that_is_not_there_has_no_tag(kusto_world: KustoWorld, table: str) -> None:
    assert not await kusto_world.kusto.has_tag(DATABASE, table, "ingest-by:x")
    assert await kusto_world.kusto.find_tags(DATABASE, table, "ingest-by:", LONG_AGO) == set()


async def test_the_tags_with_a_prefix_are_found(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    other = uuid.uuid4().hex
    for each in (token, other):
        await ended(
            kusto_world,
            await kusto_world.kusto.submit(DATABASE, append(table, each), before_send=allow),
        )
    find = kusto_world.kusto.find_tags
    both = {f"ingest-by:{token}", f"ingest-by:{other}"}
    assert await find(DATABASE, table, "ingest-by:", LONG_AGO) == both
    assert await find(DATABASE, table, f"ingest-by:{token}", LONG_AGO) == {f"ingest-by:{token}"}
    assert await find(DATABASE, table, token, LONG_AGO) == set()


async def test_the_extents_of_a_tag_are_dropped_and_no_others(
    kusto_world: KustoWorld, table: str
) -> None:
    runs = [f"drop-by:summaryrule/n/r/2026-01-01T00:00:00Z/{n}" for n in ("old", "older", "new")]
    for tag in runs:
        text = append(table, uuid.uuid4().hex).replace("\"]', ingest", f'", "{tag}"]\', ingest')
        await ended(kusto_world, await kusto_world.kusto.submit(DATABASE, text, before_send=allow))
    kusto = kusto_world.kusto
    assert await kusto.find_tags(DATABASE, table, runs[0].removesuffix("old"), LONG_AGO) == {*runs}
    await kusto.drop_extents(DATABASE, table, runs[0], before_send=allow)
    assert await kusto_world.rows(table) == 2
    await kusto.drop_extents(DATABASE, table, runs[0], before_send=allow)
    assert await kusto.find_tags(DATABASE, table, "drop-by:", LONG_AGO) == {*runs[1:]}
    await kusto.drop_tags(DATABASE, table, runs[1:], before_send=allow)
    assert await kusto.find_tags(DATABASE, table, "drop-by:", LONG_AGO) == set()
    assert await kusto_world.rows(table) == 2


async def test_nothing_is_dropped_if_before_send_raises(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    def lost() -> None:
        raise LeaseLost("another worker may be leading")

    kusto = kusto_world.kusto
    await ended(kusto_world, await kusto.submit(DATABASE, append(table, token), before_send=allow))
    with pytest.raises(LeaseLost):
        await kusto.drop_extents(DATABASE, table, f"ingest-by:{token}", before_send=lost)
    with pytest.raises(LeaseLost):
        await kusto.drop_tags(DATABASE, table, [f"ingest-by:{token}"], before_send=lost)
    assert await kusto_world.rows(table) == 1
    assert await kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_a_table_name_with_spaces_and_quotes_of_kql_works(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    name = f"{table} a-b.c"
    await ended(
        kusto_world,
        await kusto_world.kusto.submit(DATABASE, append(name, token), before_send=allow),
    )
    assert await kusto_world.kusto.has_tag(DATABASE, name, f"ingest-by:{token}")


async def test_an_operation_that_kusto_does_not_know_is_left_out(kusto_world: KustoWorld) -> None:
    ids = [str(uuid.uuid4()), "not-a-guid", "') | .drop table T"]
    assert await kusto_world.kusto.operations(DATABASE, ids) == {}
    assert await kusto_world.kusto.operations_log(DATABASE, ids) == {}


async def test_hundreds_of_operations_are_found_in_one_call(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    await ended(kusto_world, operation)
    ids = [str(uuid.uuid4()) for _ in range(450)]
    ids.insert(300, operation)
    assert set(await kusto_world.kusto.operations(DATABASE, ids)) == {operation}
    assert set(await kusto_world.kusto.operations_log(DATABASE, ids)) == {operation}


async def test_the_log_ends_with_the_same_record(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    record = await ended(kusto_world, operation)
    assert (await kusto_world.kusto.operations_log(DATABASE, [operation]))[operation] == record


async def test_a_log_that_lags_does_not_know_a_young_operation(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    await ended(kusto_world, operation)
    async with kusto_world.fault("log-lag", seconds=300):
        assert await kusto_world.kusto.operations_log(DATABASE, [operation]) == {}


async def test_a_cancel_stops_an_operation_that_runs(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    async with kusto_world.fault("operation-stuck"):
        operation = await kusto_world.kusto.submit(
            DATABASE, append(table, token), before_send=allow
        )
        assert await kusto_world.kusto.cancel(DATABASE, operation)
    assert (await ended(kusto_world, operation)).state == "Canceled"
    assert not await kusto_world.kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_a_cancel_of_one_that_has_ended_or_is_unknown_says_no(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    await ended(kusto_world, operation)
    for one in (operation, str(uuid.uuid4()), "not-a-guid"):
        assert not await kusto_world.kusto.cancel(DATABASE, one)


@pytest.mark.parametrize(
    ("state", "retry"), [("Failed", True), ("Failed", False), ("BadInput", False)]
)
async def test_an_operation_that_fails_says_how_and_whether_to_retry(
    kusto_world: KustoWorld,
    table: str,
    token: str,
    state: str,
    retry: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async with kusto_world.fault("operation-end", state=state, status="boom", shouldRetry=retry):
        operation = await kusto_world.kusto.submit(
            DATABASE, append(table, token), before_send=allow
        )
        record = await ended(kusto_world, operation)
    assert (record.state, record.status, record.should_retry) == (state, "boom", retry)
    assert not await kusto_world.kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_a_command_that_kusto_cannot_read_is_refused_with_its_code(
    kusto_world: KustoWorld,
) -> None:
    with pytest.raises(Refused) as refusal:
        await kusto_world.kusto.submit(
            DATABASE, ".set-or-append async T <|| nonsense (", before_send=allow
        )
    assert refusal.value.code
    assert "\n" not in str(refusal.value)


async def test_a_database_without_endpoint_is_refused_in_words(kusto_world: KustoWorld) -> None:
    assert kusto_world.kusto.endpoint("Nowhere") is None
    assert kusto_world.kusto.endpoint(DATABASE) is not None
    with pytest.raises(Refused, match="no endpoint serves the database 'Nowhere'") as refusal:
        await kusto_world.kusto.submit("Nowhere", append("T", "x"), before_send=allow)
    assert refusal.value.code == "NoEndpoint"


async def test_a_throttled_submit_says_how_long_to_wait(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    async with kusto_world.fault("throttle", retryAfter=3):
        with pytest.raises(Throttled) as throttled:
            await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    assert throttled.value.delay > 0


async def test_a_submit_whose_reply_was_lost_is_ambiguous_and_safe_to_repeat(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    async with kusto_world.fault("lose-reply"):
        with pytest.raises(Ambiguous):
            await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    await ended(
        kusto_world,
        await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow),
    )
    assert await kusto_world.rows(table) == 1


async def test_a_submit_that_never_arrived_is_temporary(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    async with kusto_world.fault("lose-request"):
        with pytest.raises(Temporary):
            await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    assert not await kusto_world.kusto.has_tag(DATABASE, table, f"ingest-by:{token}")


async def test_a_poll_whose_reply_was_lost_can_be_asked_again(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    operation = await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow)
    async with kusto_world.fault("lose-reply"):
        with pytest.raises(Temporary) as lost:
            await kusto_world.kusto.operations(DATABASE, [operation])
    assert not isinstance(lost.value, Ambiguous)
    assert (await ended(kusto_world, operation)).state == "Completed"


async def test_a_query_has_its_columns_and_a_table_too_once_it_is_there(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    expected = (Column("Value", "long"),)
    assert await kusto_world.queries.query_columns(DATABASE, "print Value = 1") == expected
    assert await kusto_world.queries.table_columns(DATABASE, table) is None
    await ended(
        kusto_world,
        await kusto_world.kusto.submit(DATABASE, append(table, token), before_send=allow),
    )
    assert await kusto_world.queries.table_columns(DATABASE, table) == expected


async def test_a_query_that_kusto_refuses_is_invalid_and_its_window_refused(
    kusto_world: KustoWorld, table: str, token: str
) -> None:
    async with kusto_world.without_source() as query:
        with pytest.raises(InvalidQuery) as invalid:
            await kusto_world.queries.query_columns(DATABASE, query)
        with pytest.raises(Refused):
            await kusto_world.kusto.submit(DATABASE, append(table, token, query), before_send=allow)
    assert invalid.value.code == "SEM0100"


async def test_a_throttled_question_about_a_query_is_throttled(kusto_world: KustoWorld) -> None:
    async with kusto_world.fault("throttle", retryAfter=3):
        with pytest.raises(Throttled):
            await kusto_world.queries.query_columns(DATABASE, "print Value = 1")
