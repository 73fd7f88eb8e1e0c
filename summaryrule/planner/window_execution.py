"""The execution of a window: from its recorded intent to its end.

Interval runs and backfills share it. A window is credited, retried or failed by its own record
(bounds, attempt, token, operation), not by the spec, which may have changed since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from summaryrule.api.backfill_request import window_token
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule, WindowStatus
from summaryrule.api.windows import Window
from summaryrule.planner.types import (
    CheckIngestTag,
    Observations,
    Outcome,
    PlannerSettings,
    polling_database,
)

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


def apply_observations(
    in_flight: Iterable[WindowStatus],
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    """Apply what was observed to each window."""
    outcomes = WindowOutcomes()
    for window in in_flight:
        outcomes = (
            _apply_to_intent(outcomes, window, observed, now)
            if window.operation_id is None
            else _apply_to_operation(outcomes, window, observed, now, settings)
        )
    return outcomes


def backoff_ends_at(window: WindowStatus, settings: PlannerSettings) -> Instant:
    """When the back-off ends: it doubles from ``retry_base`` to ``retry_cap``, with jitter."""
    if window.submitted_at is None:
        return Instant(0)
    doubled = settings.retry_base.ticks << min(max(window.attempt - 2, 0), 20)
    capped = min(doubled, settings.retry_cap.ticks)
    return window.submitted_at.plus(capped + capped * _jitter(window) // 512)


def is_prerecorded(window: WindowStatus, now: Instant) -> bool:
    """Whether the window is an intent recorded early, which cannot have been submitted.

    Its end decides, without ``ingestionDelay``, which may have been shorter at the submit.
    """
    return window.operation_id is None and window.submitted_at is None and window.end > now


def new_intent(
    rule: SummaryRule, window: Window, settings: PlannerSettings, run: str | None = None
) -> WindowStatus:
    """The record of a window before it is sent; ``run`` is that of ``window_token``."""
    return WindowStatus(
        start=window.start,
        end=window.end,
        token=window_token(rule, window, run),
        write_mode="Replace" if rule.spec.replaces else None,
        **target_of(rule, settings),
    )


def target_of(rule: SummaryRule, settings: PlannerSettings) -> dict[str, Any]:
    """The fields of a window's record that say where it goes, from the current spec."""
    spec = rule.spec
    endpoint = settings.endpoints.get(spec.database)
    return {"endpoint": endpoint, "database": spec.database, "table": spec.table}


def with_current_target(
    windows: Iterable[WindowStatus], rule: SummaryRule, settings: PlannerSettings
) -> tuple[WindowStatus, ...]:
    """The windows; those without an operation get the target of the current spec."""
    target = target_of(rule, settings)
    return tuple(each if each.operation_id else _with_changes(each, **target) for each in windows)


def ingest_tag_check(
    window: WindowStatus, rule: SummaryRule, settings: PlannerSettings
) -> CheckIngestTag:
    """The check for the window's tag in the table that it was sent to."""
    database = polling_database(window, rule, settings)
    return CheckIngestTag(database, window.table or rule.spec.table, window.token)


def needs_tag_check(
    window: WindowStatus, observed: Observations, now: Instant, settings: PlannerSettings
) -> bool:
    """Whether only the tags of the table can say how the operation ended."""
    operation = observed.operations.get(window.operation_id or "")
    if operation is None or window.token in observed.tag_found:
        return False
    has_no_record = operation.outcome is Outcome.NOT_FOUND and not _is_recent(window, now, settings)
    return has_no_record or operation.outcome is Outcome.SKIPPED


def has_appended(
    window: WindowStatus, observed: Observations, now: Instant, settings: PlannerSettings
) -> bool:
    """Whether the append of the window is known to have completed, or its tag is in the table."""
    operation = observed.operations.get(window.operation_id or "")
    if operation is None or operation.outcome is Outcome.DONE:
        return operation is not None
    is_there = observed.tag_found.get(window.token, False)
    is_missing = operation.outcome is Outcome.NOT_FOUND and not _is_recent(window, now, settings)
    return is_there and (is_missing or operation.outcome is Outcome.SKIPPED)


