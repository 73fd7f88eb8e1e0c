"""From the index one link leads to each answer, and every page is in the menu."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.docs.blocks import DOCS, headings, pages
from tests.docs.shell import ROOT

INDEX = (DOCS / "index.md").read_text(encoding="utf-8")
QUESTIONS = {
    "How do I backfill last week?": "backfill.md#backfill-last-week",
    "Why was my rule refused?": "troubleshooting.md#a-rule-is-refused",
    "How do I stop a backfill?": "backfill.md#stop-a-backfill",
    "What happens on upgrade?": "upgrade.md#what-happens-on-upgrade",
}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SCREENFUL = 60
UNDER_GUIDES = "---\nsearch:\n  boost: 0.0001\n---\n"


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_leads_to_its_answer(question: str) -> None:
    [line] = [line for line in INDEX.splitlines() if question in line]
    assert _LINK.findall(line) == [QUESTIONS[question]]


def test_the_index_fits_a_screen() -> None:
    assert len(INDEX.splitlines()) < _SCREENFUL


def slug(heading: str) -> str:
    """As the site and GitHub make anchors of headings."""
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


@pytest.mark.parametrize("page", [page for page in pages() if page != "README.md"])
def test_every_link_leads_to_a_page_and_a_heading(page: str) -> None:
    """What `make docs` checks as well, without the generator."""
    path = ROOT / page
    for link in _LINK.findall(path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        to = (path.parent / name).resolve() if name else path
        assert to.exists(), link
        assert not anchor or anchor in map(slug, headings(to)), link


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r"[\w/.-]+\.md", yaml.safe_dump(_config()["nav"])))
    hidden = {f"decisions/{path.name}" for path in DOCS.glob("decisions/0*.md")}
    there = {page.removeprefix("docs/") for page in pages() if page != "README.md"}
    assert there - hidden == menu


def test_every_decision_is_in_their_index() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    there = {path.name for path in DOCS.glob("decisions/0*.md")}
    assert set(_LINK.findall(index)) == there


def test_nothing_is_fetched_from_elsewhere() -> None:
    config = _config()
    assert config["theme"]["font"] is False
    assert config["plugins"] == ["search"]
    assert not {"hooks", "extra_javascript"} & config.keys()
    assert config["extra_css"] == ["stylesheets/code.css"]
    style = (DOCS / "stylesheets" / "code.css").read_text(encoding="utf-8")
    assert [word for word in ("url(", "@import", "//") if word in style] == []
    pictures = [
        picture
        for page in pages()
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / page).read_text())
    ]
    assert [picture for picture in pictures if "://" in picture] == []


def test_the_footer_shows_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Version {project['version']}." in _config()["copyright"]


def test_the_search_puts_guides_before_decisions() -> None:
    plain = [
        path.name
        for path in DOCS.glob("decisions/0*.md")
        if not path.read_text(encoding="utf-8").startswith(UNDER_GUIDES)
    ]
    assert plain == []


def _config() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    return config
