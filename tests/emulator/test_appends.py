"""`.set-or-append` and its kin: what is written, when, and only once."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto, append

ROWS = "range i from 1 to 5 step 1 | extend Name = strcat('n', tostring(i))"


def test_an_async_append_answers_an_operation_that_completes(kusto: Kusto) -> None:
    operation = kusto.settled(kusto.submit(append("T", ROWS)))
    assert operation["State"] == "Completed"
    assert operation["Operation"] == "TableSetOrAppend"
    assert operation["Database"] == kusto.database
    assert kusto.count("T") == 5


def test_a_synchronous_append_answers_its_extent(kusto: Kusto) -> None:
    [extent] = kusto.mgmt(append("T", ROWS, background=False))
    assert extent["RowCount"] == 5
    [shown] = kusto.mgmt(".show table T extents")
    assert shown["ExtentId"] == extent["ExtentId"]


def test_the_same_token_appends_once(kusto: Kusto) -> None:
    done = [kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a"))) for _ in range(3)]
    assert [operation["State"] for operation in done] == ["Completed"] * 3
    assert kusto.count("T") == 5
    assert "ingest-by:a" in done[2]["Status"]


def test_another_token_or_another_table_appends_again(kusto: Kusto) -> None:
    for table, ingest_by in (("T", "a"), ("T", "b"), ("U", "a")):
        kusto.settled(kusto.submit(append(table, ROWS, ingest_by=ingest_by)))
    assert (kusto.count("T"), kusto.count("U")) == (10, 5)


def test_a_tag_is_looked_up_by_equality_and_by_part(kusto: Kusto) -> None:
    kusto.mgmt(append("T", ROWS, ingest_by="Alpha", background=False))
    kusto.mgmt(append("T", ROWS, ingest_by="beta", background=False))
    where = ".show table T extents where tags"
    assert len(kusto.mgmt(f"{where} has 'ingest-by:Alpha'")) == 1
    assert kusto.mgmt(f"{where} has 'ingest-by:alpha'") == []
    assert len(kusto.mgmt(f"{where} contains 'ALPHA'")) == 1
    assert len(kusto.mgmt(f"{where} !has 'ingest-by:Alpha' and tags contains 'ingest-by'")) == 1
    assert len(kusto.mgmt(f"{where} !contains 'alpha'")) == 1
    assert len(kusto.mgmt(f".show database {kusto.database} extents")) == 2
    counted = kusto.mgmt(f"{where} has 'ingest-by:beta' | project Tags, RowCount")
    assert counted == [{"Tags": "ingest-by:beta", "RowCount": 5}]


def test_no_row_leaves_no_extent_and_no_tag_but_the_table(kusto: Kusto) -> None:
    kusto.settled(kusto.submit(append("T", f"{ROWS} | where i > 9", ingest_by="a")))
    assert kusto.count("T") == 0
    assert kusto.mgmt(".show table T extents") == []
    kusto.settled(kusto.submit(append("T", ROWS, ingest_by="a")))
    assert kusto.count("T") == 5


def test_the_creation_time_is_the_extents(kusto: Kusto) -> None:
    kusto.mgmt(".set-or-append T with (creationTime='2026-03-04T05:06:07.1234567Z') <| print x = 1")
    [extent] = kusto.mgmt(".show table T extents | project MaxCreatedOn, MinCreatedOn")
    assert extent["MaxCreatedOn"].isoformat() == "2026-03-04T05:06:07.123456+00:00"
    assert extent["MinCreatedOn"] == extent["MaxCreatedOn"]


def test_extend_schema_adds_new_columns_at_the_end(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (a: long)")
    kusto.mgmt(append("T", "print a = long(1), b = 'x'", background=False))
    assert kusto.mgmt(".show table T cslschema")[0]["Schema"] == "a:long,b:string"
    assert kusto.query("T") == [{"a": 1, "b": "x"}]


def test_without_extend_schema_another_width_is_refused(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (a: long)")
    with pytest.raises(KustoApiError, match=r"QuerySchema=\('long,string'\), TableSchema"):
        kusto.mgmt(".set-or-append T <| print a = long(1), b = 'x'")


def test_columns_match_by_type_and_order_not_by_name(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (a: long, b: string)")
    kusto.mgmt(".append T <| print x = long(1), y = 'z'")
    assert kusto.query("T") == [{"a": 1, "b": "z"}]
    with pytest.raises(KustoApiError, match="does not match table schema"):
        kusto.mgmt(".append T <| print y = 'z', x = long(1)")


def test_append_needs_the_table_and_set_needs_it_absent(kusto: Kusto) -> None:
    with pytest.raises(KustoApiError, match="'T' of kind 'Table' was not found"):
        kusto.mgmt(".append T <| print x = 1")
    kusto.mgmt(".set T <| print x = 1")
    with pytest.raises(KustoApiError, match="already exists"):
        kusto.mgmt(".set T <| print x = 1")


def test_set_or_replace_replaces_rows_and_tags(kusto: Kusto) -> None:
    kusto.mgmt(append("T", "print x = long(1)", ingest_by="a", background=False))
    kusto.mgmt(".set-or-replace T <| range x from 7 to 8 step 1")
    assert [row["x"] for row in kusto.query("T | order by x asc")] == [7, 8]
    assert kusto.mgmt(".show table T extents where tags has 'ingest-by:a'") == []


def test_replace_keeps_the_rows_when_the_schema_does_not_fit(kusto: Kusto) -> None:
    kusto.mgmt(".set T <| print x = long(1)")
    with pytest.raises(KustoApiError, match="does not match"):
        kusto.mgmt(".set-or-replace T <| print x = 'text'")
    assert kusto.query("T") == [{"x": 1}]
    kusto.mgmt(".set-or-replace T with (recreate_schema=true) <| print y = 'text'")
    assert kusto.query("T") == [{"y": "text"}]


@pytest.mark.parametrize("name", ["['My Table']", '["My Table"]'])
def test_a_bracketed_table_name_is_the_name_in_it(kusto: Kusto, name: str) -> None:
    kusto.mgmt(f".set-or-append {name} <| print x = 1")
    assert kusto.count("My Table") == 1


def test_a_query_that_fails_at_run_time_fails_the_operation(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (a: long)")
    failed = kusto.settled(kusto.submit(".set-or-append async T <| print a = 'text'"))
    assert failed["State"] == "Failed"
    assert failed["ShouldRetry"] is False
    assert "does not match table schema" in failed["Status"]
    assert kusto.count("T") == 0


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("with (tags='x')", "JSON list of strings"),
        ("with (creationTime='soon')", "ISO 8601"),
        ("with (extend_schema=maybe)", "takes true or false"),
        ("with (blockSize=3)", "does not support the ingestion property 'blockSize'"),
        ("with (tags", "expected '='"),
    ],
)
def test_a_bad_property_is_refused_by_name(kusto: Kusto, clause: str, said: str) -> None:
    with pytest.raises(KustoApiError, match=said):
        kusto.mgmt(f".set-or-append T {clause} <| print x = 1")
    assert kusto.mgmt(".show tables") == []
