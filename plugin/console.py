"""The terminal or pipe that a command writes to, and the clock that it reads.

A terminal with UTF-8 gets block characters, tables that fit its width, and colors unless NO_COLOR
is set (https://no-color.org). A pipe gets whole lines without color.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

from plugin.formatting import dump
from runtime import clock
from summaryrule.api.instant import Instant

Color = Literal["red", "yellow", "green"]
_CODES: Final[dict[Color, str]] = {"red": "31", "yellow": "33", "green": "32"}


@dataclass(frozen=True, slots=True)
class Console:
    """Standard output, standard error and the clock of this process."""

    out: TextIO
    err: TextIO

    def say(self, lines: Iterable[str]) -> None:
        """Print lines."""
        for line in lines:
            print(line, file=self.out, flush=True)

    def show(self, data: Any, form: str | None, lines: Iterable[str]) -> None:  # noqa: ANN401 - JSON
        """Print `data` as the `form` json or yaml; `lines` for any other form, or without one."""
        self.say(dump(data, form) if form in {"json", "yaml"} else lines)

    def note(self, line: str) -> None:
        """Print a line on stderr."""
        print(line, file=self.err, flush=True)

    def hint(self, line: str) -> None:
        """Print a line on stderr if that is a terminal."""
        if self.err.isatty():
            self.note(line)

    def confirm(self, question: str) -> bool | None:
        """Whether the user answers yes; None if stdin or stderr is not a terminal."""
        if not (sys.stdin.isatty() and self.err.isatty()):
            return None
        print(f"{question} [y/N] ", end="", file=self.err, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def redraw(self, line: str) -> None:
        """Replace the line that was drawn last, if stderr is a terminal."""
        if self.err.isatty():
            print(f"\r\x1b[2K{line}", end="", file=self.err, flush=True)

    def clear(self) -> None:
        """Clear the screen, if the output is a terminal."""
        if self.out.isatty():
            print("\x1b[H\x1b[2J", end="", file=self.out)

    @property
    def plain(self) -> bool:
        """Whether only ASCII can be written."""
        return "utf" not in (self.out.encoding or "").lower()

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None for a pipe or a file, which get whole lines."""
        return shutil.get_terminal_size().columns if self.out.isatty() else None

    def table_width(self, output: str | None) -> int | None:
        """Columns that a table may have; None for `-o wide`, a pipe or a file."""
        return None if output == "wide" else self.width

    def paint(self, text: str, color: Color | None) -> str:
        """`text` in a color, where the terminal shows colors."""
        shows = self.out.isatty() and not os.environ.get("NO_COLOR")
        if color is None or not shows or os.environ.get("TERM") == "dumb":
            return text
        return f"\x1b[{_CODES[color]}m{text}\x1b[0m"

    def now(self) -> Instant:
        """The current time."""
        return clock.now()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def standard() -> Console:
    """The console of this process."""
    return Console(sys.stdout, sys.stderr)
