"""What the worker has seen of Kusto since it last wrote status, handed to the plan as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from summaryrule.duration import Duration
from summaryrule.instant import Instant


class Outcome(Enum):
    """What an operation's state means for its window."""

    RUNNING = auto()
    DONE = auto()
    THROTTLED = auto()
    RETRYABLE = auto()
    FAILED = auto()
    MISSING = auto()
    SKIPPED = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """The newest record of an operation in ``.show operations``.

    ``NotFound`` is the state of an id that no record has. ``status`` is one sentence; ``duration``
    runs from start to the last update.
    """

    id: str
    state: str
    status: str = ""
    should_retry: bool = False
    started: Instant | None = None
    updated: Instant | None = None
    duration: Duration | None = None

    @property
    def outcome(self) -> Outcome:
        """What the state means (design, section 8; states as in Kusto's operations page)."""
        if self.state in _FIXED:
            return _FIXED[self.state]
        return Outcome.RETRYABLE if self.should_retry else Outcome.FAILED

    @property
    def why(self) -> str:
        """The failure in one line."""
        return f"{self.state}: {self.status}" if self.status else self.state


_FIXED = {
    "Completed": Outcome.DONE,
    "InProgress": Outcome.RUNNING,
    "Scheduled": Outcome.RUNNING,
    "Throttled": Outcome.THROTTLED,
    "BadInput": Outcome.FAILED,
    "NotFound": Outcome.MISSING,
    # Also what a held-back repeat of a token may end as: the table's tags tell which it was.
    "Skipped": Outcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Observed:
    """Answers not yet in status.

    Attributes:
        operations: by operation id, as last polled.
        submitted: by token, the operation id that a submit was answered with.
        refused: by token, why Kusto refused a submit for good.
        tagged: by token, whether the table has an extent that carries it.
        canceled: operation ids whose cancellation was asked for.
        shown: when this worker last showed the rule's cursor in spec.
        shown_generation: the generation that the rule had then.
        unanswered: why several submits in a row got no usable answer; empty when the last did.
    """

    operations: Mapping[str, Operation] = field(default_factory=dict)
    submitted: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    tagged: Mapping[str, bool] = field(default_factory=dict)
    canceled: frozenset[str] = frozenset()
    unanswered: str = ""
    shown: Instant | None = None
    shown_generation: int | None = None
