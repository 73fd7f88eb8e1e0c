"""After several failures in a row, calls to an endpoint fail at once, until a probe succeeds.

``worker/kusto/health.py`` reports an endpoint as failing after the first failure.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from runtime.backoff import Backoff
from runtime.errors import Ambiguous, Conflict, LeaseLost, OperatorError, Unreachable
from worker.ports import Clock

PROBE_DELAYS: Final = (1.0, 60.0)
"""The shortest and the longest delay, in seconds, before a probe while the circuit is open."""


class CircuitBreaker:
    """Closed: calls pass. Open: they fail at once, until one probe after a jittered delay."""

    def __init__(self, clock: Clock, backoff: Backoff, *, threshold: int = 3) -> None:
        """``threshold`` is how many failures in a row open it."""
        self._clock = clock
        self._backoff = backoff
        self._threshold = threshold
        self._failures = 0
        self._open_until = 0.0
        self._probing = False
        self._why = ""

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once."""
        return self._failures >= self._threshold

    @property
    def open_reason(self) -> str | None:
        """Why calls fail at once; None while they pass."""
        return self._why if self.is_open else None

    @contextlib.contextmanager
    def protect(self) -> Iterator[None]:
        """Around one call: refuse it while open, and count how it ends.

        Raises:
            Unreachable: the circuit is open; ``delay`` is the seconds until its next probe.
        """
        probing = self._before_call()
        try:
            yield
        except (Unreachable, Ambiguous) as error:
            self._failed(str(error))
            raise
        except (Conflict, LeaseLost):  # raised by the fence: nothing was sent
            raise
        except OperatorError:
            self._succeeded()  # a refusal is an answer too
            raise
        else:
            self._succeeded()
        finally:
            if probing:
                self._probing = False

    def _before_call(self) -> bool:
        """Let one call pass; whether it is the probe of an open circuit."""
        if not self.is_open:
            return False
        wait = self._open_until - self._clock.monotonic()
        if wait > 0 or self._probing:
            raise Unreachable(f"{self._why}; it is left alone for now", max(wait, 1.0))
        self._probing = True
        return True

    def _succeeded(self) -> None:
        self._failures = 0
        self._backoff.reset()

    def _failed(self, why: str) -> None:
        self._failures += 1
        if self.is_open:
            self._why = why
            self._open_until = self._clock.monotonic() + self._backoff.next()
