"""Windows in flight: what becomes of each, from its recorded intent to its end.

Interval runs and backfill share this: a window is credited, retried or failed by what its own
record says (bounds, attempt, token, operation), never by what the spec says now (design,
sections 7 and 8).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from summaryrule.api.instant import Instant
from summaryrule.api.v1 import SummaryRule, WindowStatus
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
    """The windows that are still in flight, and those that left it."""

    in_flight: tuple[WindowStatus, ...] = ()
    done: tuple[WindowStatus, ...] = ()
    failed: tuple[WindowStatus, ...] = ()
    retried: int = 0
    accepted: tuple[WindowStatus, ...] = field(default=())

    def with_window(self, window: WindowStatus, *, retried: int = 0) -> "WindowOutcomes":
        """With one more window that stays in flight."""
        return replace(self, in_flight=(*self.in_flight, window), retried=self.retried + retried)


def apply_observations(
    in_flight: Iterable[WindowStatus],
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    """Apply what was observed to each window's record."""
    settled = WindowOutcomes()
    for window in in_flight:
        settled = (
            _apply_to_intent(settled, window, observed, now)
            if window.operation_id is None
            else _apply_to_operation(settled, window, observed, now, settings)
        )
    return settled


def backoff_ends_at(window: WindowStatus, settings: PlannerSettings) -> Instant:
    """When its back-off ends: doubling from ``retry_base`` to ``retry_cap``, spread by token."""
    if window.submitted_at is None:
        return Instant(0)
    doubled = settings.retry_base.ticks << min(max(window.attempt - 2, 0), 20)
    capped = min(doubled, settings.retry_cap.ticks)
    return window.submitted_at.plus(capped + capped * _jitter(window) // 512)


def is_prerecorded(window: WindowStatus, now: Instant) -> bool:
    """Whether it is an intent that was recorded before its time, and so has not been sent.

    Its end decides, not ``ingestionDelay``: that may have been shorter when it was sent.
    """
    return window.operation_id is None and window.submitted_at is None and window.end > now


def target_of(rule: SummaryRule, settings: PlannerSettings) -> dict[str, Any]:
    """Where a window goes that is submitted now, as its record says it."""
    spec = rule.spec
    endpoint = settings.endpoints.get(spec.database)
    return {"endpoint": endpoint, "database": spec.database, "table": spec.table}


def with_current_target(
    windows: Iterable[WindowStatus], rule: SummaryRule, settings: PlannerSettings
) -> tuple[WindowStatus, ...]:
    """The windows, with intents that have no operation yet on their way to the spec of now."""
    to = target_of(rule, settings)
    return tuple(each if each.operation_id else _with_changes(each, **to) for each in windows)


def ingest_tag_check(
    window: WindowStatus, rule: SummaryRule, settings: PlannerSettings
) -> CheckIngestTag:
    """The question for the window's tag, to the table it was sent to, whatever spec says now."""
    where = polling_database(window, rule, settings)
    return CheckIngestTag(where, window.table or rule.spec.table, window.token)


def needs_tag_check(
    window: WindowStatus, observed: Observations, now: Instant, settings: PlannerSettings
) -> bool:
    """Whether only the table's extent tags can tell what became of its operation."""
    operation = observed.operations.get(window.operation_id or "")
    if operation is None or window.token in observed.tag_found:
        return False
    is_lost = operation.outcome is Outcome.NOT_FOUND and not _is_recent(window, now, settings)
    return is_lost or operation.outcome is Outcome.SKIPPED


def _jitter(window: WindowStatus) -> int:
    return int(window.token[:2] or "0", 16)


def _is_recent(window: WindowStatus, now: Instant, settings: PlannerSettings) -> bool:
    since = window.submitted_at
    return since is not None and now < since.plus(settings.operation_log_delay.ticks)


def _apply_to_intent(
    settled: WindowOutcomes, window: WindowStatus, observed: Observations, now: Instant
) -> WindowOutcomes:
    if window.token in observed.submitted:
        operation_id = observed.submitted[window.token]
        accepted = _with_changes(window, operation_id=operation_id, submitted_at=now)
        return replace(settled.with_window(accepted), accepted=(*settled.accepted, accepted))
    if window.token in observed.rejected:
        failed = _with_changes(
            window, error=truncate_error(observed.rejected[window.token]), submitted_at=now
        )
        return replace(settled, failed=(*settled.failed, failed))
    return settled.with_window(window)


def _apply_to_operation(
    settled: WindowOutcomes,
    window: WindowStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    operation = observed.operations.get(window.operation_id or "")
    outcome = operation.outcome if operation is not None else Outcome.RUNNING
    if outcome is Outcome.NOT_FOUND:
        return _apply_to_missing(settled, window, observed, now, settings)
    asks = outcome is Outcome.SKIPPED and window.token not in observed.tag_found
    if operation is None or outcome is Outcome.RUNNING or asks:
        return settled.with_window(window)
    if outcome is Outcome.DONE or (outcome is Outcome.SKIPPED and observed.tag_found[window.token]):
        return replace(settled, done=(*settled.done, window))
    may_retry = outcome is Outcome.THROTTLED or (
        outcome is Outcome.RETRYABLE and window.attempt < settings.max_attempts
    )
    ended = _with_changes(window, error=truncate_error(operation.failure_message), submitted_at=now)
    if not may_retry:
        return replace(settled, failed=(*settled.failed, ended))
    # A throttled operation never ran: it costs the window no attempt, only its back-off.
    attempt = window.attempt + (outcome is Outcome.RETRYABLE)
    return settled.with_window(_with_changes(ended, attempt=attempt, operation_id=None), retried=1)


def _apply_to_missing(
    settled: WindowOutcomes,
    window: WindowStatus,
    observed: Observations,
    now: Instant,
    settings: PlannerSettings,
) -> WindowOutcomes:
    if _is_recent(window, now, settings) or window.token not in observed.tag_found:
        return settled.with_window(window)
    if observed.tag_found[window.token]:
        return replace(settled, done=(*settled.done, window))
    return settled.with_window(
        _with_changes(window, operation_id=None, submitted_at=None), retried=1
    )


def _with_changes(window: WindowStatus, **changes: object) -> WindowStatus:
    return window.model_copy(update=changes)


def truncate_error(text: str) -> str:
    """An error as status holds it: one line of at most 256 bytes, as upstream cuts it."""
    line = " ".join(text.split())
    if len(line.encode()) <= ERROR_LIMIT:
        return line
    return line.encode()[: ERROR_LIMIT - 3].decode(errors="ignore") + "…"
