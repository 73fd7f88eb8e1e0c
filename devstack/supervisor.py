"""Owns every process of a stack: starts them, restarts them, stops them in reverse order.

A stack has one supervisor, in a process of its own. The control plane, the local Kusto endpoint and
the kubelet's containers are its children:

    spec = ProcessSpec("kusto", argv, log=…, health=http_health("http://…"))
    await supervisor.start_and_wait(spec, seconds=30)

Everything runs on one asyncio loop in the main thread (`parent_death.py` says why). The rules:

1. A child dies with the supervisor, even if that is killed with -9.
2. `ProcessSpec.restart` decides whether a child that ends is started again. A child that is not
   restarted stays in the status as unhealthy, without a pid.
3. `stop_all` stops the newest child first, so that the API server stops before etcd.
"""

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devstack.errors import DevstackError
from devstack.managed_process import ManagedProcess
from devstack.parent_death import tie_to_parent
from devstack.process_spec import ProcessSpec, ProcessStatus

SHUTDOWN_GRACE = 1.0
"""Seconds for each child to end by itself when the whole stack stops."""


@dataclass(frozen=True, slots=True)
class CompletedCommand:
    """The result of a command that `Supervisor.run` ran to its end."""

    code: int
    output: str
    error: str


class Supervisor:
    """The children by name, oldest first. `on_change` is called whenever a status changes."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._children: dict[str, ManagedProcess] = {}

    def processes(self) -> list[ProcessStatus]:
        """Return the status of every child, oldest first."""
        return [child.status() for child in self._children.values()]

    def process(self, name: str) -> ProcessStatus | None:
        """Return the status of one child, None when there is no such child."""
        child = self._children.get(name)
        return child.status() if child else None

    async def start(self, spec: ProcessSpec) -> None:
        """Start a child; return before it is healthy.

        Raises:
            DevstackError: there is a child of this name already.
        """
        if spec.name in self._children:
            raise DevstackError(f"{spec.name} runs already; stop it before starting another")
        child = self._children[spec.name] = ManagedProcess(spec, self._on_change)
        await child.start()

    async def wait_until_healthy(self, name: str, seconds: float) -> None:
        """Wait at most `seconds`.

        Raises:
            EndedEarlyError: the child ended or was not healthy in time; the message has the end of
                its log.
        """
        await self._children[name].wait_until_healthy(seconds)

    async def start_and_wait(self, spec: ProcessSpec, seconds: float = 30.0) -> None:
        """Start a child and wait until it is healthy; raises as `wait_until_healthy` does."""
        await self.start(spec)
        await self.wait_until_healthy(spec.name, seconds)

    def enable_restart(self, name: str) -> None:
        """Restart a child from now on whenever it ends."""
        self._children[name].enable_restart()

    async def restart(self, name: str) -> None:
        """Stop a child gracefully and start it again at once."""
        await self._children[name].restart()

    def rename(self, name: str, new: str) -> None:
        """Change the name of a child; its log file stays the same.

        Raises:
            DevstackError: another child has the name `new`.
        """
        if new in self._children:
            raise DevstackError(f"{new} runs already; {name} cannot take its name")
        self._children = {new if key == name else key: c for key, c in self._children.items()}
        self._children[new].rename(new)

    async def stop(self, name: str, max_grace: float = math.inf) -> None:
        """Stop a child (SIGTERM, a grace period of at most `max_grace` s, SIGKILL); forget it."""
        child = self._children[name]
        await child.stop(max_grace)
        self._children.pop(name, None)
        self._on_change()

    async def stop_all(self) -> None:
        """Stop every child, newest first, with a short grace period."""
        for name in reversed(list(self._children)):
            await self.stop(name, SHUTDOWN_GRACE)

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        seconds: float = 60.0,
    ) -> CompletedCommand:
        """Run a command such as helm to its end. It dies with this process, as children do.

        Raises:
            DevstackError: it did not end within `seconds` and was killed.
        """
        process = await asyncio.create_subprocess_exec(
            *tie_to_parent(argv),
            env=dict(os.environ if env is None else env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                output, error = await process.communicate(stdin.encode())
        except TimeoutError:
            raise DevstackError(f"{argv[0]} was not done after {seconds:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return CompletedCommand(process.returncode or 0, output.decode(), error.decode())
