"""Where a command reads the time and writes its lines; handed to each command.

A console that is a terminal with UTF-8 gets block characters; a pipe gets the same lines in
plain ASCII where its encoding cannot say more.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from summaryrule.api.instant import Instant


@dataclass(frozen=True, slots=True)
class Console:
    """Standard output, standard error and the clock of this process."""

    out: TextIO
    err: TextIO

    def say(self, lines: Iterable[str]) -> None:
        """Print lines."""
        for line in lines:
            print(line, file=self.out, flush=True)

    def hint(self, line: str) -> None:
        """Print something for a person only: nothing when nobody looks."""
        if self.err.isatty():
            print(line, file=self.err, flush=True)

    def redraw(self, line: str) -> None:
        """Replace the line that was drawn last, on a terminal."""
        if self.err.isatty():
            print(f"\r\x1b[2K{line}", end="", file=self.err, flush=True)

    @property
    def plain(self) -> bool:
        """Whether only ASCII can be written."""
        return "utf" not in (self.out.encoding or "").lower()

    def now(self) -> Instant:
        """The clock."""
        return Instant.from_unix_ns(time.time_ns())

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def standard() -> Console:
    """This process's own."""
    return Console(sys.stdout, sys.stderr)
