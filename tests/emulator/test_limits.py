"""A query is stopped at its limits of time and memory, and the others go on."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from azure.kusto.data import ClientRequestProperties
from azure.kusto.data.exceptions import KustoApiError

from emulator.store import READERS
from tests.emulator.client import Kusto, append

ENDLESS = "range i from 1 to 4000000000000 step 1 | summarize max(i % 7)"
STOPPED = "took longer than 1 seconds and was stopped"


def limited(kusto: Kusto, text: str, seconds: int = 1) -> None:
    properties = ClientRequestProperties()  # type: ignore[no-untyped-call]
    properties.set_option("servertimeout", timedelta(seconds=seconds))
    run = kusto.client.execute_mgmt if text.startswith(".") else kusto.client.execute_query
    run(kusto.database, text, properties)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3 * READERS) as pool:
        yield pool


@pytest.mark.parametrize(
    "text",
    [
        ENDLESS,
        "range i from 1 to 4000000000 step 1 | where tostring(i) has '123456789012' | count",
        "range i from 1 to 100000000 step 1 | where parse_json(strcat('[', i, ']'))[0] == -1",
        "range i from 1 to 100000000 step 1 | extend x = url_encode(tostring(i)) | where x == ''",
        "range i from 1 to 200000 step 1 | extend k = 1 | as T | join kind=inner T on k | count",
        "range i from 1 to 100000000 step 1 | extend p = prev(i) | summarize sum(p)",
        "range i from 1 to 100000000 step 1 | evaluate pivot(i)",
    ],
)
def test_a_query_of_any_kind_is_stopped_at_its_time_limit(kusto: Kusto, text: str) -> None:
    start = time.monotonic()
    with pytest.raises(KustoApiError, match=STOPPED):
        limited(kusto, text)
    assert time.monotonic() - start < 15
    assert kusto.query("print a = 1") == [{"a": 1}]


def test_each_query_of_many_has_its_own_limit(kusto: Kusto, pool: ThreadPoolExecutor) -> None:
    stopped = [pool.submit(limited, kusto, ENDLESS) for _ in range(READERS - 1)]
    for number in range(20):
        assert kusto.query(f"print a = {number}") == [{"a": number}]
    for one in stopped:
        with pytest.raises(KustoApiError, match=STOPPED):
            one.result()
    assert kusto.query("print a = 1") == [{"a": 1}]


def test_commands_and_appends_go_on_when_every_query_runs_long(
    kusto: Kusto, pool: ThreadPoolExecutor
) -> None:
    long = [pool.submit(limited, kusto, ENDLESS, 8) for _ in range(READERS + 1)]
    time.sleep(0.5)
    operation = kusto.submit(append("T", "range i from 1 to 5 step 1"))
    assert kusto.settled(operation)["State"] == "Completed"
    assert len(kusto.mgmt(".show table T extents")) == 1
    assert not any(one.done() for one in long)
    for one in long:
        with pytest.raises(KustoApiError, match="took longer than 8 seconds"):
            one.result()


def test_an_append_over_its_limit_leaves_nothing_and_the_next_one_runs(kusto: Kusto) -> None:
    with pytest.raises(KustoApiError, match=STOPPED):
        limited(kusto, append("T", ENDLESS, ingest_by="a", background=False))
    assert kusto.mgmt(".show tables") == []
    after = append("T", "print i = 1", ingest_by="a", background=False)
    assert kusto.mgmt(after)[0]["RowCount"] == 1


MEGABYTE = "x" * 2**20
GREEDY = (
    f"range i from 1 to 10000 step 1 | summarize make_list(strcat('{MEGABYTE}', i))",
    f"range i from 1 to 10000 step 1 | summarize count() by k = strcat(i, '{MEGABYTE}')",
)


@pytest.mark.parametrize("text", GREEDY, ids=["one value", "many groups"])
def test_a_query_over_its_memory_fails_and_others_go_on(
    kusto: Kusto, pool: ThreadPoolExecutor, text: str
) -> None:
    greedy = pool.submit(kusto.query, text)
    answered = 0
    while not greedy.done():
        assert kusto.query("print a = 1") == [{"a": 1}]
        answered += 1
    with pytest.raises(KustoApiError, match="lacks memory resources"):
        greedy.result()
    assert answered > 1
    append_too = append("T", "print i = 1", background=False)
    assert kusto.mgmt(append_too)[0]["RowCount"] == 1
    assert kusto.query("range i from 1 to 1000 step 1 | summarize make_list(i) | count") == [
        {"Count": 1}
    ]
