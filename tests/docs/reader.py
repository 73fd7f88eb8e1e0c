"""A reader who works through a page from top to bottom: saves its files, types its commands."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import Block
from tests.docs.clock import pattern
from tests.docs.shell import Shell

GIVEN = Path(__file__).parent / "given"
# NB: `kubectl wait` (1.37) logs now and then that its watch was cancelled when it has ended it.
_CLIENT_LOG = re.compile(r"^I\d{4} \d\d:\d\d:\d\d[^\n]*\n", re.MULTILINE)
# The shared stack keeps its release: what would change it is asked for as a dry run. The tests of
# the chart (tests/chart/test_release.py) install, upgrade, roll back and uninstall for good.
_CHANGES_RELEASE = re.compile(r"\bhelm (install|upgrade|uninstall)\b")
_DRY = {
    "install": "--dry-run=server",
    "upgrade": "--dry-run=server",
    "uninstall": "--dry-run",  # NB: helm 4.3 takes no value here
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """A command that did not answer as the page shows."""

    command: str
    shown: str
    printed: str

    def __str__(self) -> str:
        return f"\n$ {self.command}\n--- shown\n{self.shown}\n--- printed\n{self.printed}"


def read(page: Sequence[Block], shell: Shell, move: Callable[[str], str]) -> list[Complaint]:
    """Work through `page`; what did not go as it says."""
    give(page, shell, move)
    return [complaint for block in page for complaint in _work(block, shell, move)]


def give(page: Sequence[Block], shell: Shell, move: Callable[[str], str]) -> None:
    """Lay out the files that the page says its reader has."""
    stem = Path(page[0].page).stem
    for file in sorted((GIVEN / stem).glob("*")):
        (shell.folder / file.name).write_text(move(file.read_text()))


def _work(block: Block, shell: Shell, move: Callable[[str], str]) -> Iterator[Complaint]:
    if block.title and not block.has_commands:
        path = shell.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(move(block.text))
    elif block.has_commands and block.why_not is None:
        yield from _type(block, shell, move)


def _type(block: Block, shell: Shell, move: Callable[[str], str]) -> Iterator[Complaint]:
    commands = block.commands()
    ran = shell.run([_safe(move(command.text)) for command in commands])
    for command, answer in zip(commands, ran, strict=True):
        wanted = block.exit if command is commands[-1] else 0
        if answer.code != wanted or not _agrees(command.shown, answer.printed):
            shown = "\n".join([*command.shown, f"(exit {wanted})"])
            yield Complaint(command.text, shown, f"{answer.printed}(exit {answer.code})")
    printed = "".join(answer.printed for answer in ran)
    if not _agrees(block.output, printed):
        yield Complaint(block.text, "\n".join(block.output), printed)


def _agrees(shown: Sequence[str], printed: str) -> bool:
    if not shown:
        return True
    lines = _CLIENT_LOG.sub("", printed).strip()
    return pattern(shown).fullmatch(f"{lines}\n") is not None


def _safe(command: str) -> str:
    return _CHANGES_RELEASE.sub(lambda found: f"{found[0]} {_DRY[found[1]]}", command)
