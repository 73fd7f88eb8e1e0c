"""The inputs and the results of planning, as plain data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, Literal, NamedTuple

from summaryrule.api.backfill_request import find_in_history, is_completed, request_identity
from summaryrule.api.block_reason import BlockReason
from summaryrule.api.constants import DESIRED_OWNER_ANNOTATION, OPERATOR_NAME
from summaryrule.api.duration import NANOSECONDS_PER_SECOND, Duration
from summaryrule.api.instant import Instant
from summaryrule.api.ownership import Ownership
from summaryrule.api.v1 import (
    BackfillSpec,
    BackfillStatus,
    ReplaceStatus,
    SummaryRule,
    SummaryRuleStatus,
    WindowStatus,
)
from summaryrule.api.windows import WindowSequence
from summaryrule.window_command import RunTag


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """The part of the worker's configuration on which decisions depend.

    Attributes:
        endpoints: the Kusto endpoint of each database.
        labels: the cluster labels, for criteria and KQL bodies.
        ownership: which rules this worker runs.
        interval_in_flight: the maximum of interval windows of one rule in flight.
        failed_limit: the number of failed interval windows of one rule that stops new ones.
        max_attempts: the attempts after which a window fails permanently.
        retry_base, retry_cap: the first and the longest delay before the next attempt.
        operation_log_delay: how long Kusto may take to list an operation in ``.show operations``.
        cancel_timeout: how long a deleted rule waits for its operations to end.
        prerecord_horizon: an intent may be recorded this long before its window is due.
        cursor_sync_after: an operation that has run this long is written to ``spec.backfill``.
        cursor_sync_lag: the number of windows after which the cursor is written to
            ``spec.backfill`` even if no operation has run so long.
        cursor_sync_interval: the shortest time between two such writes to one rule. For a moment
            after each write, a server-side apply conflicts.
        checks_queries: whether the endpoint is asked if queries are valid.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ownership: Ownership = field(default_factory=Ownership)
    interval_in_flight: int = 4
    failed_limit: int = 48
    max_attempts: int = 5
    retry_base: Duration = Duration(5 * NANOSECONDS_PER_SECOND)
    retry_cap: Duration = Duration(300 * NANOSECONDS_PER_SECOND)
    operation_log_delay: Duration = Duration(120 * NANOSECONDS_PER_SECOND)
    cancel_timeout: Duration = Duration(60 * NANOSECONDS_PER_SECOND)
    prerecord_horizon: Duration = Duration(900 * NANOSECONDS_PER_SECOND)
    cursor_sync_after: Duration = Duration(2 * NANOSECONDS_PER_SECOND)
    cursor_sync_lag: int = 8
    cursor_sync_interval: Duration = Duration(5 * NANOSECONDS_PER_SECOND)
    checks_queries: bool = True


class Outcome(Enum):
    """The meaning of an operation's state for its window."""

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

    ``state`` is ``NotFound`` if there is no record. ``status`` is one sentence. ``duration`` is the
    time from the start to the last update.
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
        """The meaning of the state (Kusto docs, ".show operations")."""
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
    # A repeat of a token ends like this too: the tags of the table say whether its data is there.
    "Skipped": Outcome.SKIPPED,
}


