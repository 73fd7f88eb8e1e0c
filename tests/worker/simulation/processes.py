"""Processes in one event loop. Each can be stopped, continued or killed at any await.

Each worker is such a process. A context variable says which process a callback belongs to. While
a process is stopped (SIGSTOP, a frozen machine), its callbacks and timers are held, and time
continues. A killed process never runs again, not even its `finally` blocks.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVarTuple

from tests.worker.simulation.virtual import VirtualLoop

Ts = TypeVarTuple("Ts")


class Process:
    """The callbacks and timers of one worker."""

    def __init__(self, random: Random) -> None:
        self.is_stopped = False
        self.is_dead = False
        self._random = random
        self._held: list[asyncio.Handle] = []
        self._main: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()

    @staticmethod
    def current() -> "Process | None":
        """The process whose code runs now."""
        return _PROCESS.get()

    def start(self, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        context = copy_context()
        context.run(_PROCESS.set, self)
        self._main = asyncio.get_running_loop().create_task(main, context=context)
        return self._main

    def stop(self) -> None:
        """Hold all callbacks and timers from now on."""
        self.is_stopped = True

    def resume(self) -> None:
        """Run the held callbacks in random order, as overdue replies and timers race."""
        if self.is_dead or not self.is_stopped:
            return
        self._run_held()

    def kill(self) -> None:
        """Never run this process again."""
        self.is_stopped = self.is_dead = True

    async def close(self) -> None:
        """Let the cancelled tasks end, so that none is pending at the end of the scenario."""
        if self._main is None:
            return
        self._main.cancel()
        self._run_held()
        self.closed.set()
        await asyncio.wait({self._main})

    def hold(self, handle: asyncio.Handle) -> None:
        """Keep a callback that is due while the process is stopped."""
        self._held.append(handle)

    def _run_held(self) -> None:
        self.is_stopped = False
        held, self._held = self._held, []
        self._random.shuffle(held)
        _loop().make_ready(held)


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _ProcessHandle(asyncio.Handle):
    """A callback; it is held while its process is stopped."""

    __slots__ = ()
    _context: Context

    def _run(self) -> None:
        process = self._context.get(_PROCESS)
        if process is not None and process.is_stopped:
            process.hold(self)
        else:
            super()._run()


class _ProcessTimer(asyncio.TimerHandle):
    """A timer; it is held while its process is stopped."""

    __slots__ = ()
    _context: Context
    _scheduled: bool

    def _run(self) -> None:
        process = self._context.get(_PROCESS)
        if process is not None and process.is_stopped:
            process.hold(self)
        else:
            super()._run()


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash is its number: sets of tasks have the same order in each run of a seed."""

    _numbers = itertools.count()

    def __init__(self, *args: Any, **options: Any) -> None:
        self._number = next(self._numbers)
        super().__init__(*args, **options)

    def __hash__(self) -> int:
        return self._number


def _numbered(
    loop: asyncio.AbstractEventLoop, main: Any, context: Context | None = None
) -> "asyncio.Task[Any]":
    return _NumberedTask(main, loop=loop, context=context)


class ProcessLoop(VirtualLoop):
    """An event loop in virtual time that can hold the callbacks of a process.

    NB: `_ready` and `_scheduled` are attributes of the base loop (CPython 3.11). Wrapping each
    callback would take twice the time, and a schedule has thousands of callbacks.
    """

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        _NumberedTask._numbers = itertools.count()  # noqa: SLF001 - the class above
        self.set_task_factory(_numbered)

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = _ProcessHandle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _ProcessTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # noqa: SLF001 - as in the base loop, which counts cancelled timers
        return timer

    def make_ready(self, handles: Iterable[asyncio.Handle]) -> None:
        """Run these in the next iteration, in this order; cancelled ones are skipped."""
        self._ready.extend(handles)


def _loop() -> ProcessLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ProcessLoop)
    return loop


def server_context() -> Context:
    """A context without a process, for the servers: a kill does not affect it."""
    return Context()
