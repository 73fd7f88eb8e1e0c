"""Runs one process of the stack: starts it, checks its health, restarts it, stops it."""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from devstack.errors import EndedEarlyError
from devstack.parent_death import tie_to_parent
from devstack.process_spec import ProcessSpec, ProcessStatus, log_tail

INITIAL_BACKOFF = 0.2
MAX_BACKOFF = 5.0
BACKOFF_RESET_AFTER = 30.0
"""Seconds. A process that ran this long is restarted with the initial backoff.

So is one that was killed with -9: the cause was outside the program.
"""

PROBE_INTERVAL = 1.0
STARTUP_PROBE_INTERVAL = 0.05


class ManagedProcess:
    """One process and its status. `on_change` is called whenever the status changes.

    It owns two asyncio tasks: one waits for the process to end, one checks its health. `stop` ends
    both.
    """

    def __init__(self, spec: ProcessSpec, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.healthy = False
        self.restarts = 0
        self.exit_message: str | None = None
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """The process id, None while the process is not running."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    def status(self) -> ProcessStatus:
        """Return the status as `devstack status` prints it."""
        spec = self.spec
        return ProcessStatus(
            spec.name, self.pid, spec.address, str(spec.log), self.healthy, self.restarts
        )

    def rename(self, name: str) -> None:
        """Change the name of the process; its log file stays the same."""
        self.spec = replace(self.spec, name=name)
        self._on_change()

    def enable_restart(self) -> None:
        """Restart the process from now on whenever it ends."""
        self.spec = replace(self.spec, restart=True)

    async def start(self) -> None:
        """Start the process and the two tasks; return before the process is healthy."""
        await self._launch()
        self._tasks = [
            asyncio.create_task(self._restart_when_ended()),
            asyncio.create_task(self._probe()),
        ]

    async def wait_until_healthy(self, seconds: float) -> None:
        """Wait at most `seconds` until the process is healthy.

        Raises:
            EndedEarlyError: it ended and is not to be restarted, or the time is over.
        """
        name, log = self.spec.name, self.spec.log
        try:
            async with asyncio.timeout(seconds):
                while not self.healthy and self.exit_message is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise EndedEarlyError(
                f"{name} was not healthy after {seconds:.0f} s; its log is {log} and ends: "
                f"{log_tail(log)}"
            ) from None
        if self.exit_message is not None:
            raise EndedEarlyError(
                f"{name} {self.exit_message}; its log is {log} and ends: {log_tail(log)}"
            )

    async def stop(self, max_grace: float = math.inf) -> None:
        """Stop the process and return when it is gone: SIGTERM, grace period, SIGKILL.

        The grace period is that of the specification, at most `max_grace` seconds.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._terminate(min(self.spec.grace, max_grace))
        self._set_healthy(healthy=False)

    async def restart(self) -> None:
        """Stop the process and start it again, without backoff and without counting it."""
        await self.stop()
        self.exit_message = None
        await self.start()

    async def _launch(self) -> None:
        spec = self.spec
        with spec.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tie_to_parent(spec.argv),
                env=dict(spec.env),
                cwd=spec.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                process_group=0,
            )
        self._on_change()

    async def _restart_when_ended(self) -> None:
        backoff = INITIAL_BACKOFF
        while self._process is not None:
            started = time.monotonic()
            code = await self._process.wait()
            self._signal(signal.SIGKILL)  # whatever is left in its process group
            self.exit_message = None if self.spec.restart else describe_exit(code)
            self._set_healthy(healthy=False)
            if not self.spec.restart:
                return
            has_run_long = time.monotonic() - started > BACKOFF_RESET_AFTER
            if code == -signal.SIGKILL or has_run_long:
                backoff = INITIAL_BACKOFF
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF)
            self.restarts += 1
            await self._launch()

    async def _probe(self) -> None:
        while True:
            pid = self.pid
            healthy = pid is not None and await self.spec.health()
            self._set_healthy(healthy=healthy and pid == self.pid)
            await asyncio.sleep(PROBE_INTERVAL if self.healthy else STARTUP_PROBE_INTERVAL)

    async def _terminate(self, grace: float) -> None:
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

    def _set_healthy(self, *, healthy: bool) -> None:
        if healthy != self.healthy or self.exit_message is not None:
            self.healthy = healthy
            self._on_change()
        self._changed.set()


def describe_exit(code: int) -> str:
    """Describe an exit code as asyncio gives it: negative for a signal.

    >>> describe_exit(-9)
    'was killed by SIGKILL'
    """
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