class Column(NamedTuple):
    """A column of a query's result or of a table; ``type`` is a scalar type of KQL."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class QueryCheck:
    """Ask the endpoint whether a rule's query is valid, and for its columns and the table's.

    Attributes:
        key: the hash of all that the answer depends on.
        query: the body with its ``let`` lines, as a window has it.
        body: the body as it is in spec.
        body_line: the line of ``query``, from 1, in which the code of the body begins.
        is_repeat: whether the status has an answer for the key already.
    """

    key: str
    database: str
    table: str
    query: str
    body: str
    body_line: int
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The answer to the check with this key, as in the condition ``QueryValid``."""

    key: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observations:
    """Answers of Kusto and of the API server that are not in status yet.

    Attributes:
        operations: by operation id, as last polled.
        submitted: by token, the operation id that a submit returned.
        rejected: by token, why Kusto rejected a submit, or the drop of older runs, permanently.
        replaced: the tokens of windows in mode Replace whose older runs are dropped.
        tag_found: by token, whether the table has an extent with that ingest-by tag.
        ingest_tags: by request key of a backfill, the ingest-by tags that its table has.
        tags_dropped_before: drop-by tags of windows before it were removed.
        canceled: operation ids whose cancellation was requested.
        endpoint_error: why the last submits got no usable answer; empty after a usable one.
        cursor_synced_at: when this worker last updated the rule's cursor in spec.
        cursor_sync_generation: the generation that this update gave the rule.
        query_answer: the newest answer about the rule's query.
    """

    operations: Mapping[str, Operation] = field(default_factory=dict)
    submitted: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()
    tag_found: Mapping[str, bool] = field(default_factory=dict)
    ingest_tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tags_dropped_before: Instant | None = None
    canceled: frozenset[str] = frozenset()
    endpoint_error: str = ""
    cursor_synced_at: Instant | None = None
    cursor_sync_generation: int | None = None
    query_answer: QueryAnswer | None = None


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """Write this status, if the object's resourceVersion is unchanged."""

    status: SummaryRuleStatus


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the append of a window whose intent is recorded; Kusto returns an operation id."""

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
class FindIngestTags:
    """Ask for the ingest-by tags of a table's extents that are not older than ``since``.

    The creation time of an extent is the end of its window. ``request_key`` is that of the backfill
    whose windows are looked up.
    """

    request_key: str
    database: str
    table: str
    since: Instant


@dataclass(frozen=True, slots=True)
class DropOlderRuns:
    """Drop the extents of each run of a window but the one with this tag."""

    window: WindowStatus
    database: str
    table: str
    tag: RunTag


@dataclass(frozen=True, slots=True)
class DropOldTags:
    """Remove the drop-by tags with this prefix of windows that start before ``before``."""

    database: str
    table: str
    prefix: str
    before: Instant


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an operation; it may still complete."""

    database: str
    operation_id: str


@dataclass(frozen=True, slots=True)
class UpdateSpecCursor:
    """Write ``spec.backfill.start`` and ``operationId`` (None: remove it), decided at ``at``."""

    start: Instant
    operation_id: str | None
    at: Instant


@dataclass(frozen=True, slots=True)
class ReleaseFieldOwnership:
    """Remove field managers from the backfill's range, so that a server-side apply succeeds."""


@dataclass(frozen=True, slots=True)
class RemoveBackfill:
    """Remove ``spec.backfill`` and the finalizer in one patch, because the backfill has ended."""


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add or remove the finalizer that delays a deletion until operations are cancelled."""

    present: bool


@dataclass(frozen=True, slots=True)
class SetOwner:
    """Set the owner annotation and remove the one that asks for a change of owner."""

    owner: str


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


KustoRequest = Submit | CheckIngestTag | FindIngestTags | DropOlderRuns | DropOldTags | Cancel
RuleWrite = (
    RecordStatus
    | UpdateSpecCursor
    | ReleaseFieldOwnership
    | RemoveBackfill
    | SetFinalizer
    | RemoveAnnotations
    | SetOwner
)
Effect = KustoRequest | RuleWrite | EmitEvent
"""One side effect as plain data. Effects run in the order in which a plan lists them."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why the rule, or a part of it, does not run now."""

    reason: BlockReason
    message: str

    @classmethod
    def because(cls, reason: BlockReason, **values: object) -> "Blocked":
        """A reason with its message (``BlockReason.message``)."""
        return cls(reason, reason.message(**values))

    def as_json(self) -> dict[str, str]:
        """The reason and the message, as plans print them."""
        return {"reason": self.reason.value, "message": self.message}


@dataclass(frozen=True, slots=True)
class RunningOperation:
    """An operation to poll; ``average_duration`` is that of the rule's operations, if known."""

    database: str
    operation_id: str
    submitted_at: Instant | None
    average_duration: Duration | None = None


