"""Whether a side effect may still go out, asked once more when nothing is left but to send it.

The executor asks the Lease before it begins a call. Between that and the first byte a call may
wait: for a place, a token, a connection. A process that is stopped there (SIGSTOP, a frozen VM)
would send when it wakes, its Lease long lost, before the loop comes to cancel anything. So the
executor leaves its question here, and the adapter asks it again right before it writes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


def _granted() -> None:
    """What is answered where nobody left a question: reads need no Lease."""


_question: ContextVar[Callable[[], None]] = ContextVar("permit", default=_granted)


@contextmanager
def required(ensure: Callable[[], None]) -> Iterator[None]:
    """Let ``ensure`` be asked in this block, and in what it awaits, by ``ensure`` below."""
    before = _question.set(ensure)
    try:
        yield
    finally:
        _question.reset(before)


def ensure() -> None:
    """Ask.

    Raises:
        LeaseLost: or whatever the question raises; nothing may be sent.
    """
    _question.get()()
