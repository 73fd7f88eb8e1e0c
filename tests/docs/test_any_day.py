"""What a page shows of commands that name their time is so whenever the page is read."""

from pathlib import Path

import pytest

from tests.docs.blocks import ELSEWHERE, Block, blocks, pages
from tests.docs.clock import READ, moved
from tests.docs.reader import read
from tests.docs.shell import offline


def names_its_time(block: Block) -> bool:
    found = block.commands() if block.has_commands else []
    return bool(found) and all(" --now " in command.text for command in found)


PAGES = [
    page for page in pages() if page not in ELSEWHERE and any(map(names_its_time, blocks(page)))
]


def test_pages_have_such_commands() -> None:
    assert {"docs/concepts.md", "docs/webhook.md"} <= set(PAGES)


@pytest.mark.parametrize("at", READ)
@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_shows_at_any_time(page: str, at: str, tmp_path: Path) -> None:
    part = [block for block in blocks(page) if not block.has_commands or names_its_time(block)]
    complaints = read(part, offline(tmp_path), moved(READ[at]))
    assert not complaints, "\n".join(map(str, complaints))
