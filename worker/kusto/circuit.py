"""Keeps calls away from an endpoint that does not answer. Each ``worker.kusto.service`` has one.

An endpoint that is down would otherwise cost each of 10,000 rules a full timeout, and get all of
their calls at once when it comes back.
"""

import contextlib
from collections.abc import Iterator

from worker.backoff import Backoff
from worker.errors import Ambiguous, Conflict, LeaseLost, Unreachable, WorkerError
from worker.ports import Clock


class Circuit:
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
        """Whether calls are being kept away."""
        return self._failures >= self._threshold

    @property
    def trouble(self) -> str | None:
        """Why calls are being kept away; None while they pass."""
        return self._why if self.is_open else None

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Around one call: refuse it while open, and learn from how it ends.

        Raises:
            Unreachable: the circuit is open; ``delay`` is the seconds until its next probe.
        """
        probing = self._admit()
        try:
            yield
        except (Unreachable, Ambiguous) as error:
            self._failed(str(error))
            raise
        except (Conflict, LeaseLost):  # raised by the fence: not sent, so nothing is learnt
            raise
        except WorkerError:
            self._succeeded()  # no is an answer, too
            raise
        else:
            self._succeeded()
        finally:
            if probing:
                self._probing = False

    def _admit(self) -> bool:
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
