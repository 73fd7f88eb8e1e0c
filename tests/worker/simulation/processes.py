"""Processes in one event loop, each of which can be stopped, continued or killed at any await.

`story` runs every worker as such a process. What belongs to a process is told by a context
variable: a stopped one (SIGSTOP, a frozen machine) has its callbacks and timers held back while
time goes on, and a killed one never runs again, not even its `finally` blocks.
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
    """One worker's share of the loop."""

    def __init__(self, dice: Random) -> None:
        self.is_stopped = False
        self.is_dead = False
        self._dice = dice
        self._held: list[asyncio.Handle] = []
        self._main: asyncio.Task[None] | None = None
        self.buried = asyncio.Event()

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
        """Hold everything back."""
        self.is_stopped = True

    def proceed(self) -> None:
        """Run what was held back, in any order: replies and timers that came due race."""
        if self.is_dead or not self.is_stopped:
            return
        self._resume()

    def kill(self) -> None:
        """Never run again."""
        self.is_stopped = self.is_dead = True

    async def bury(self) -> None:
        """At the end of a story: let cancelled tasks unwind, so that none is left pending."""
        if self._main is None:
            return
        self._main.cancel()
        self._resume()
        self.buried.set()
        await asyncio.wait({self._main})

    def hold(self, handle: asyncio.Handle) -> None:
        """Keep a callback that came due while the process was stopped."""
        self._held.append(handle)

    def _resume(self) -> None:
        self.is_stopped = False
        held, self._held = self._held, []
        self._dice.shuffle(held)
        _loop().make_ready(held)


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _Passing(asyncio.Handle):
    """A callback that runs, or is held, as its process does."""

    __slots__ = ()
    _context: Context

    def _run(self) -> None:
        process = self._context.get(_PROCESS)
        if process is not None and process.is_stopped:
            process.hold(self)
        else:
            super()._run()


class _PassingTimer(asyncio.TimerHandle):
    """The same for a timer."""

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
    """Sets of tasks, such as a task group's, are gone through alike each time a seed is run."""

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
    """Virtual time, with every callback of a process passing through it.

    NB: `_ready` and `_scheduled` are the base loop's own (CPython 3.11). Wrapping each callback
    from outside does the same for twice the time, and a schedule has thousands.
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
        handle = _Passing(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _PassingTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # noqa: SLF001 - as the base loop does, which counts cancelled ones
        return timer

    def make_ready(self, handles: Iterable[asyncio.Handle]) -> None:
        """Run these at the next turn, in this order; cancelled ones are passed over."""
        self._ready.extend(handles)


def _loop() -> ProcessLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ProcessLoop)
    return loop


def outside() -> Context:
    """A context that belongs to no process: the servers', which no kill reaches."""
    return Context()
