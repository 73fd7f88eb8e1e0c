"""Names use the standard terms of the field: none of these private words comes back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "summaryrule",
    "runtime",
    "worker",
    "webhook",
    "plugin",
    "crdgen",
    "emulator",
    "devstack",
)
# Each word, and the term to use instead.
WORDS = {
    "acts": "annotations",
    "agenda": "plan",
    "berth": "slot",
    "berths": "endpoint_limiter",
    "board": "status_page",
    "caution": "warning",
    "cautions": "warnings",
    "departure": "plan_deletion",
    "desk": "context",
    "farewell": "release",
    "glance": "summary",
    "intake": "request_parser",
    "keeper": "self_signed, managed_process",
    "leash": "parent_death",
    "ledger": "observations",
    "outward": "effects",
    "permit": "fence",
    "quay": "endpoint",
    "roster": "membership",
    "seat": "context",
    "tally": "metrics",
    "witness": "invariants",
}
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+")


def words_of(name: str) -> set[str]:
    """The words of an identifier: snake_case and CamelCase."""
    return {part.lower() for part in _PARTS.findall(name)}


def names_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_names_are_standard_terms(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}: write {WORDS[word]}"
        for path in files(package)
        for name, line in (
            (path.stem, 1),
            *names_in(ast.parse(path.read_text(encoding="utf-8"))),
        )
        for word in words_of(name) & WORDS.keys()
    ]
    assert found == []


def test_the_packages_are_there() -> None:
    assert all(files(package) for package in PACKAGES)


def test_no_source_cites_a_document_that_is_not_here() -> None:
    paths = [*ROOT.glob("docs/**/*.md"), *(path for each in PACKAGES for path in files(each))]
    cites = re.compile(r"design, section|\(design\b")
    assert [path for path in paths if cites.search(path.read_text(encoding="utf-8"))] == []
