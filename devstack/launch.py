"""Starts the supervisor's process and listens to it until the stack is ready.

Used by `__main__` (`up`, which detaches it then) and by `stack.py` (which keeps it on a lead:
when this process ends, however it ends, the stack is taken down).
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from devstack.errors import DevstackError
from devstack.order import DETACH, Order
from devstack.running import STOPPED_WITHIN

CHECKOUT = Path(__file__).resolve().parent.parent

Report = Callable[[str], None]


class Lead:
    """A supervisor that ends with this process unless it is let go."""

    def __init__(self, order: Order) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "devstack.host", order.to_json()],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    def until_ready(self, report: Report) -> None:
        """Hand each step to `report` and return when the stack is ready.

        Raises:
            DevstackError: it could not be started, and why.
        """
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        for line in self._process.stdout:
            ((kind, text),) = json.loads(line).items()
            if kind == "ready":
                return
            if kind == "failed":
                raise DevstackError(text)
            report(text)
        raise DevstackError(
            f"the supervisor ended with exit code {self._process.wait()}; "
            "its log, supervisor.log in the state folder's logs/, says why"
        )

    def let_go(self) -> None:
        """Leave the stack running after this process; `down` stops it."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(DETACH)
        self._close()

    def stop(self) -> None:
        """Take the stack down and wait until nothing of it is left."""
        self._close()
        try:
            self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
