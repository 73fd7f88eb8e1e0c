"""Every block of every page is run, applied, or on the list below with its reason."""

import re
from importlib.util import find_spec

import pytest

from tests.docs.blocks import ELSEWHERE, Block, blocks, indented, pages
from tests.docs.shell import ROOT

NOT_RUN = {
    ("docs/kubectl-plugin.md", "it does not return before Ctrl-C"),
    ("docs/backfill.md", "at this point, the rule has no active backfill"),
    ("docs/gitops.md", "needs Argo CD"),
    ("docs/gitops.md", "needs Argo CD's CRDs"),
    ("docs/install.md", "needs a Kusto database in Azure"),
    ("docs/image.md", "no image is built here"),
    ("docs/kubectl-plugin.md", "it would install for the whole machine"),
    ("docs/migrating.md", "the rule is adx-mon's"),
    ("docs/start.md", "the stack of the tests is needed by others"),
    ("docs/start.md", "the stack of the tests is up already"),
    ("docs/status-page.md", "it does not return, and a browser is needed to see it"),
    ("docs/troubleshooting.md", "it would turn off validation for the other tests"),
    (
        "docs/upgrade.md",
        "the stack of the tests has nothing to go back to; tests/chart/test_upgrade.py does it",
    ),
    ("docs/uninstall.md", "it would take every rule from the tests beside it"),
}
SHOWN = {"text"}  # what nobody runs: messages, queries for another system
RUN = {"bash", "yaml"}
NAMED = {"sh"}  # proofs and simulations, which have targets of their own


def every() -> list[Block]:
    return [block for page in pages() if page not in ELSEWHERE for block in blocks(page)]


def test_every_block_is_one_that_a_test_runs_or_that_nobody_could_run() -> None:
    languages = {(block.page, block.language) for block in every()}
    assert [each for each in languages if each[1] not in RUN | SHOWN | NAMED] == []


def test_commands_that_take_minutes_name_targets_and_modules_that_there_are() -> None:
    found = [
        line for block in every() if block.language in NAMED for line in block.text.split("\n")
    ]
    known = targets()
    for line in filter(None, found):
        target, module = re.match(r"make ([\w-]+)", line), re.match(r"python -m ([\w.]+)", line)
        assert target or module, line
        assert not target or target[1] in known, line
        assert not module or find_spec(module[1]), line


def targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_what_is_not_run_is_on_the_list_with_its_reason() -> None:
    skipped = {(block.page, block.why_not) for block in every() if block.why_not is not None}
    assert skipped == NOT_RUN


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_page_that_is_not_run_here_is_run_where_the_list_says(page: str) -> None:
    assert page.rpartition("/")[2] in (ROOT / ELSEWHERE[page]).read_text()


def test_a_block_that_is_copied_is_commands_alone() -> None:
    """The copy button of a page takes the whole block: no prompt, and no output."""
    copied = [block for block in every() if block.language in {"bash", *NAMED}]
    lines = [(block.page, line) for block in copied for line in block.text.splitlines()]
    assert lines
    assert [each for each in lines if each[1].startswith(("$ ", "…", "summaryrule."))] == []


def test_the_readme_names_targets_that_there_are() -> None:
    named = {line.split()[1] for line in indented("README.md") if line.startswith("make ")}
    assert named
    assert named - targets() == set()


def test_contributing_names_targets_that_there_are() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^ *|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
    assert {"test", "lint", "docs", "release"} <= named
    assert named - targets() == set()
