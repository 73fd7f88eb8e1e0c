"""The values that go into a plan and come out of it. Plain data: no I/O, no clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Literal

from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import OPERATOR_NAME
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import (
    BackfillSpec,
    BackfillStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.api.windows import WindowSequence

_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """The worker's configuration, as far as decisions depend on it.

    Attributes:
        endpoints: the Kusto endpoint of each database.
        labels: the cluster labels, which criteria and KQL bodies read.
        owner: the value of the owner annotation that this worker accepts.
        adopt_unowned: whether rules without an owner annotation are this worker's.
        mode: ``all``, or ``backfill`` to leave interval runs to another operator.
        interval_in_flight: interval windows of one rule in flight at once.
        failed_limit: failed interval windows of one rule at which no new one is taken.
        max_attempts: attempts per window before it counts as failed.
        retry_base, retry_cap: the first and the longest delay before a window's next attempt.
        operation_log_delay: how far Kusto's operation log may lag behind.
        cancel_timeout: how long a deleted rule waits for its operations to end.
        prerecord_horizon: a window due within this time may have its intent recorded early.
        cursor_sync_after: an operation that runs this long is shown in ``spec.backfill``.
        cursor_sync_lag: windows after which the cursor in spec is updated in any case.
        cursor_sync_interval: shortest time between two updates of one rule's cursor. Each update
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
    """The newest record of an operation in ``.show operations`` (Kusto docs).

    ``state`` is ``NotFound`` for an id without a record. ``status`` is one sentence; ``duration``
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
        """What the state means; the states are those of Kusto's page on operations."""
        if self.state in _OUTCOME_BY_STATE:
            return _OUTCOME_BY_STATE[self.state]
        return Outcome.RETRYABLE if self.should_retry else Outcome.FAILED

    @property
    def failure_message(self) -> str:
        """The failure in one line."""
        return f"{self.state}: {self.status}" if self.status else self.state


