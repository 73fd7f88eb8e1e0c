"""Values and their types on the wire, and what a query may not do."""

from datetime import timedelta
from decimal import Decimal

import pytest
from azure.kusto.data import ClientRequestProperties
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

EVERY_TYPE = """datatable(b: bool, d: datetime, m: decimal, o: dynamic, g: guid, i: int, l: long,
 r: real, s: string, t: timespan)
[true, datetime(2026-11-01T01:02:03.4567891Z), 1.25, dynamic({"a": [1, "x", null]}),
 guid(3827def6-0773-4f2a-859e-c02cf395deaf), int(7), long(9007199254740993), real(1.5), 'ä"\\'',
 time(1.02:03:04)]
"""


def test_every_type_arrives_as_kusto_sends_it(kusto: Kusto) -> None:
    table = kusto.client.execute_query(kusto.database, EVERY_TYPE).primary_results[0]
    assert [one.column_type for one in table.columns] == [
        *("bool", "datetime", "decimal", "dynamic", "guid"),
        *("int", "long", "real", "string", "timespan"),
    ]
    [raw] = table.raw_rows
    assert raw[1] == "2026-11-01T01:02:03.4567891Z"
    assert raw[3] == {"a": [1, "x", None]}
    assert raw[4] == "3827def6-0773-4f2a-859e-c02cf395deaf"
    assert raw[6] == 9007199254740993
    assert raw[8:] == ["ä\"'", "1.02:03:04"]
    assert table[0]["m"] == Decimal("1.25")


def test_every_type_survives_being_stored(kusto: Kusto) -> None:
    kusto.mgmt(f".set T <| {EVERY_TYPE}")
    assert kusto.query("T") == kusto.query(EVERY_TYPE)
    assert kusto.mgmt(".show table T cslschema")[0]["Schema"] == (
        "b:bool,d:datetime,m:decimal,o:dynamic,g:guid,i:int,l:long,r:real,s:string,t:timespan"
    )


def test_nulls_are_null_but_for_strings(kusto: Kusto) -> None:
    typed = ["bool", "datetime", "dynamic", "guid", "int", "long", "real", "timespan"]
    declared = ", ".join(f"{kind[0]}{n}: {kind}" for n, kind in enumerate(typed))
    kusto.mgmt(f".create table T (s: string, {declared})")
    kusto.mgmt(f".ingest inline into table T <| {',' * len(typed)}\n{',' * len(typed)}")
    [first, _] = kusto.client.execute_query(kusto.database, "T").primary_results[0].raw_rows
    assert first == ["", *[None] * len(typed)]
    assert kusto.query("T | where s == '' | count") == [{"Count": 2}]


def test_numbers_that_json_has_not(kusto: Kusto) -> None:
    text = "print a = real(nan), b = real(+inf), c = real(-inf)"
    table = kusto.client.execute_query(kusto.database, text).primary_results[0]
    assert table.raw_rows == [["NaN", "Infinity", "-Infinity"]]


def test_lists_and_bags_are_dynamic(kusto: Kusto) -> None:
    kusto.mgmt(".set T <| range i from 1 to 3 step 1 | summarize L = make_list(i)")
    assert kusto.query("T | extend First = L[0]") == [{"L": [1, 2, 3], "First": 1}]


def test_string_columns_added_later_are_empty_in_older_rows(kusto: Kusto) -> None:
    kusto.mgmt(".set T <| print a = 1")
    kusto.mgmt(".alter-merge table T (b: string)")
    assert kusto.query("T | where b == ''") == [{"a": 1, "b": ""}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Nope | count", "Failed to resolve table or column expression named 'Nope'"),
        ("print 1 | where Foo == 1", "Failed to resolve scalar expression named 'Foo'"),
        ("T | where\n| | x", r"Syntax error: SYN0002: .*\[line:position=\d:\d+\]"),
        ("print x = percentile(1, 2)", r"SEM0260: 'percentile\(\)' is an aggregate function"),
        ("T | reduce by x", "does not support the operator 'reduce' at"),
        ("find 'x'", "does not support the operator 'find'"),
        ("externaldata(a: string)['http://x']", "does not support the operator 'externaldata' at"),
        ("cluster('x').database('y').T", r"does not support 'cluster\(\)' at"),
        ("print decimal(1.5) / decimal(3)", "does not support '/' of decimals at"),
        ("print bin(datetime(2026-01-01), 7d) == 1tick", "SEM0064: Cannot compare values"),
        ("print 9223372036854775807 + 1", "does not fit its type"),
        ("print " + "(" * 3000 + "1" + ")" * 3000, "nested too deeply"),
    ],
)
def test_what_cannot_be_answered_is_said_by_name(kusto: Kusto, text: str, said: str) -> None:
    with pytest.raises(KustoApiError, match=said):
        kusto.query(text)


