"""Tables and databases: create, extend, show, clear, drop."""

import json

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto, append

DECLARED = "(Timestamp: datetime, SeriesId: long, Labels: dynamic, Value: real)"


def test_a_created_table_is_shown_with_its_schema(kusto: Kusto) -> None:
    kusto.mgmt(f".create table Metrics {DECLARED} with (folder='raw', docstring='samples')")
    assert kusto.mgmt(".show tables") == [
        {
            "TableName": "Metrics",
            "DatabaseName": kusto.database,
            "Folder": "raw",
            "DocString": "samples",
        }
    ]
    schema = "Timestamp:datetime,SeriesId:long,Labels:dynamic,Value:real"
    assert kusto.mgmt(".show table Metrics cslschema")[0]["Schema"] == schema
    described = json.loads(kusto.mgmt(".show table Metrics schema as json")[0]["Schema"])
    assert described["OrderedColumns"][0] == {
        "Name": "Timestamp",
        "Type": "System.DateTime",
        "CslType": "datetime",
    }


def test_the_schema_of_a_query_is_known_without_its_rows(kusto: Kusto) -> None:
    kusto.mgmt(".create table T (At: datetime, Labels: dynamic, Value: real)")
    body = """let _startTime=datetime(2026-11-01); let _endTime=datetime(2026-11-02);
        T | where At between (_startTime .. _endTime)
          | summarize N = count(), Mean = avg(Value) by bin(At, 1h), Pod = tostring(Labels.pod)"""
    schema = kusto.query(f"{body}\n| getschema")
    assert [(row["ColumnName"], row["ColumnType"]) for row in schema] == [
        ("At", "datetime"),
        ("Pod", "string"),
        ("N", "long"),
        ("Mean", "real"),
    ]
    assert kusto.query(f"{body} | take 0") == []
    with pytest.raises(KustoApiError, match=r"named 'Valeu' at \[line:position=1:10\]"):
        kusto.query("T | where Valeu > 1 | take 0")
    kusto.mgmt(".create table U (v: long)")
    assert [row["TableName"] for row in kusto.mgmt(".show tables (U)")] == ["U"]
    shown = kusto.mgmt(f".show database {kusto.database} schema | where TableName == 'U'")
    assert [(row["ColumnName"], row["ColumnType"]) for row in shown] == [("v", "System.Int64")]


def test_creating_the_same_table_again_changes_nothing(kusto: Kusto) -> None:
    kusto.mgmt(f".create table T {DECLARED}")
    kusto.mgmt(f".create table T {DECLARED}")
    with pytest.raises(KustoApiError, match="another schema"):
        kusto.mgmt(".create table T (a: long)")


def test_create_merge_creates_then_adds_what_is_missing(kusto: Kusto) -> None:
    kusto.mgmt(".create-merge table T (a: long)")
    kusto.mgmt(".create-merge table T (b: string, a: long)")
    assert kusto.mgmt(".show table T cslschema")[0]["Schema"] == "a:long,b:string"
    with pytest.raises(KustoApiError, match="'a' of table 'T' is long and cannot become real"):
        kusto.mgmt(".create-merge table T (a: real)")


def test_dropping_forgets_rows_and_tags(kusto: Kusto) -> None:
    kusto.mgmt(append("T", "print a = 1", ingest_by="x", background=False))
    kusto.mgmt(".drop table T")
    with pytest.raises(KustoApiError, match="'T' of kind 'Table' was not found"):
        kusto.mgmt(".drop table T")
    kusto.mgmt(".drop table T ifexists")
    kusto.mgmt(append("T", "print a = 1", ingest_by="x", background=False))
    assert kusto.count("T") == 1


def test_clearing_keeps_the_table_and_forgets_tags(kusto: Kusto) -> None:
    kusto.mgmt(append("T", "print a = 1", ingest_by="x", background=False))
    kusto.mgmt(".clear table T data")
    assert kusto.count("T") == 0
    kusto.mgmt(append("T", "print a = 1", ingest_by="x", background=False))
    assert kusto.count("T") == 1


def test_details_count_rows_and_extents(kusto: Kusto) -> None:
    for _ in range(2):
        kusto.mgmt(append("T", "range a from 1 to 3 step 1", background=False))
    [details] = kusto.mgmt(".show table T details | project TotalExtents, TotalRowCount")
    assert details == {"TotalExtents": 2, "TotalRowCount": 6}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (".create table __x (a: long)", "expected a table name"),
        (".create table ['a/b'] (a: long)", "expected a table name"),
        (".create table T (a: text)", "'text' is no Kusto type; write one of bool, datetime"),
        (".create table T (a: long, A: long)", "'a' and 'A' differ only in case"),
        (".create table T (a: long, a: long)", "given twice"),
        (".create table T ()", "expected a column name"),
        (".create table T (a long)", r"expected ':', found 'long\)'"),
        (".alter table T policy retention '{}'", "does not support the command '.alter table T"),
        (".purge table T records", "does not support the command"),
        (".show table T foo", "expected 'cslschema'"),
        (".show tables where x", "expected the end of the command, found 'where x'"),
    ],
)
def test_a_bad_command_is_refused_in_one_sentence(kusto: Kusto, command: str, said: str) -> None:
    with pytest.raises(KustoApiError, match=said):
        kusto.mgmt(command)


def test_table_names_that_differ_in_case_are_refused(kusto: Kusto) -> None:
    kusto.mgmt(".create table Metrics (a: long)")
    with pytest.raises(KustoApiError, match="'Metrics' and 'metrics' differ only in case"):
        kusto.mgmt(".set-or-append metrics <| print a = 1")
    with pytest.raises(KustoApiError, match="Failed to resolve table or column expression"):
        kusto.query("metrics | count")


def test_a_database_is_its_own_name_space(kusto: Kusto) -> None:
    other = f"{kusto.database}Other"
    kusto.mgmt(".set T <| print a = 1")
    kusto.mgmt(f".create database {other}")
    names = {row["DatabaseName"] for row in kusto.mgmt(".show databases")}
    assert {"Telemetry", kusto.database, other} <= names
    kusto.database, own = other, kusto.database
    assert kusto.mgmt(".show tables") == []
    kusto.database = own
    kusto.mgmt(f".drop database {other}")


def test_a_database_is_created_once(kusto: Kusto) -> None:
    with pytest.raises(KustoApiError, match="already exists"):
        kusto.mgmt(f".create database {kusto.database}")
    kusto.mgmt(f".create database {kusto.database} ifnotexists")


@pytest.mark.parametrize("name", ["main", "System", "information_schema"])
def test_an_engines_own_name_is_no_database(kusto: Kusto, name: str) -> None:
    with pytest.raises(KustoApiError, match="taken by the engine"):
        kusto.mgmt(f".create database {name}")


@pytest.mark.parametrize("text", [".show tables", "print 1", ".set-or-append async T <| print 1"])
def test_an_unknown_database_is_kustos_error(endpoint: str, text: str) -> None:
    with (
        Kusto(endpoint, "Nada") as nowhere,
        pytest.raises(KustoApiError, match="Database 'Nada' could not be found") as raised,
    ):
        nowhere.client.execute(nowhere.database, text)
    assert raised.value.get_api_error().code == "BadRequest_DatabaseNotExist"
    assert raised.value.get_api_error().permanent is True
