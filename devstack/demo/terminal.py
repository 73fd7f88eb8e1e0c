"""The output of the demo: numbered steps, commands with their output, one progress bar."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text


class Terminal:
    """Prints to standard output; colors and a live progress bar on a terminal only."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._steps = 0

    def step(self, title: str) -> None:
        """Print the heading of the next step."""
        self._steps += 1
        clock = f"[{time.monotonic() - self._began:5.1f} s]"
        self.console.print()
        self.console.print(Text(f"{clock} {self._steps}. {title}", style="bold"))

    def line(self, text: str) -> None:
        """Print one line of the step."""
        self.console.print(Text(f"   {text}"))

    def command(self, line: str, output: str) -> None:
        """Print a command and its output."""
        self.console.print(Text(f"   $ {line}", style="cyan"))
        for each in output.strip().splitlines():
            self.console.print(Text(f"     {each}"))

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator["ProgressBar"]:
        """Show a progress bar of `total` windows."""
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as live:
            task = live.add_task(title, total=total)
            yield ProgressBar(self, live, int(task), total)


class ProgressBar:
    """Updates the progress bar; without a terminal, prints a line per tenth of the windows."""

    def __init__(self, terminal: Terminal, live: Progress, task: int, total: int) -> None:
        self._terminal, self._live, self._task, self._total = terminal, live, task, total
        self._printed_tenths = 0

    def update(self, done: int) -> None:
        """Show that `done` windows are complete."""
        for task_id in self._live.task_ids:
            self._live.update(task_id, completed=done)
        if (
            not self._terminal.console.is_terminal
            and done * 10 // self._total > self._printed_tenths
        ):
            self._printed_tenths = done * 10 // self._total
            self._terminal.line(f"{done}/{self._total} windows")