@pytest.mark.parametrize(
    "text",
    [
        "database('__emulator').operations",
        "database('main').operations",
        "['__emulator.operations']",
        "print read_csv('/etc/passwd')",
        "print getenv('HOME')",
        "['/etc/passwd']",
        "information_schema.tables",
        "duckdb_settings()",
    ],
)
def test_nothing_but_kusto_tables_can_be_read(kusto: Kusto, text: str) -> None:
    with pytest.raises(KustoApiError):
        kusto.query(text)


def test_a_quote_stays_inside_its_string(kusto: Kusto) -> None:
    text = "print x = 'a\\'; DROP SCHEMA main CASCADE; --', y = h'hidden', z = @'c:\\d'"
    assert kusto.query(text) == [
        {"x": "a'; DROP SCHEMA main CASCADE; --", "y": "hidden", "z": "c:\\d"}
    ]


def test_now_is_one_moment_in_a_query(kusto: Kusto) -> None:
    [row] = kusto.query("print a = now(), b = now(), c = ago(1h) < now()")
    assert row["a"] == row["b"]
    assert row["c"] is True


def test_another_database_of_the_endpoint_can_be_read(kusto: Kusto) -> None:
    kusto.mgmt(".set T <| print a = 1")
    kusto.database, own = "Telemetry", kusto.database
    rows = kusto.query(f"database('{own}').T")
    kusto.database = own
    assert rows == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("range i from 3 to 1 step -1", [3, 2, 1]),
        ("range i from -2 to 2 step 2", [-2, 0, 2]),
        ("let n=2; range i from 1 to n step 1 | extend i = i * 10", [10, 20]),
        ("range i from 5 to 1 step 1", []),
        ("range i from 1 to 2 * 2 step 3", [1, 4]),
    ],
)
def test_ranges_are_kustos(kusto: Kusto, text: str, expected: list[int]) -> None:
    assert [row["i"] for row in kusto.query(text)] == expected


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("print 90th_percentile = 4 | project x = 90th_percentile + 1", {"x": 5}),
        ("print x = 1000. * 2.", {"x": 2000.0}),
        ("print\u200b x = 1", {"x": 1}),
        ("print x = 'a' notcontains 'b'", {"x": True}),
        ("print a1 = 1, a2 = 2, b1 = 3 | project-away *1", {"a2": 2}),
        ("print x = 1 | render columnchart kind=stacked title='t'", {"x": 1}),
    ],
)
def test_older_and_rarer_spellings_are_read(kusto: Kusto, text: str, row: object) -> None:
    assert kusto.query(text) == [row]


def test_a_query_is_stopped_at_its_time_limit(kusto: Kusto) -> None:
    properties = ClientRequestProperties()  # type: ignore[no-untyped-call]
    properties.set_option("servertimeout", timedelta(seconds=1))
    text = "range i from 1 to 4000000000 step 1 | summarize dcount(i * i)"
    with pytest.raises(KustoApiError, match="took longer than 1 seconds and was stopped"):
        kusto.client.execute_query(kusto.database, text, properties)
    assert kusto.query("print a = 1") == [{"a": 1}]


def test_declared_parameters_are_bound(kusto: Kusto) -> None:
    properties = ClientRequestProperties()  # type: ignore[no-untyped-call]
    properties.set_parameter("who", "x'; --")
    text = "declare query_parameters(who: string); print who = who"
    result = kusto.client.execute_query(kusto.database, text, properties)
    assert result.primary_results[0][0]["who"] == "x'; --"
