"""Every block of every page is run, applied, or on the list below with its reason."""

import re
from collections.abc import Callable

import pytest

from tests.docs.blocks import ELSEWHERE, Block, blocks, indented, pages
from tests.docs.shell import ROOT

# Blocks of commands that take minutes, by page and first word, and what runs a part of them.
LONG = {("docs/reliability.md", "make simulate"): "tests/worker/simulation/test_schedules.py"}
NOT_RUN = {
    ("docs/gitops.md", "needs Argo CD's CRDs"),
    ("docs/install.md", "needs a Kusto database in Azure"),
    ("docs/image.md", "no image is built here"),
    ("docs/kubectl-plugin.md", "it would install for the whole machine"),
    ("docs/migrating.md", "the rule is adx-mon's"),
    ("docs/start.md", "the stack of the tests is needed by others"),
    ("docs/start.md", "the stack of the tests is up already"),
    ("docs/status-page.md", "it does not return, and a browser is needed to see it"),
    ("docs/troubleshooting.md", "it would open admission for the tests beside it"),
    (
        "docs/upgrade.md",
        "the stack of the tests has nothing to go back to; tests/chart/test_upgrade.py does it",
    ),
    ("docs/uninstall.md", "it would take every rule from the tests beside it"),
}
SHOWN = {"text"}  # what nobody runs: messages, queries for another system
RUN = {"console", "yaml"}


def every() -> list[Block]:
    return [block for page in pages() if page not in ELSEWHERE for block in blocks(page)]


def test_every_block_is_one_that_a_test_runs_or_that_nobody_could_run() -> None:
    others = [block for block in every() if block.language not in RUN | SHOWN]
    assert [block for block in others if not any(map(_is_long(block), LONG))] == []


def _is_long(block: Block) -> Callable[[tuple[str, str]], bool]:
    return lambda long: block.page == long[0] and block.text.startswith(long[1])


def test_what_takes_minutes_is_run_in_part() -> None:
    assert all((ROOT / path).exists() for path in LONG.values())


def test_what_is_not_run_is_on_the_list_with_its_reason() -> None:
    skipped = {(block.page, block.why_not) for block in every() if block.why_not is not None}
    assert skipped == NOT_RUN


@pytest.mark.parametrize("page", ELSEWHERE)
def test_a_page_that_is_not_run_here_is_run_where_the_list_says(page: str) -> None:
    assert page.rpartition("/")[2] in (ROOT / ELSEWHERE[page]).read_text()


def test_every_console_block_begins_with_a_command() -> None:
    blocks = [block for block in every() if block.language == "console"]
    assert [block for block in blocks if not block.text.startswith("$ ")] == []


def test_the_readme_names_targets_that_there_are() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {line.split()[1] for line in indented("README.md") if line.startswith("make ")}
    assert named
    assert named - targets == set()
