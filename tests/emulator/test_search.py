"""`search`, and `*` on the left of a text operator."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto


@pytest.fixture
def logs(kusto: Kusto) -> Kusto:
    kusto.mgmt(
        ".set App <| datatable(Text: string, Code: long, Labels: dynamic)["
        '"error in a", 1, dynamic({"pod": "web"}), "fine", 2, dynamic(["Error"]),'
        '"errors", 3, dynamic(null)]'
    )
    kusto.mgmt(
        ".set Web <| datatable(Text: string, At: datetime)["
        '"an ERROR", datetime(2026-11-01), "labx9pc", datetime(2026-11-02)]'
    )
    return kusto


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('search "error"', ["App error in a", "App fine", "Web an ERROR"]),
        ('search in (App) "error"', ["App error in a", "App fine"]),
        ('search in (App) "err*"', ["App error in a", "App errors", "App fine"]),
        ('search in (App, Web) "*r"', ["App error in a", "App fine", "Web an ERROR"]),
        ('search in (A*) "*rrors*"', ["App errors"]),
        ('search "lab*pc"', ["Web labx9pc"]),
        ('search "error" and ("web" or "fine")', ["App error in a", "App fine"]),
        ('search in (App) "error" and not("web")', ["App fine"]),
        ('search in (App) Text:"error" and Code == 1', ["App error in a"]),
        ('search in (App) Text == "fine" or Code > 2', ["App errors", "App fine"]),
        ('search kind=case_sensitive "ERROR"', ["Web an ERROR"]),
        ('App | search "web"', ["App error in a"]),
        ('let V = view () { App | where Code == 2 }; search in (V) "error"', ["V fine"]),
        ('search * | where $table == "Web"', ["Web an ERROR", "Web labx9pc"]),
    ],
)
def test_search_finds_rows_and_names_their_table(logs: Kusto, query: str, found: list[str]) -> None:
    assert sorted(f"{row['$table']} {row['Text']}" for row in logs.query(query)) == found


def test_search_without_tables_reads_all_and_the_views(logs: Kusto) -> None:
    counted = logs.query("let V = view () { App }; search * | summarize count() by $table")
    assert {row["$table"]: row["count_"] for row in counted} == {"App": 3, "Web": 2, "V": 3}
    schema = logs.query('search "error" | getschema | project ColumnName')
    assert [row["ColumnName"] for row in schema] == ["$table", "Text", "Code", "Labels", "At"]


def test_a_star_stands_for_every_column_of_texts(logs: Kusto) -> None:
    assert [row["Code"] for row in logs.query('App | where * has "web"')] == [1]
    assert len(logs.query('App | where * contains "rror" and Code < 3')) == 2
    assert len(logs.query('App | where * matches regex "[Ee]rror"')) == 3


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ('search "2026"', "a text that the long 'Code' may hold"),
        ('Web | where * has "01:00"', "a text that the datetime 'At' may hold"),
        ("App | where * !has 'x'", r"does not support '\* !has'"),
        ("search Code == 1", "the column 'Code' in tables that lack it"),
        ('App | where Code > 1 | search "error"', "over rows that are not one table"),
        ('search kind=best "x"', "'best' is not a kind of search"),
        ('search kind=case_sensitive Text contains "x"', "'kind=case_sensitive' with operators"),
        ("search in (App) Text:Code", "':' with anything but a string"),
        ('search in (Nope) "x"', "named 'Nope'"),
    ],
)
def test_what_search_cannot_answer_is_refused(logs: Kusto, query: str, said: str) -> None:
    with pytest.raises(KustoApiError, match=said):
        logs.query(query)
