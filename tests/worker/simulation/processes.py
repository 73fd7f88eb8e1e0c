"""Processes in one event loop, each of which can be stopped, continued or killed at any await.

`story` runs every worker as such a process. What belongs to a process is told by a context
variable: a stopped one (SIGSTOP, a frozen machine) has its callbacks and timers held back while
time goes on, and a killed one never runs again, not even its `finally` blocks.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVarTuple

from tests.worker.simulation.virtual import VirtualLoop

Ts = TypeVarTuple("Ts")


class _Slot:
    """Where a callback finds its own handle, to see whether it was cancelled meanwhile."""

    __slots__ = ("handle",)

    def __init__(self) -> None:
        self.handle: asyncio.Handle | None = None

    @property
    def is_cancelled(self) -> bool:
        return self.handle is not None and self.handle.cancelled()


_Held = tuple[_Slot, Callable[..., Any], tuple[Any, ...], Context]


class Process:
    """One worker's share of the loop."""

    def __init__(self, dice: Random) -> None:
        self.is_stopped = False
        self.is_dead = False
        self._dice = dice
        self._held: list[_Held] = []
        self._main: asyncio.Task[None] | None = None

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
        await asyncio.wait({self._main})

    def step(
        self,
        slot: _Slot,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
    ) -> None:
        """Run one callback, or hold it."""
        if self.is_stopped:
            self._held.append((slot, callback, args, context))
        elif not slot.is_cancelled:
            callback(*args)

    def _resume(self) -> None:
        self.is_stopped = False
        held, self._held = self._held, []
        self._dice.shuffle(held)
        loop = asyncio.get_running_loop()
        for slot, callback, args, context in held:
            loop.call_soon(self.step, slot, callback, args, context, context=context)


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class ProcessLoop(VirtualLoop):
    """Virtual time, with every callback of a process passing through it."""

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        within = context or copy_context()
        process = within.get(_PROCESS)
        if process is None or getattr(callback, "__func__", None) is Process.step:
            return super().call_soon(callback, *args, context=within)
        slot = _Slot()
        handle = super().call_soon(process.step, slot, callback, args, within, context=within)
        slot.handle = handle
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        within = context or copy_context()
        process = within.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=within)
        slot = _Slot()
        handle = super().call_at(when, process.step, slot, callback, args, within, context=within)
        slot.handle = handle
        return handle


def outside() -> Context:
    """A context that belongs to no process: the servers', which no kill reaches."""
    return Context()
