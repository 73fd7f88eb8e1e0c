"""Keeps one child: starts it, asks after its health, starts it again, stops it.

One `Keeper` for each child of the supervisor. It owns two asyncio tasks, one that waits for the
process to end and one that asks its health; `stop` ends both.
"""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from devstack.child import Child, Process, last_words, leashed
from devstack.errors import EndedEarlyError

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
STEADY = 30.0
"""Seconds: a child that lived this long starts again without the pauses of those before.

So does one that was killed with -9: that came from outside, and says nothing against the program.
"""

BEAT = 1.0
EAGER_BEAT = 0.05


class Keeper:
    """One child and what is known of it; `changed` is called whenever that changes."""

    def __init__(self, child: Child, changed: Callable[[], None]) -> None:
        self.child = child
        self.healthy = False
        self.restarts = 0
        self.ended: str | None = None
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id, or None while the child does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def describe(self) -> Process:
        """Give the child's line of `devstack status`."""
        child = self.child
        return Process(
            child.name, self.pid, child.address, str(child.log), self.healthy, self.restarts
        )

    def rename(self, name: str) -> None:
        """Let the child go by another name."""
        self.child = replace(self.child, name=name)
        self._changed()

    async def start(self) -> None:
        """Start the process and its two tasks; returns before it is healthy."""
        await self._launch()
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch())]

    async def until_healthy(self, deadline: float) -> None:
        """Wait at most `deadline` seconds for a healthy child.

        Raises:
            EndedEarlyError: it ended (and is not one to restart), or the time is over.
        """
        name, log = self.child.name, self.child.log
        try:
            async with asyncio.timeout(deadline):
                while not self.healthy and self.ended is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            said = last_words(log)
            raise EndedEarlyError(
                f"{name} was not healthy after {deadline:.0f} s; its log is {log} and ends: {said}"
            ) from None
        if self.ended is not None:
            raise EndedEarlyError(
                f"{name} {self.ended}; its log is {log} and ends: {last_words(log)}"
            )

    async def stop(self, longest: float = math.inf) -> None:
        """End the process and return when it is gone: SIGTERM, a grace, SIGKILL.

        The grace is the child's own, at most `longest` seconds.
        """
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end(min(self.child.grace, longest))
        self._tell(healthy=False)

    async def restart(self) -> None:
        """End the process and start it again at once, with no count and no pause."""
        await self.stop()
        self._stopping, self.ended = False, None
        await self.start()

    async def _launch(self) -> None:
        child = self.child
        with child.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leashed(child.argv),
                env=dict(child.env),
                cwd=child.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                process_group=0,
            )
        self._changed()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while self._process is not None:
            began = time.monotonic()
            code = await self._process.wait()
            self._signal(signal.SIGKILL)  # what it may have left in its group
            self.ended = None if self.child.restart else how_it_ended(code)
            self._tell(healthy=False)
            if not self.child.restart:
                return
            is_blameless = code == -signal.SIGKILL or time.monotonic() - began > STEADY
            pause = FIRST_PAUSE if is_blameless else pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self.restarts += 1
            await self._launch()

    async def _watch(self) -> None:
        while True:
            asked = self.pid
            healthy = asked is not None and await self.child.health()
            self._tell(healthy=healthy and asked == self.pid)
            await asyncio.sleep(BEAT if self.healthy else EAGER_BEAT)

    async def _end(self, grace: float) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace)
        except TimeoutError:
            pass
        finally:
            self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _tell(self, *, healthy: bool) -> None:
        if healthy != self.healthy or self.ended is not None:
            self.healthy = healthy
            self._changed()
        self._news.set()


def how_it_ended(code: int) -> str:
    """Give `code`, as asyncio has it, in words.

    >>> how_it_ended(-9)
    'was killed by SIGKILL'
    """
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