def truncate_error(text: str) -> str:
    """An error for status: one line of at most 256 bytes, like adx-mon's."""
    line = " ".join(text.split())
    if len(line.encode()) <= ERROR_LIMIT:
        return line
    return line.encode()[: ERROR_LIMIT - 3].decode(errors="ignore") + "…"


def _jitter(window: WindowStatus) -> int:
    """0 to 255, the same on each call."""
    return int(window.token[:2] or "0", 16)


def _is_recent(window: WindowStatus, now: Instant, settings: PlannerSettings) -> bool:
    since = window.submitted_at
    return since is not None and now < since.plus(settings.operation_log_delay.ticks)


def _apply_to_intent(
    outcomes: WindowOutcomes, window: WindowStatus, observed: Observations, now: Instant
) -> WindowOutcomes:
    if window.token in observed.submitted:
        operation_id = observed.submitted[window.token]
        accepted = _with_changes(window, operation_id=operation_id, submitted_at=now)
        return replace(outcomes.with_window(accepted), accepted=(*outcomes.accepted, accepted))
    if window.token in observed.rejected:
        failed = _with_changes(
            window, error=truncate_error(observed.rejected[window.token]), submitted_at=now
        )
        return replace(outcomes, failed=(*outcomes.failed, failed))
    return outcomes.with_window(window)


def _apply_to_operation(
    outcomes: WindowOutcomes,
    window: WindowStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    if has_appended(window, observed, now, settings):
        return _apply_to_appended(outcomes, window, observed)
    operation = observed.operations.get(window.operation_id or "")
    outcome = operation.outcome if operation is not None else Outcome.RUNNING
    if outcome is Outcome.NOT_FOUND:
        return _apply_to_missing(outcomes, window, observed, now, settings)
    is_unchecked = outcome is Outcome.SKIPPED and window.token not in observed.tag_found
    if operation is None or outcome is Outcome.RUNNING or is_unchecked:
        return outcomes.with_window(window)
    may_retry = outcome is Outcome.THROTTLED or (
        outcome is Outcome.RETRYABLE and window.attempt < settings.max_attempts
    )
    ended = _with_changes(window, error=truncate_error(operation.failure_message), submitted_at=now)
    if not may_retry:
        return replace(outcomes, failed=(*outcomes.failed, ended))
    # A throttled operation did not run: it counts as no attempt, but starts the back-off.
    attempt = window.attempt + (outcome is Outcome.RETRYABLE)
    return outcomes.with_window(_with_changes(ended, attempt=attempt, operation_id=None), retried=1)


def _apply_to_appended(
    outcomes: WindowOutcomes, window: WindowStatus, observed: Observations
) -> WindowOutcomes:
    """The window is done; in mode Replace only when its older runs are dropped."""
    if window.replaces and window.token in observed.rejected:
        error = truncate_error(observed.rejected[window.token])
        return replace(outcomes, failed=(*outcomes.failed, _with_changes(window, error=error)))
    if window.replaces and window.token not in observed.replaced:
        return outcomes.with_window(window)
    operation = observed.operations.get(window.operation_id or "")
    is_repeat = operation is not None and operation.outcome is Outcome.SKIPPED
    there = outcomes.already_there + (is_repeat and not window.replaces)
    return replace(outcomes, done=(*outcomes.done, window), already_there=there)


def _apply_to_missing(
    outcomes: WindowOutcomes,
    window: WindowStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    if _is_recent(window, now, settings) or window.token not in observed.tag_found:
        return outcomes.with_window(window)
    return outcomes.with_window(
        _with_changes(window, operation_id=None, submitted_at=None), retried=1
    )


def _with_changes(window: WindowStatus, **changes: object) -> WindowStatus:
    return window.model_copy(update=changes)
