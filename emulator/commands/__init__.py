"""The management commands: one module a family, each with the reader of its own words.

`parse` finds the family by the first words. A command that is in none is refused by name.
"""

import re
from collections.abc import Callable
from typing import Final

from emulator.commands import change, databases, ingest, operations, show_extents, show_tables
from emulator.errors import Unsupported
from emulator.scanner import Scanner
from emulator.services import Command

_FAMILIES: Final[tuple[Callable[[Scanner], Command | None], ...]] = (
    ingest.read,
    operations.read,
    show_extents.read,
    show_tables.read,
    change.read,
    databases.read,
)


def parse(text: str) -> Command:
    """The command that `text` is; raises SyntaxRefusal or, for an unknown one, Unsupported."""
    for family in _FAMILIES:
        command = family(Scanner(text))
        if command is not None:
            return command
    words = " ".join(re.split(r"<\||\(", text, maxsplit=1)[0].split()[:4])
    raise Unsupported(f"the command '{words}'", "docs/emulator.md lists what it does")
