"""`.ingest inline`: CSV into typed columns, quickly."""

import time
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

METRICS = ".create table Metrics (Timestamp:datetime, SeriesId:long, Labels:dynamic, Value:real)"


def test_csv_with_quotes_and_json_arrives_typed(kusto: Kusto) -> None:
    kusto.mgmt(METRICS)
    kusto.mgmt(
        ".ingest inline into table Metrics <|\n"
        '2026-11-01T00:00:00.1234567Z,7,"{""a"":""b,c""}",1.5\n'
        "2026-11-01T02:00:00+02:00,-1,[1],-2e3"
    )
    table = kusto.client.execute_query(kusto.database, "Metrics").primary_results[0]
    assert table.raw_rows == [
        ["2026-11-01T00:00:00.1234567Z", 7, {"a": "b,c"}, 1.5],
        ["2026-11-01T00:00:00.0000000Z", -1, [1], -2000.0],
    ]


def test_every_other_type(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (b: bool, m: decimal, g: guid, i: int, s: string, t: timespan)")
    kusto.mgmt(
        ".ingest inline into table T <| true,1.25,3827def6-0773-4f2a-859e-c02cf395deaf,3, a b ,"
        "1.02:03:04\nfalse,,,,,-00:00:01.5"
    )
    [first, second] = kusto.query("T")
    assert (first["b"], first["m"], first["i"], first["s"]) == (True, Decimal("1.25"), 3, " a b ")
    assert first["t"].total_seconds() == 93784
    assert second["t"].total_seconds() == -1.5


def test_a_value_that_its_type_cannot_hold_becomes_null(kusto: Kusto) -> None:
    kusto.mgmt(METRICS)
    kusto.mgmt(".ingest inline into table Metrics <| soon,x,free text,1.5.5")
    table = kusto.client.execute_query(kusto.database, "Metrics").primary_results[0]
    assert table.raw_rows == [[None, None, "free text", None]]


@pytest.mark.parametrize(("form", "mark"), [("tsv", "\t"), ("psv", "|")])
def test_other_separators(kusto: Kusto, form: str, mark: str) -> None:
    kusto.mgmt(".create table T (a: long, b: string)")
    kusto.mgmt(
        f".ingest inline into table T with (format='{form}', ignoreFirstRecord=true) <| "
        f"a{mark}b\n1{mark}x"
    )
    assert kusto.query("T") == [{"a": 1, "b": "x"}]


def test_tags_hold_for_inline_data_too(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (a: long)")
    given = "with (tags='[\"ingest-by:x\"]', ingestIfNotExists='[\"x\"]')"
    first, second = (kusto.mgmt(f".ingest inline into table T {given} <| 1") for _ in range(2))
    assert kusto.count("T") == 1
    assert first[0]["ExtentId"] != second[0]["ExtentId"] == "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (".ingest inline into table T <| 1,2\n3", "record 2 .* has 1 fields and .* 2 columns"),
        (".ingest inline into table Nope <| 1", "'Nope' of kind 'Table' was not found"),
        (".ingest inline into table T with (format='avro') <| 1,2", "in format 'avro'"),
        (".ingest inline into table T [1,2]", "bracket form"),
        (".ingest into table T ('https://x/y.csv')", "does not support the command '.ingest into"),
    ],
)
def test_bad_inline_data_is_refused_whole(kusto: Kusto, command: str, said: str) -> None:
    kusto.mgmt(".create table T (a: long, b: long)")
    with pytest.raises(KustoApiError, match=said):
        kusto.mgmt(command)
    assert kusto.count("T") == 0


def test_twenty_thousand_rows_take_a_moment(kusto: Kusto) -> None:
    kusto.mgmt(METRICS)
    start = datetime(2026, 11, 1)  # noqa: DTZ001 - written without a zone
    rows = "\n".join(
        f'{(start + timedelta(seconds=n)).isoformat()}Z,{n % 50},"{{""pod"":""p{n % 50}""}}",{n}.5'
        for n in range(20_000)
    )
    started = time.perf_counter()
    kusto.mgmt(f".ingest inline into table Metrics <|\n{rows}")
    assert time.perf_counter() - started < 3  # measured: 0.2 s on two idle cores
    assert kusto.count("Metrics") == 20_000
