"""The execution of a window: from its recorded intent to its end.

The schedule and backfills use this module. The record of a window (bounds, attempt, token,
operation) decides whether the window is done, retried or failed. The current spec does not: it may
have changed after the window was recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from summaryrule.api.instant import Instant
from summaryrule.api.tokens import window_token
from summaryrule.api.v1 import WindowStatus
from summaryrule.api.windows import Window
from summaryrule.planner.types import Operation, Outcome, PlanContext

ERROR_LIMIT = 256
OUTCOME_UNKNOWN = "the rule changed before it was known whether the window was submitted"


@dataclass(frozen=True, slots=True)
class WindowOutcomes:
    """The windows that are still in flight, and those that are done or failed permanently.

    Attributes:
        in_flight: the windows that are still in flight.
        done: the windows that are done.
        failed: the windows that failed permanently.
        retried: the number of windows that get another attempt.
        accepted: the windows of ``in_flight`` whose operation id is recorded now.
        already_there: the number of windows of ``done`` whose append Kusto ignored, because the
            table already had the token.
    """

    in_flight: tuple[WindowStatus, ...] = ()
    done: tuple[WindowStatus, ...] = ()
    failed: tuple[WindowStatus, ...] = ()
    retried: int = 0
    accepted: tuple[WindowStatus, ...] = field(default=())
    already_there: int = 0

    def with_window(self, window: WindowStatus, *, retried: int = 0) -> "WindowOutcomes":
        """Return a copy with one more window in flight."""
        return replace(self, in_flight=(*self.in_flight, window), retried=self.retried + retried)

    def with_failed(self, window: WindowStatus) -> "WindowOutcomes":
        """Return a copy with one more window that failed permanently."""
        return replace(self, failed=(*self.failed, window))


def apply_observations(context: PlanContext, in_flight: Iterable[WindowStatus]) -> WindowOutcomes:
    """Update each window in flight with the observations about it."""
    outcomes = WindowOutcomes()
    for window in in_flight:
        apply = _apply_to_intent if window.operation_id is None else _apply_to_operation
        outcomes = apply(context, outcomes, window)
    return outcomes


def backoff_ends_at(context: PlanContext, window: WindowStatus) -> Instant:
    """Return the earliest time of the next attempt.

    The delay before the second attempt is ``retry_base``. It doubles with each further attempt, up
    to ``retry_cap``. Jitter adds less than 50 %.
    """
    if window.submitted_at is None:
        return Instant(0)
    settings = context.settings
    doubled = settings.retry_base.ticks << min(max(window.attempt - 2, 0), 20)
    capped = min(doubled, settings.retry_cap.ticks)
    return window.submitted_at.plus(capped + capped * _jitter(window) // 512)


def is_prerecorded(window: WindowStatus, now: Instant) -> bool:
    """Return whether the window is an intent that was certainly not submitted yet.

    The worker can record an intent before the window is due, but it submits no window before
    ``window.end``. This function does not compare ``now`` with the due time, ``window.end`` plus
    ``ingestionDelay``. If a user increases the delay after the window was submitted, the due time
    can be in the future again.
    """
    return window.operation_id is None and window.submitted_at is None and window.end > now


def new_intent(context: PlanContext, window: Window, run: str | None = None) -> WindowStatus:
    """Return the record of a window that is not sent yet.

    ``window_token`` includes ``run`` in the token. The schedule passes no ``run``. A backfill
    passes its requestId, or in mode Replace its request key.
    """
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=window_token(context.rule, window, run),
        write_mode="Replace" if context.rule.spec.replaces else None,
        **_target(context),
    )


def _target(context: PlanContext) -> dict[str, Any]:
    """Return the endpoint, database and table for a window, from the current spec."""
    spec = context.rule.spec
    endpoint = context.settings.endpoints.get(spec.database)
    return {"endpoint": endpoint, "database": spec.database, "table": spec.table}


def with_current_target(
    context: PlanContext, windows: Iterable[WindowStatus]
) -> tuple[WindowStatus, ...]:
    """Return the windows; those that have no operation get the target of the current spec."""
    target = _target(context)
    return tuple(each if each.operation_id else _with_changes(each, **target) for each in windows)


def needs_tag_check(context: PlanContext, window: WindowStatus) -> bool:
    """Return whether the table's tags must still be read to know how the operation ended."""
    return _has_unknown_end(context, window) and window.token not in context.observed.tag_found


