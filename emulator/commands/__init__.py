"""The management commands: one module a family, each with the reader of its own words.

`parse` finds the family by the first words. A command that is in none is refused by name.
"""

import re
from collections.abc import Callable
from typing import Final

from emulator.command_scanner import Scanner
from emulator.commands import (
    databases,
    ddl,
    extent_changes,
    extent_tags,
    functions,
    ingest,
    operations,
    show_extents,
    show_tables,
)
from emulator.context import Command
from emulator.errors import UnsupportedError

_FAMILIES: Final[tuple[Callable[[Scanner], Command | None], ...]] = (
    ingest.parse,
    operations.parse,
    extent_changes.parse,
    extent_tags.parse,
    functions.parse,
    show_extents.parse,
    show_tables.parse,
    ddl.parse,
    databases.parse,
)


def parse(text: str) -> Command:
    """The command that `text` is.

    Raises KustoSyntaxError, or UnsupportedError for an unknown command.
    """
    for family in _FAMILIES:
        command = family(Scanner(text))
        if command is not None:
            return command
    words = " ".join(re.split(r"<\||\(", text, maxsplit=1)[0].split()[:4])
    raise UnsupportedError(f"the command '{words}'", "docs/emulator.md lists what it does")
