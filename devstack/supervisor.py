"""Owns every process of a stack: starts them, keeps them, stops them in reverse order.

One supervisor a stack, living in the process that `host.py` runs. The control plane, the local
Kusto endpoint and the kubelet's containers are all its children:

    await supervisor.spawn(Child("kusto", argv, log=…, health=answers("http://…")), deadline=30)

Everything here runs on one asyncio loop in the main thread (see `leash.py` for why). The rules:

1. A child is tied to this process: kill -9 of the supervisor kills it too.
2. `Child.restart` decides whether a child that ends is started again; one that is not stays in
   the status as unhealthy, with no pid.
3. `stop_all` stops the youngest first, so that the API server ends before its etcd.
"""

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devstack.child import Child, Process, leashed
from devstack.errors import DevstackError
from devstack.keeper import Keeper

LAST_GRACE = 1.0
"""Seconds for a child to end by itself when the whole stack ends."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that `Supervisor.run` has run to its end."""

    code: int
    output: str
    error: str


class Supervisor:
    """The children by name, oldest first; `changed` is called whenever one's status changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._keepers: dict[str, Keeper] = {}

    def processes(self) -> list[Process]:
        """Give what `devstack status` prints, oldest child first."""
        return [keeper.describe() for keeper in self._keepers.values()]

    def process(self, name: str) -> Process | None:
        """Give one child's status, or None when there is no such child."""
        keeper = self._keepers.get(name)
        return keeper.describe() if keeper else None

    async def start(self, child: Child) -> None:
        """Start a child; returns at once, before it is healthy.

        Raises:
            DevstackError: a child of this name is there already.
        """
        if child.name in self._keepers:
            raise DevstackError(f"{child.name} runs already; stop it before starting another")
        keeper = self._keepers[child.name] = Keeper(child, self._changed)
        await keeper.start()

    async def until_healthy(self, name: str, deadline: float) -> None:
        """Wait at most `deadline` seconds; raises EndedEarlyError with the log's last words."""
        await self._keepers[name].until_healthy(deadline)

    async def spawn(self, child: Child, deadline: float = 30.0) -> None:
        """Start a child and wait until it is healthy; raises EndedEarlyError."""
        await self.start(child)
        await self.until_healthy(child.name, deadline)

    async def restart(self, name: str) -> None:
        """Stop a child gracefully and start it again, at once."""
        await self._keepers[name].restart()

    def rename(self, name: str, new: str) -> None:
        """Let a child go by another name from now on; its log stays where it is.

        Raises:
            DevstackError: a child has that name.
        """
        if new in self._keepers:
            raise DevstackError(f"{new} runs already; {name} cannot take its name")
        self._keepers = {new if each == name else each: k for each, k in self._keepers.items()}
        self._keepers[new].rename(new)

    async def stop(self, name: str, longest: float = math.inf) -> None:
        """Stop a child (SIGTERM, its grace of at most `longest` seconds, SIGKILL); forget it."""
        keeper = self._keepers[name]
        await keeper.stop(longest)
        self._keepers.pop(name, None)
        self._changed()

    async def stop_all(self) -> None:
        """Stop every child, the youngest first; nobody is left to drain connections for."""
        for name in reversed(list(self._keepers)):
            await self.stop(name, LAST_GRACE)

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        given: str = "",
        deadline: float = 60.0,
    ) -> Finished:
        """Run a command such as helm to its end, tied to this process like any child.

        Raises:
            DevstackError: it was not done after `deadline` seconds (it is killed then).
        """
        process = await asyncio.create_subprocess_exec(
            *leashed(argv),
            env=dict(os.environ if env is None else env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(deadline):
                output, error = await process.communicate(given.encode())
        except TimeoutError:
            raise DevstackError(f"{argv[0]} was not done after {deadline:.0f} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Finished(process.returncode or 0, output.decode(), error.decode())