@dataclass(frozen=True, slots=True)
class PlanContext:
    """The inputs that all planning steps share.

    Attributes:
        rule: the rule as stored.
        observed: what is not in status yet.
        now: the time of this plan.
        settings: the worker's configuration.
        blocked: why no window of the rule may be submitted; None if windows may be.
        replace: what the rule can replace; None in mode Append.
        query_answer: the answer about the query as it is now; None if there is none.
        query_check: what to ask about the query; None if there is nothing to ask.
    """

    rule: SummaryRule
    observed: Observations
    now: Instant
    settings: PlannerSettings
    blocked: Blocked | None = None
    replace: ReplaceStatus | None = None
    query_answer: QueryAnswer | None = None
    query_check: QueryCheck | None = None

    @property
    def stored(self) -> SummaryRuleStatus:
        """The rule's status; an empty one if it has none."""
        return self.rule.status or SummaryRuleStatus()

    @property
    def requested(self) -> BackfillSpec | None:
        """``spec.backfill``; one in adx-mon's form only if history has it as done."""
        theirs, interval = self.rule.spec.upstream_backfill, self.rule.spec.interval
        if theirs is None or theirs.start is None or theirs.end is None:
            return self.rule.spec.backfill
        request = request_identity(theirs.start, interval, theirs.request_id)
        if is_completed(find_in_history(self.stored.backfill_history, request), theirs.end):
            return BackfillSpec(
                start=theirs.start, end=theirs.end, request_id=theirs.request_id or None
            )
        return None

    @property
    def next_owner(self) -> str:
        """The other owner that the rule is to get; empty if it stays ours."""
        desired = self.rule.metadata.annotations.get(DESIRED_OWNER_ANNOTATION, "")
        return "" if desired == OPERATOR_NAME else desired

    @property
    def is_handed_over(self) -> bool:
        """Whether no new interval window may start, so that the rule gets its next owner."""
        spec = self.rule.spec
        return bool(self.next_owner) and spec.backfill is None and spec.upstream_backfill is None

    @property
    def counted(self) -> Observations:
        """The observations that windows count.

        Kusto rejects every window of an invalid query. While the query is invalid, or is not
        checked yet, no window fails for that.
        """
        if self.is_unchecked or self.is_query_invalid:
            return replace(self.observed, rejected={})
        return self.observed

    @property
    def is_query_invalid(self) -> bool:
        """Whether Kusto refuses the query as it is now."""
        return self.query_answer is not None and self.query_answer.status == "False"

    @property
    def is_unchecked(self) -> bool:
        """Whether the endpoint was not asked about the query yet, or has not answered."""
        return self.query_answer is None and self.query_check is not None

    def in_flight_windows(self, status: SummaryRuleStatus) -> tuple[WindowStatus, ...]:
        """The windows of this worker that are in flight, the schedule's first."""
        schedule, backfill = status.schedule, status.backfill
        return (
            *(schedule.in_flight if schedule else ()),
            *(backfill.in_flight if backfill else ()),
        )

    def running_operations(self, status: SummaryRuleStatus) -> tuple[RunningOperation, ...]:
        """The operations in flight, the schedule's first."""
        schedule, backfill = status.schedule, status.backfill
        return (
            *(self._running(schedule.in_flight, schedule.operation_time) if schedule else ()),
            *(self._running(backfill.in_flight, backfill.operation_time) if backfill else ()),
        )

    def _running(
        self, windows: tuple[WindowStatus, ...], average: Duration | None
    ) -> Iterator[RunningOperation]:
        for window in windows:
            if window.operation_id is not None:
                database = self.polling_database(window)
                yield RunningOperation(database, window.operation_id, window.submitted_at, average)

    def polling_database(self, window: WindowStatus) -> str:
        """The database through which to poll the window's operation.

        It is the database that the window was sent to. If the worker has another endpoint for that
        database now, it is another database at the old endpoint, else the rule's database.
        """
        endpoints, recorded = self.settings.endpoints, window.endpoint
        database = window.database or self.rule.spec.database
        if recorded is None or endpoints.get(database) == recorded:
            return database
        same = (name for name, endpoint in endpoints.items() if endpoint == recorded)
        return next(same, self.rule.spec.database)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for one rule now, and when to plan again.

    Attributes:
        writes: the writes that record the decision, in order: the finalizer, cancels, the status,
            annotations to remove, Events. Empty if everything is recorded.
        context: the inputs of ``effects`` after the writes; None if the rule has no effects (it is
            being deleted, belongs to another operator, or cannot be read).
        blocked: why the rule, or parts of it, do not run.
        running_operations: the operations to poll.
        requeue_at: the earliest time at which the plan changes without a new observation.
        due_windows: the interval windows that are due and had no intent before this plan.
        backfill: the backfill before this plan recorded intents; None if it may not run.
        query_check: what to ask the endpoint about the rule's query; None: nothing.
    """

    writes: tuple[Effect, ...] = ()
    context: PlanContext | None = None
    blocked: tuple[Blocked, ...] = ()
    running_operations: tuple[RunningOperation, ...] = ()
    requeue_at: Instant | None = None
    due_windows: WindowSequence | None = None
    backfill: BackfillStatus | None = None
    query_check: QueryCheck | None = None


def has_backfill_in_flight(status: SummaryRuleStatus) -> bool:
    """Whether a backfill has windows in flight; while it has, the rule has the finalizer."""
    return status.backfill is not None and bool(status.backfill.in_flight)
