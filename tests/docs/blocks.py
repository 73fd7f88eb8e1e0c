"""The fenced blocks of a page, and what a test does with each.

The language of a block says what it is:

- ``bash``: commands that a test runs, without a prompt, so that a reader can copy the whole block.
- ``text`` right after a ``bash`` block, or after the one line "The output …:": its output.
- ``text`` elsewhere: a message or a query that nobody runs.
- ``sh``: targets and modules that take minutes; a test checks that they exist.
- ``yaml``: a rule, a part of a rule, chart values, or another object.
- ``console``: commands after ``$ ``, each followed by its output.

A comment on the line before a block says what its text cannot:

- ``<!-- not run: REASON -->``: the block cannot run here; the reason is in the test's list too.
- ``<!-- exit 1 -->``: its last command answers no.
- ``<!-- refused -->``: admission must refuse this object.

A ``title`` is the name under which the block's text is saved for the commands after it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from tests.docs.shell import ROOT

DOCS = ROOT / "docs"
# Pages that have tests of their own, in other words.
ELSEWHERE = {
    "docs/crdgen.md": "tests/crdgen/test_page.py",
    "docs/emulator.md": "tests/emulator/test_documentation.py",
}
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n+)?"
    r'^(?P<indent> *)```(?P<language>\w+)(?: +title="(?P<title>[^"\n]+)")?[^\n]*\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_LEADS_TO_OUTPUT = re.compile(r"The output[^\n]*:")
_INDENTED = re.compile(r"(?:^|\n)\n((?:    \S[^\n]*\n)+)")


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a reader types, and the output that a ``console`` block shows after it."""

    text: str
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of `page`; `mark` is the comment before it, `output` the ``text`` block after it."""

    page: str
    language: str
    title: str
    mark: str
    text: str
    output: tuple[str, ...] = ()

    @property
    def has_commands(self) -> bool:
        """Whether a reader types it."""
        return self.language in {"bash", "console"}

    @property
    def why_not(self) -> str | None:
        """Why it is not run, if so."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else None

    @property
    def exit(self) -> int:
        """The exit code of its last command."""
        return 1 if self.mark == "exit 1" else 0

    def commands(self) -> list[Command]:
        """The commands, as a shell would take the lines."""
        prompt = "$ " if self.language == "console" else ""
        found: list[Command] = []
        for line in self.text.splitlines():
            if found and not found[-1].shown and _is_open(found[-1].text):
                found[-1] = Command(f"{found[-1].text}\n{line}")
            elif line.startswith(prompt):
                found.append(Command(line.removeprefix(prompt)))
            else:
                found[-1].shown.append(line)
        return found


def _is_open(command: str) -> bool:
    """Whether the next line still belongs to it: after a backslash, or inside quotes."""
    return command.endswith("\\") or command.count("'") % 2 == 1


def pages() -> list[str]:
    """Every page that a reader may meet, from the checkout's top."""
    found = [path.relative_to(ROOT) for path in DOCS.rglob("*.md")]
    return ["README.md", *sorted(str(path) for path in found)]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return list(_blocks(page, (ROOT / page).read_text(encoding="utf-8")))


def _blocks(page: str, text: str) -> Iterator[Block]:
    found = list(_FENCE.finditer(text))
    for one, after in zip_longest(found, found[1:]):
        output = _output(one, after, text)
        yield Block(
            page, one["language"], one["title"] or "", one["mark"] or "", _inner(one), output
        )


def _inner(found: re.Match[str]) -> str:
    return re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)


def _output(one: re.Match[str], after: re.Match[str] | None, text: str) -> tuple[str, ...]:
    """The lines of the ``text`` block that shows what a ``bash`` block prints."""
    if after is None or (one["language"], after["language"]) != ("bash", "text"):
        return ()
    between = text[one.end() : after.start()].strip()
    if between and not _LEADS_TO_OUTPUT.fullmatch(between):
        return ()
    return tuple(_inner(after).splitlines())


def indented(page: str) -> list[str]:
    """The lines of blocks that are set in by four spaces, without comments after them."""
    text = _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    lines = "".join(_INDENTED.findall(text)).splitlines()
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines]


def headings(page: Path) -> list[str]:
    """The texts of its headings, without marks."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [line.replace("`", "") for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