_OUTCOME_BY_STATE: Final = {
    "Completed": Outcome.DONE,
    "InProgress": Outcome.RUNNING,
    "Scheduled": Outcome.RUNNING,
    "Throttled": Outcome.THROTTLED,
    "BadInput": Outcome.FAILED,
    "NotFound": Outcome.NOT_FOUND,
    # A delayed repeat of a token may end like this too: the table's tags tell which it was.
    "Skipped": Outcome.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Observations:
    """Answers of Kusto and of the API server that status does not hold yet.

    Attributes:
        operations: by operation id, as last polled.
        submitted: by token, the operation id that Kusto answered a submit with.
        rejected: by token, why Kusto rejected a submit for good.
        tag_found: by token, whether the table has an extent with that ingest-by tag.
        canceled: operation ids whose cancellation was requested.
        endpoint_error: why several submits in a row got no usable answer; empty when the last did.
        cursor_synced_at: when this worker last updated the rule's cursor in spec.
        cursor_sync_generation: the generation of the rule that this update made.
    """

    operations: Mapping[str, Operation] = field(default_factory=dict)
    submitted: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    tag_found: Mapping[str, bool] = field(default_factory=dict)
    canceled: frozenset[str] = frozenset()
    endpoint_error: str = ""
    cursor_synced_at: Instant | None = None
    cursor_sync_generation: int | None = None


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """Write this status, under the object's resourceVersion."""

    status: SummaryRuleStatus


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the append of a window whose intent is recorded; Kusto answers with an operation id."""

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
    """Write ``spec.backfill.start`` and the oldest running operation (None: none), at ``at``."""

    start: Instant
    operation_id: str | None
    at: Instant


@dataclass(frozen=True, slots=True)
class ReleaseFieldOwnership:
    """Remove the managers of the backfill's range, so that a server-side apply passes."""


@dataclass(frozen=True, slots=True)
class RemoveBackfill:
    """Remove ``spec.backfill``, and the finalizer in the same patch: the backfill is done."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add or remove the finalizer that delays a deletion until operations are cancelled."""

    present: bool


@dataclass(frozen=True, slots=True)
class RemoveAnnotations:
    """Remove retry and skip annotations that status has recorded."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Emit a Kubernetes Event on the rule."""

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
"""One side effect as plain data. Effects run in the order in which a plan lists them."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why something of the rule does not run now."""

    reason: BlockReason
    message: str


@dataclass(frozen=True, slots=True)
class RunningOperation:
    """An operation to poll, and how long the rule's operations take on average, if known."""

    database: str
    operation_id: str
    submitted_at: Instant | None
    average_duration: Duration | None = None


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The inputs that all planning steps share.

    Attributes:
        rule: the rule as stored.
        observed: what status does not hold yet.
        now: the time of this plan.
        settings: the worker's configuration.
        blocked: why nothing of the rule may be submitted, if so.
    """

    rule: SummaryRule
    observed: Observations
    now: Instant
    settings: PlannerSettings
    blocked: Blocked | None = None

    @property
    def stored(self) -> SummaryRuleStatus:
        """The rule's status; an empty one where it has none."""
        return self.rule.status or SummaryRuleStatus()

    @property
    def wanted(self) -> BackfillSpec | None:
        """The backfill that spec asks for."""
        return self.rule.spec.backfill

    @property
    def runs_schedule(self) -> bool:
        """Whether this worker runs interval windows at all."""
        return self.settings.mode == "all"

    def in_flight_windows(self, status: SummaryRuleStatus) -> tuple[WindowStatus, ...]:
        """The windows of this worker that are in flight, the schedule's first."""
        schedule = status.schedule if self.runs_schedule else None
        backfill = status.backfill
        return (
            *(schedule.in_flight if schedule else ()),
            *(backfill.in_flight if backfill else ()),
        )

    def running_operations(self, status: SummaryRuleStatus) -> tuple[RunningOperation, ...]:
        """The operations to poll, the schedule's first."""
        schedule = status.schedule if self.runs_schedule else None
        backfill = status.backfill
        return (
            *(self._running(schedule.in_flight, schedule.operation_time) if schedule else ()),
            *(self._running(backfill.in_flight, backfill.operation_time) if backfill else ()),
        )

    def _running(
        self, windows: tuple[WindowStatus, ...], average: Duration | None
    ) -> Iterator[RunningOperation]:
        for window in windows:
            if window.operation_id is not None:
                database = polling_database(window, self.rule, self.settings)
                yield RunningOperation(database, window.operation_id, window.submitted_at, average)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one rule now, and when to plan again.

    Attributes:
        writes: side effects that record the decision, in order: the finalizer, cancels, the
            status, annotations to remove, Events. Empty where status already says it all.
        context: the inputs of ``effects`` once the writes are stored; None where the rule has none
            (it is being deleted, belongs to another operator, or cannot be read).
        blocked: why something does not run; the rest goes on.
        running_operations: operations whose end the rule waits for.
        requeue_at: the earliest time at which the plan changes although nothing was observed.
        due_windows: interval windows that are due and were not taken before this plan.
        backfill: the backfill before this plan took windows, if it may run.
    """

    writes: tuple[Effect, ...] = ()
    context: PlanContext | None = None
    blocked: tuple[Blocked, ...] = ()
    running_operations: tuple[RunningOperation, ...] = ()
    requeue_at: Instant | None = None
    due_windows: WindowSequence | None = None
    backfill: BackfillStatus | None = None


def polling_database(window: WindowStatus, rule: SummaryRule, settings: PlannerSettings) -> str:
    """The database through which to ask about the window's operation.

    It is the database that the window was sent to, at the endpoint that it was sent to. If the
    worker no longer serves that pair, it is another database at the same endpoint, else the rule's.
    """
    own, recorded = window.database or rule.spec.database, window.endpoint
    if recorded is None or settings.endpoints.get(own) == recorded:
        return own
    same = (name for name, at in settings.endpoints.items() if at == recorded)
    return next(same, rule.spec.database)


def has_backfill_in_flight(status: SummaryRuleStatus) -> bool:
    """Whether a backfill has windows in flight: while it does, the rule has the finalizer."""
    return status.backfill is not None and bool(status.backfill.in_flight)
