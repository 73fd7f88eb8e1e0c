"""`evaluate pivot()` and `evaluate bag_unpack()`, whose columns come from the data."""

from typing import Any

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto

BAGS = (
    'datatable(d: dynamic, n: long)[dynamic({"Name": "a", "Age": 20, "x": [1], "m": 1}), 1,'
    'dynamic({"Age": 40, "m": "s"}), 2, dynamic(null), 3]'
)


def columns(kusto: Kusto, query: str) -> dict[str, str]:
    rows = kusto.query(f"{query} | getschema")
    return {row["ColumnName"]: row["ColumnType"] for row in rows}


@pytest.fixture
def cells(kusto: Kusto) -> Kusto:
    kusto.mgmt(
        ".set T <| datatable(k: string, s: string, n: long)"
        '["a", "y", 1, "a", "x", 2, "b", "y", 3, "a", "y", 4]'
    )
    return kusto


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("pivot(s, sum(n))", [{"k": "a", "y": 5, "x": 2}, {"k": "b", "y": 3, "x": 0}]),
        ("pivot(s, count(), k)", [{"k": "a", "y": 2, "x": 1}, {"k": "b", "y": 1, "x": 0}]),
        ("pivot(s, dcount(n), k)", [{"k": "a", "y": 2, "x": 1}, {"k": "b", "y": 1, "x": 0}]),
    ],
)
def test_pivot_turns_values_into_columns(cells: Kusto, query: str, rows: list[Any]) -> None:
    assert cells.query(f"T | evaluate {query} | sort by k asc") == rows


def test_pivot_counts_by_all_other_columns(cells: Kusto) -> None:
    assert cells.query("T | project k, s | evaluate pivot(k) | sort by s asc") == [
        {"s": "x", "a": 1, "b": 0},
        {"s": "y", "a": 2, "b": 1},
    ]
    assert cells.query("T | project n, k | evaluate pivot(n) | where k == 'b'") == [
        {"k": "b", "1": 0, "2": 0, "3": 1, "4": 0}
    ]


def test_the_columns_of_pivot_are_used_by_what_follows_and_by_an_append(cells: Kusto) -> None:
    query = "let U = T | where n > 1; U | evaluate pivot(s, sum(n), k) | extend z = x + y"
    operation = cells.submit(f".set-or-append async P <| {query}")
    assert cells.settled(operation)["State"] == "Completed"
    assert columns(cells, "P") == {"k": "string", "x": "long", "y": "long", "z": "long"}
    assert sorted(row["z"] for row in cells.query("P")) == [3, 6]


def test_bag_unpack_makes_a_column_of_each_slot(kusto: Kusto) -> None:
    unpacked = f"{BAGS} | evaluate bag_unpack(d)"
    assert columns(kusto, unpacked) == {
        "n": "long",
        "Age": "long",
        "Name": "string",
        "m": "dynamic",
        "x": "dynamic",
    }
    assert kusto.query(unpacked)[1:] == [
        {"n": 2, "Age": 40, "Name": "", "m": "s", "x": None},
        {"n": 3, "Age": None, "Name": "", "m": None, "x": None},
    ]


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("bag_unpack(d, 'p_')", ["n", "p_Age", "p_Name", "p_m", "p_x"]),
        ("bag_unpack(d, ignoredProperties=dynamic(['m', 'x']))", ["n", "Age", "Name"]),
        ("bag_unpack(d): (Name: string, Age: real)", ["Name", "Age"]),
        ("bag_unpack(d): (*, Name: string)", ["n", "Name"]),
    ],
)
def test_the_arguments_of_bag_unpack(kusto: Kusto, call: str, names: list[str]) -> None:
    assert list(columns(kusto, f"{BAGS} | evaluate {call}")) == names


@pytest.mark.parametrize(
    ("conflict", "row"),
    [("keep_source", {"a": 1, "b": 2}), ("replace_source", {"a": 9, "b": 2})],
)
def test_a_slot_with_the_name_of_a_column(kusto: Kusto, conflict: str, row: object) -> None:
    bags = 'datatable(a: long, d: dynamic)[1, dynamic({"a": 9, "b": 2})]'
    assert kusto.query(f"{bags} | evaluate bag_unpack(d, columnsConflict='{conflict}')") == [row]
    with pytest.raises(KustoApiError, match="there is a column 'a' already"):
        kusto.query(f"{bags} | evaluate bag_unpack(d)")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("T | evaluate pivot(s, avg(n))", r"does not support 'avg\(\)' in 'pivot\(\)'"),
        ("T | evaluate pivot(Nope)", "first argument must be a column"),
        ("T | extend s = '' | evaluate pivot(s)", "an empty value in 'pivot"),
        ("T | extend s = 'k' | evaluate pivot(s, count(), k)", "a value is the name of column 'k'"),
        ("T | evaluate pivot(s): (k: string)", "the schema of 'pivot"),
        ("range i from 1 to 2000 step 1 | evaluate pivot(i)", "more than 1000 columns"),
        ("T | evaluate bag_unpack(s)", "a column of type dynamic"),
        ("T | evaluate basket(s)", r"does not support the plugin 'basket\(\)'"),
        (
            "print d = dynamic({'t': '2026-11-01T00:00:00Z'}) | evaluate bag_unpack(d)",
            "'t', which may be a time",
        ),
        ("print d = dynamic({'t': null}) | evaluate bag_unpack(d)", "the slot 't'"),
    ],
)
def test_what_a_plugin_cannot_answer_is_refused(cells: Kusto, query: str, said: str) -> None:
    with pytest.raises(KustoApiError, match=said):
        cells.query(query)
