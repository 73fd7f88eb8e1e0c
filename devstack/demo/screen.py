"""What the demo prints: numbered steps, commands with their output, one progress bar."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text


class Screen:
    """Prints to standard output; colours and a live bar on a terminal only."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._steps = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._steps += 1
        clock = f"[{time.monotonic() - self._began:5.1f} s]"
        self.console.print()
        self.console.print(Text(f"{clock} {self._steps}. {title}", style="bold"))

    def say(self, line: str) -> None:
        """A line of the step."""
        self.console.print(Text(f"   {line}"))

    def command(self, line: str, output: str) -> None:
        """A command as typed, and what it printed."""
        self.console.print(Text(f"   $ {line}", style="cyan"))
        for each in output.strip().splitlines():
            self.console.print(Text(f"     {each}"))

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator["Bar"]:
        """A progress bar of `total` windows."""
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as live:
            task = live.add_task(title, total=total)
            yield Bar(self, live, int(task), total)


class Bar:
    """Moves the bar; without a terminal, a line every tenth of the way."""

    def __init__(self, screen: Screen, live: Progress, task: int, total: int) -> None:
        self._screen, self._live, self._task, self._total = screen, live, task, total
        self._told = 0

    def to(self, done: int) -> None:
        """Show `done` windows."""
        for task_id in self._live.task_ids:
            self._live.update(task_id, completed=done)
        if not self._screen.console.is_terminal and done * 10 // self._total > self._told:
            self._told = done * 10 // self._total
            self._screen.say(f"{done}/{self._total} windows")
