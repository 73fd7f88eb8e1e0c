"""The execution of a window: from its recorded intent to its end.

Interval runs and backfills share it. A window is credited, retried or failed by its own record
(bounds, attempt, token, operation), not by the spec, which may have changed since.
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

    ``accepted`` are the windows in flight whose operation is new; ``retried`` is the number of new
    attempts; ``already_there`` is the number of done windows whose append Kusto skipped.
    """

    in_flight: tuple[WindowStatus, ...] = ()
    done: tuple[WindowStatus, ...] = ()
    failed: tuple[WindowStatus, ...] = ()
    retried: int = 0
    accepted: tuple[WindowStatus, ...] = field(default=())
    already_there: int = 0

    def with_window(self, window: WindowStatus, *, retried: int = 0) -> "WindowOutcomes":
        """With one more window that stays in flight."""
        return replace(self, in_flight=(*self.in_flight, window), retried=self.retried + retried)

    def with_failed(self, window: WindowStatus) -> "WindowOutcomes":
        """With one more window that failed for good."""
        return replace(self, failed=(*self.failed, window))


def apply_observations(context: PlanContext, in_flight: Iterable[WindowStatus]) -> WindowOutcomes:
    """Apply what was observed to each window."""
    outcomes = WindowOutcomes()
    for window in in_flight:
        apply = _apply_to_intent if window.operation_id is None else _apply_to_operation
        outcomes = apply(context, outcomes, window)
    return outcomes


def backoff_ends_at(context: PlanContext, window: WindowStatus) -> Instant:
    """When the back-off ends: it doubles from ``retry_base`` to ``retry_cap``, with jitter."""
    if window.submitted_at is None:
        return Instant(0)
    settings = context.settings
    doubled = settings.retry_base.ticks << min(max(window.attempt - 2, 0), 20)
    capped = min(doubled, settings.retry_cap.ticks)
    return window.submitted_at.plus(capped + capped * _jitter(window) // 512)


def is_prerecorded(window: WindowStatus, now: Instant) -> bool:
    """Whether the window is an intent recorded early, which cannot have been submitted.

    Its end decides, without ``ingestionDelay``, which may have been shorter at the submit.
    """
    return window.operation_id is None and window.submitted_at is None and window.end > now


def new_intent(context: PlanContext, window: Window, run: str | None = None) -> WindowStatus:
    """The record of a window before it is sent; ``run`` is that of ``window_token``."""
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=window_token(context.rule, window, run),
        write_mode="Replace" if context.rule.spec.replaces else None,
        **_target(context),
    )


def _target(context: PlanContext) -> dict[str, Any]:
    """The fields of a window's record that say where it goes, from the current spec."""
    spec = context.rule.spec
    endpoint = context.settings.endpoints.get(spec.database)
    return {"endpoint": endpoint, "database": spec.database, "table": spec.table}


def with_current_target(
    context: PlanContext, windows: Iterable[WindowStatus]
) -> tuple[WindowStatus, ...]:
    """The windows; those without an operation get the target of the current spec."""
    target = _target(context)
    return tuple(each if each.operation_id else _with_changes(each, **target) for each in windows)


def needs_tag_check(context: PlanContext, window: WindowStatus) -> bool:
    """Whether only the tags of the table can say how the operation ended."""
    return _has_unknown_end(context, window) and window.token not in context.observed.tag_found


def has_appended(context: PlanContext, window: WindowStatus) -> bool:
    """Whether the append of the window is known to have completed, or its tag is in the table."""
    operation = _operation(context, window)
    is_there = context.observed.tag_found.get(window.token, False)
    return (operation is not None and operation.outcome is Outcome.DONE) or (
        is_there and _has_unknown_end(context, window)
    )


def _has_unknown_end(context: PlanContext, window: WindowStatus) -> bool:
    """Whether the operation has no record that says whether its rows are in the table."""
    operation = _operation(context, window)
    if operation is None:
        return False
    is_missing = operation.outcome is Outcome.NOT_FOUND and not _is_recent(context, window)
    return is_missing or operation.outcome is Outcome.SKIPPED


def _operation(context: PlanContext, window: WindowStatus) -> Operation | None:
    return context.observed.operations.get(window.operation_id or "")


def truncate_error(text: str) -> str:
    """An error for status: one line of at most 256 bytes, like adx-mon's."""
    line = " ".join(text.split())
    if len(line.encode()) <= ERROR_LIMIT:
        return line
    return line.encode()[: ERROR_LIMIT - 3].decode(errors="ignore") + "…"


def _jitter(window: WindowStatus) -> int:
    """0 to 255, the same on each call."""
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
    # A throttled operation did not run: it counts as no attempt, but starts the back-off.
    attempt = window.attempt + (outcome is Outcome.RETRYABLE)
    return outcomes.with_window(_with_changes(ended, attempt=attempt, operation_id=None), retried=1)


def _apply_to_appended(
    context: PlanContext, outcomes: WindowOutcomes, window: WindowStatus
) -> WindowOutcomes:
    """The window is done; in mode Replace only when its older runs are dropped."""
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
