"""docs/reliability.md names, for each row of the failure table, tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
CASES = 15
"""Rows of the failure table."""

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """Case, tests on the pure plan, tests on the real stack."""
    section = PAGE.read_text().partition("## Failure table")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [(case.strip(), pure, real) for case, pure, real in lines[2:]]


def named(cell: str) -> list[tuple[str, str]]:
    """File and function of each test in a cell; `…::name` is in the file of the one before."""
    found: list[tuple[str, str]] = []
    for file, name in re.findall(r"`([^`]*)::(\w+)`", cell):
        found.append((found[-1][0] if file == "…" else file, name))
    return found


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_the_table_has_every_case_of_the_design() -> None:
    assert len(rows()) == CASES


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_case_names_tests_of_the_plan_and_of_the_real_stack(row: Row) -> None:
    for cell in row[1:]:
        assert named(cell)
        for file, name in named(cell):
            assert name in functions(file), f"{file} has no {name}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_what_is_named_for_the_real_stack_runs_there(row: Row) -> None:
    assert all(file.startswith("tests/e2e/") for file, _ in named(row[2]))