def has_appended(context: PlanContext, window: WindowStatus) -> bool:
    """Return whether the append of the window is complete.

    Its operation is Completed, or the end of the operation is unknown and the table has the
    window's tag.
    """
    operation = _operation(context, window)
    is_there = context.observed.tag_found.get(window.token, False)
    return (operation is not None and operation.outcome is Outcome.DONE) or (
        is_there and _has_unknown_end(context, window)
    )


def _has_unknown_end(context: PlanContext, window: WindowStatus) -> bool:
    """Return whether only the table's tags can tell if the rows of the window are in the table.

    This is so if the state of the operation is Skipped. It is also so if Kusto has no record of the
    operation although ``operation_log_delay`` has passed.
    """
    operation = _operation(context, window)
    if operation is None:
        return False
    is_missing = operation.outcome is Outcome.NOT_FOUND and not _is_recent(context, window)
    return is_missing or operation.outcome is Outcome.SKIPPED


def _operation(context: PlanContext, window: WindowStatus) -> Operation | None:
    return context.observed.operations.get(window.operation_id or "")


def truncate_error(text: str) -> str:
    """Return ``text`` as one line of at most 256 bytes, for status. adx-mon has the same limit."""
    line = " ".join(text.split())
    if len(line.encode()) <= ERROR_LIMIT:
        return line
    return line.encode()[: ERROR_LIMIT - 3].decode(errors="ignore") + "…"


def _jitter(window: WindowStatus) -> int:
    """Return a number from 0 to 255 that depends only on the window's token."""
    return int(window.token[:2] or "0", 16)


def _is_recent(context: PlanContext, window: WindowStatus) -> bool:
    since, delay = window.submitted_at, context.settings.operation_log_delay
    return since is not None and context.now < since.plus(delay.ticks)


def _apply_to_intent(
    context: PlanContext, outcomes: WindowOutcomes, window: WindowStatus
) -> WindowOutcomes:
    now, submitted, rejected = context.now, context.observed.submitted, context.counted.rejected
    if window.token in submitted:
        operation_id = submitted[window.token]
        accepted = _with_changes(window, operation_id=operation_id, submitted_at=now)
        return replace(outcomes.with_window(accepted), accepted=(*outcomes.accepted, accepted))
    if window.token in rejected:
        error = truncate_error(rejected[window.token])
        return outcomes.with_failed(_with_changes(window, error=error, submitted_at=now))
    return outcomes.with_window(window)


def _apply_to_operation(
    context: PlanContext, outcomes: WindowOutcomes, window: WindowStatus
) -> WindowOutcomes:
    if has_appended(context, window):
        return _apply_to_appended(context, outcomes, window)
    operation = _operation(context, window)
    outcome = operation.outcome if operation is not None else Outcome.RUNNING
    is_checked = window.token in context.observed.tag_found
    if outcome is Outcome.NOT_FOUND and is_checked and not _is_recent(context, window):
        again = _with_changes(window, operation_id=None, submitted_at=None)
        return outcomes.with_window(again, retried=1)
    is_open = outcome in {Outcome.NOT_FOUND, Outcome.RUNNING}
    if operation is None or is_open or (outcome is Outcome.SKIPPED and not is_checked):
        return outcomes.with_window(window)
    may_retry = outcome is Outcome.THROTTLED or (
        outcome is Outcome.RETRYABLE and window.attempt < context.settings.max_attempts
    )
    error = truncate_error(operation.failure_message)
    ended = _with_changes(window, error=error, submitted_at=context.now)
    if not may_retry:
        return outcomes.with_failed(ended)
    # A throttled operation did not run. The attempt number stays, but the back-off applies.
    attempt = window.attempt + (outcome is Outcome.RETRYABLE)
    return outcomes.with_window(_with_changes(ended, attempt=attempt, operation_id=None), retried=1)


def _apply_to_appended(
    context: PlanContext, outcomes: WindowOutcomes, window: WindowStatus
) -> WindowOutcomes:
    """Mark the window as done.

    In mode Replace, the window first stays in flight until the extents of its earlier runs are
    dropped. If Kusto rejected the drop, the window fails.
    """
    rejected = context.counted.rejected
    if window.replaces and window.token in rejected:
        error = truncate_error(rejected[window.token])
        return outcomes.with_failed(_with_changes(window, error=error))
    if window.replaces and window.token not in context.observed.replaced:
        return outcomes.with_window(window)
    operation = _operation(context, window)
    is_repeat = operation is not None and operation.outcome is Outcome.SKIPPED
    there = outcomes.already_there + (is_repeat and not window.replaces)
    return replace(outcomes, done=(*outcomes.done, window), already_there=there)


def _with_changes(window: WindowStatus, **changes: object) -> WindowStatus:
    return window.model_copy(update=changes)
