"""What is known of a Kusto endpoint: whether it answers, since when, and which call waits for it.

An endpoint is ``unknown`` until it has answered or failed. So it never counts as well only because
nobody has asked it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from runtime.errors import (
    Ambiguous,
    Conflict,
    LeaseLost,
    Misconfigured,
    OperatorError,
    Throttled,
    Unreachable,
)
from runtime.logging import context_fields
from summaryrule.api.instant import Instant
from worker.ports import Clock

State = Literal["unknown", "answering", "failing"]

HANGS_AFTER: Final = 10.0
"""Seconds without an answer after which a call is reported, although it still waits."""


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One endpoint.

    Attributes:
        state: ``unknown`` if it was not asked yet.
        since: when the state began; None if it is ``unknown``.
        error: why it fails, one sentence; None if it does not.
        identity: who the worker is to the endpoint; empty if it needs no login.
        has_token: whether the identity has given an access token; None if it was not asked.
        last_answer: when it answered last.
        throttled: when it last asked for fewer calls; None if it never did.
    """

    state: State
    since: Instant | None = None
    error: str | None = None
    identity: str = ""
    has_token: bool | None = None
    last_answer: Instant | None = None
    throttled: Instant | None = None

    def __str__(self) -> str:
        """One line: the state, its begin, and the error or the identity."""
        login = f" (login: {self.identity})" if self.identity and self.has_token else ""
        if self.state == "failing":
            return f"fails since {self.since}: {self.error}"
        if self.state == "answering":
            return f"answers since {self.since}, last at {self.last_answer}{login}"
        return f"was not asked yet{login}"

    def as_json(self) -> dict[str, Any]:
        """The fields of ``/status.json``; ``trouble`` is the error."""
        return {
            "trouble": self.error,
            "state": self.state,
            "since": None if self.since is None else str(self.since),
            "identity": self.identity or None,
            "throttled": None if self.throttled is None else str(self.throttled),
        }


@dataclass(frozen=True, slots=True)
class _Waiting:
    since: float
    at: Instant
    what: str


class EndpointTracker:
    """Follows the calls to one endpoint, and its access tokens."""

    def __init__(self, url: str, clock: Clock, identity: str = "") -> None:
        self._url, self._clock, self._identity = url, clock, identity
        self._state: State = "unknown"
        self._since: Instant | None = None
        self._error: str | None = None
        self._has_token: bool | None = None
        self._last_answer: Instant | None = None
        self._throttled: Instant | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._calls = 0
        self._called_at = clock.monotonic()
        self.login_error: str | None = None
        """Why there is no access token; None if there is one, or was not asked."""

    @property
    def idle_seconds(self) -> float:
        """How long ago the last call ended; 0 while one waits."""
        return 0.0 if self._waiting else self._clock.monotonic() - self._called_at

    @contextlib.contextmanager
    def track(self, call: str) -> Iterator[None]:
        """Around one call: it waits until the block ends, and its end says how the endpoint is."""
        self._calls += 1
        number = self._calls
        began = _Waiting(self._clock.monotonic(), self._now(), _describe(call))
        self._waiting[number] = began
        try:
            yield
        except (Unreachable, Ambiguous, Misconfigured) as error:
            self._set("failing", str(error), since=began.at)
            raise
        except (Conflict, LeaseLost):  # raised by the fence: nothing was sent
            raise
        except OperatorError as error:  # a refusal is an answer too
            if isinstance(error, Throttled):
                self._throttled = self._now()
            self.answered()
            raise
        else:
            self.answered()
        finally:
            del self._waiting[number]
            self._called_at = self._clock.monotonic()

    def answered(self) -> None:
        """It answered a call, whatever the answer was."""
        self._last_answer, self._called_at = self._now(), self._clock.monotonic()
        self._set("answering", None)

    def token_obtained(self) -> None:
        """The identity gave a token."""
        if self.login_error is not None:
            self._state, self._since, self._error = "unknown", None, None
        self._has_token, self.login_error = True, None

    def token_refused(self, error: Misconfigured) -> None:
        """The identity gave no token."""
        self._has_token, self.login_error = False, str(error)
        self._set("failing", self.login_error)

    def health(self) -> EndpointHealth:
        """What is known now; a call that waits for long makes the endpoint fail."""
        oldest = min(self._waiting.values(), key=lambda each: each.since, default=None)
        is_hanging = oldest is not None and self._clock.monotonic() - oldest.since >= HANGS_AFTER
        state, since, error = self._state, self._since, self._error
        if oldest is not None and is_hanging:
            error = f"{self._url} has not answered {oldest.what} since {oldest.at}"
            since = since if state == "failing" else oldest.at
            state = "failing"
        return EndpointHealth(
            state,
            since,
            error,
            self._identity,
            self._has_token,
            self._last_answer,
            self._throttled,
        )

    def _set(self, state: State, error: str | None, since: Instant | None = None) -> None:
        if state != self._state:
            self._since = since or self._now()
        self._state, self._error = state, error

    def _now(self) -> Instant:
        return Instant(self._clock.now()).whole_second


def _describe(call: str) -> str:
    """A call in words: ``the submit of window […) of n/r``."""
    fields = context_fields()
    window = f" of window {fields['window']}" if "window" in fields else ""
    rule = f" of {fields['rule']}" if "rule" in fields else ""
    return f"the {call}{window}{rule}"
