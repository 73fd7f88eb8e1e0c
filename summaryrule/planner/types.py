"""What a worker was started with, as far as decisions depend on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillStatus, SummaryRule, SummaryRuleStatus, WindowStatus
from summaryrule.api.windows import WindowSequence

OPERATOR_NAME = "summaryrule-operator"
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """The worker's bounds and its place in the world.

    ``endpoints`` gives the Kusto endpoint of each database; ``labels`` are the cluster labels.
    A window that is due within ``brief_wait`` has its intent recorded ahead.
    A window that is done within ``show_after`` is not shown in spec by itself, only every
    ``show_lag``-th, and a worker shows one rule's at most every ``show_pace``: each showing
    leaves a moment in which a server-side apply conflicts.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = OPERATOR_NAME
    adopt_unowned: bool = True
    mode: Literal["all", "backfill"] = "all"
    interval_in_flight: int = 4
    failed_limit: int = 48
    max_attempts: int = 5
    retry_base: Duration = Duration(5 * _SECOND)
    retry_cap: Duration = Duration(300 * _SECOND)
    operation_log_delay: Duration = Duration(120 * _SECOND)
    cancel_timeout: Duration = Duration(60 * _SECOND)
    prerecord_horizon: Duration = Duration(900 * _SECOND)
    cursor_sync_after: Duration = Duration(2 * _SECOND)
    cursor_sync_lag: int = 8
    cursor_sync_interval: Duration = Duration(5 * _SECOND)


# FROM summaryrule.observed
# """What the worker has seen of Kusto since it last wrote status, handed to the plan as values."""


class Outcome(Enum):
    """What an operation's state means for its window."""

    RUNNING = auto()
    DONE = auto()
    THROTTLED = auto()
    RETRYABLE = auto()
    FAILED = auto()
    NOT_FOUND = auto()
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
        if self.state in _OUTCOME_BY_STATE:
            return _OUTCOME_BY_STATE[self.state]
        return Outcome.RETRYABLE if self.should_retry else Outcome.FAILED

    @property
    def failure_message(self) -> str:
        """The failure in one line."""
        return f"{self.state}: {self.status}" if self.status else self.state


