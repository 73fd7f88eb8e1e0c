"""Stored functions: created, called, shown, dropped."""

import pytest
from azure.kusto.data.exceptions import KustoApiError

from tests.emulator.client import Kusto


def test_a_scalar_and_a_tabular_function_are_called_by_name(kusto: Kusto) -> None:
    kusto.mgmt(".create-or-alter function Twice (x: long, by: long = 2) { x * by }")
    with_texts = "with (folder='f', docstring='d')"
    rows = "Rows () { range i from 1 to 3 step 1 }"
    kusto.mgmt(f".create-or-alter function {with_texts} {rows}")
    assert kusto.query("Rows | extend t = Twice(i) | summarize s = sum(t)") == [{"s": 12}]
    assert kusto.query("Rows() | extend t = Twice(i, by = 3) | summarize s = sum(t)") == [{"s": 18}]
    shown = kusto.mgmt(".show functions | project Name, Parameters, Folder, DocString")
    assert shown == [
        {"Name": "Rows", "Parameters": "()", "Folder": "f", "DocString": "d"},
        {"Name": "Twice", "Parameters": "(x: long, by: long = 2)", "Folder": "", "DocString": ""},
    ]


def test_invoke_hands_the_rows_over(kusto: Kusto) -> None:
    kusto.mgmt(".create function Above (T: (v: long), least: long) {\n T\n | where v >= least\n}")
    assert kusto.query("range v from 1 to 5 step 1 | invoke Above(4)") == [{"v": 4}, {"v": 5}]


def test_a_function_is_replaced_and_dropped(kusto: Kusto) -> None:
    kusto.mgmt(".create function F () { print a = 1 }")
    with pytest.raises(KustoApiError, match="'F' of kind 'Function' already exists"):
        kusto.mgmt(".create function F () { print a = 2 }")
    kusto.mgmt(".alter function F () { print a = 3 }")
    assert kusto.query("F") == [{"a": 3}]
    kusto.mgmt(".drop function F")
    kusto.mgmt(".drop function F ifexists")
    with pytest.raises(KustoApiError, match="'F' of kind 'Function' was not found"):
        kusto.mgmt(".drop function F")


def test_recursion_is_refused(kusto: Kusto) -> None:
    kusto.mgmt(".create function R () { R() | take 1 }")
    with pytest.raises(KustoApiError, match="calls itself"):
        kusto.query("R")


def test_an_error_inside_a_function_names_it(kusto: Kusto) -> None:
    kusto.mgmt(".create function Bad () { Nope | count }")
    with pytest.raises(
        KustoApiError, match=r"in function 'Bad': .*'Nope' at \[line:position=1:0\]"
    ):
        kusto.query("Bad")


def test_a_body_that_does_not_parse_is_refused(kusto: Kusto) -> None:
    with pytest.raises(KustoApiError, match="Syntax error"):
        kusto.mgmt(".create-or-alter function F () { T | wherex }")