_OUTCOME_BY_STATE = {
    "Completed": Outcome.DONE,
    "InProgress": Outcome.RUNNING,
    "Scheduled": Outcome.RUNNING,
    "Throttled": Outcome.THROTTLED,
    "BadInput": Outcome.FAILED,
    "NotFound": Outcome.NOT_FOUND,
    # Also what a held-back repeat of a token may end as: the table's tags tell which it was.
    "Skipped": Outcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Observations:
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
    rejected: Mapping[str, str] = field(default_factory=dict)
    tag_found: Mapping[str, bool] = field(default_factory=dict)
    canceled: frozenset[str] = frozenset()
    endpoint_error: str = ""
    cursor_synced_at: Instant | None = None
    cursor_sync_generation: int | None = None


# FROM summaryrule.actions
# """What a plan asks the worker to do: each one side effect, as plain data.
#
# The order in a plan is the order of execution, and the worker stops at the first that fails and
# plans again from what it then reads. So every prefix of a plan leaves a state from which the rest
# follows (design, sections 7 and 8).
# """


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """Write this status, under the object's resourceVersion."""

    status: SummaryRuleStatus


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the append of a window whose intent is recorded; the answer is an operation id."""

    window: WindowStatus
    database: str
    command: str


@dataclass(frozen=True, slots=True)
class CheckIngestTag:
    """Ask whether the table has an extent with this window's ingest-by tag."""

    database: str
    table: str
    token: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an operation; Kusto may finish it all the same."""

    database: str
    operation_id: str


@dataclass(frozen=True, slots=True)
class UpdateSpecCursor:
    """Show the cursor: ``spec.backfill.start`` and the oldest operation (None: none), at ``at``."""

    start: Instant
    operation_id: str | None
    at: Instant


@dataclass(frozen=True, slots=True)
class ReleaseFieldOwnership:
    """Free the range of its managers (``ownership.yielded``), so that a re-apply passes."""


@dataclass(frozen=True, slots=True)
class RemoveBackfill:
    """Remove ``spec.backfill`` and the finalizer with it: the backfill is done."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add or remove the finalizer that holds a deletion until operations are cancelled."""

    present: bool


@dataclass(frozen=True, slots=True)
class RemoveAnnotations:
    """Take away act annotations that status has recorded."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Emit an Event on the rule."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


Effect = (
    RecordStatus
    | Submit
    | CheckIngestTag
    | Cancel
    | UpdateSpecCursor
    | ReleaseFieldOwnership
    | RemoveBackfill
    | SetFinalizer
    | RemoveAnnotations
    | EmitEvent
)


# FROM summaryrule.agenda
# """What a plan says, as plain data: ``worker run`` executes it, ``worker plan`` prints it."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why something of the rule does not run now."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RunningOperation:
    """An operation to poll; ``usual`` is how long those of its kind took of late, if known."""

    database: str
    operation_id: str
    submitted_at: Instant | None
    average_duration: Duration | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one rule now, and when to look again.

    Attributes:
        held: why something does not run; the rest goes on.
        actions: side effects in order; the worker plans again after them.
        in_flight: operations whose end the rule waits for.
        wake: the earliest time at which this plan would read differently by itself.
        due: interval windows that are due and not yet taken up, before this plan's intents.
        backfill: the backfill before this plan's intents, if it may run.
    """

    blocked: tuple[Blocked, ...] = ()
    actions: tuple[Effect, ...] = ()
    running_operations: tuple[RunningOperation, ...] = ()
    requeue_at: Instant | None = None
    due_windows: WindowSequence | None = None
    backfill: BackfillStatus | None = None


def polling_database(window: WindowStatus, rule: SummaryRule, settings: PlannerSettings) -> str:
    """The database through which the window's operation is asked about.

    The one it was sent to, at the endpoint it was sent to; where that is served no more, another at
    the same endpoint, else the rule's own.
    """
    own, recorded = window.database or rule.spec.database, window.endpoint
    if recorded is None or settings.endpoints.get(own) == recorded:
        return own
    same = (name for name, at in settings.endpoints.items() if at == recorded)
    return next(same, rule.spec.database)


# FROM summaryrule.desk
# """What every step of a plan looks at: the rule, what was observed, the time, the settings."""


@dataclass(frozen=True, slots=True)
class PlanContext:
    """One rule to decide about at ``now``; ``hold`` is why nothing new may be submitted."""

    rule: SummaryRule
    observed: Observations
    now: Instant
    settings: PlannerSettings
    blocked: Blocked | None = None

    @property
    def stored(self) -> SummaryRuleStatus:
        """The status that the rule has."""
        return self.rule.status or SummaryRuleStatus()

    @property
    def runs_schedule(self) -> bool:
        """Whether interval runs are this worker's at all."""
        return self.settings.mode == "all"

    def in_flight_windows(self, status: SummaryRuleStatus) -> tuple[WindowStatus, ...]:
        """All that is in flight and this worker's, the schedule's first."""
        runs = status.schedule if self.runs_schedule else None
        past = status.backfill
        return (*(runs.in_flight if runs else ()), *(past.in_flight if past else ()))

    def running_operations(self, status: SummaryRuleStatus) -> tuple[RunningOperation, ...]:
        """Operations to poll, the schedule's first."""
        runs = status.schedule if self.runs_schedule else None
        past = status.backfill
        return (
            *(self._running(runs.in_flight, runs.operation_time) if runs else ()),
            *(self._running(past.in_flight, past.operation_time) if past else ()),
        )

    def _running(
        self, windows: tuple[WindowStatus, ...], usual: Duration | None
    ) -> Iterator[RunningOperation]:
        for window in windows:
            if window.operation_id is not None:
                where = polling_database(window, self.rule, self.settings)
                yield RunningOperation(where, window.operation_id, window.submitted_at, usual)


def has_backfill_in_flight(status: SummaryRuleStatus) -> bool:
    """Whether a backfill has something in flight, which is what the finalizer is for."""
    return status.backfill is not None and bool(status.backfill.in_flight)
