"""Windows in flight: what becomes of each, from its recorded intent to its end.

Interval runs and backfill share this: a window is credited, retried or failed by what its own
record says (bounds, attempt, token, operation), never by what the spec says now (design,
sections 7 and 8).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from summaryrule.actions import LookUpTag
from summaryrule.instant import Instant
from summaryrule.observed import Observed, Outcome
from summaryrule.settings import Settings
from summaryrule.v1 import SummaryRule, WindowStatus

ERROR_LIMIT = 256
UNANSWERED = "the rule changed before it was known whether the window was submitted"


@dataclass(frozen=True, slots=True)
class Settled:
    """The windows that are still in flight, and those that left it."""

    flying: tuple[WindowStatus, ...] = ()
    done: tuple[WindowStatus, ...] = ()
    failed: tuple[WindowStatus, ...] = ()
    retried: int = 0
    accepted: tuple[WindowStatus, ...] = field(default=())

    def with_window(self, window: WindowStatus, *, retried: int = 0) -> "Settled":
        """With one more window that stays in flight."""
        return replace(self, flying=(*self.flying, window), retried=self.retried + retried)


def settle(
    in_flight: Iterable[WindowStatus], observed: Observed, now: Instant, settings: Settings
) -> Settled:
    """Apply what was observed to each window's record."""
    settled = Settled()
    for window in in_flight:
        settled = (
            _settle_intent(settled, window, observed, now)
            if window.operation_id is None
            else _settle_operation(settled, window, observed, now, settings)
        )
    return settled


def ready_at(window: WindowStatus, settings: Settings) -> Instant:
    """When its back-off ends: doubling from ``retry_base`` to ``retry_cap``, spread by token."""
    if window.submitted_at is None:
        return Instant(0)
    doubled = settings.retry_base.ticks << min(max(window.attempt - 2, 0), 20)
    capped = min(doubled, settings.retry_cap.ticks)
    return window.submitted_at.plus(capped + capped * _spread(window) // 512)


def is_ahead(window: WindowStatus, now: Instant) -> bool:
    """Whether it is an intent that was recorded before its time, and so has not been sent.

    Its end decides, not ``ingestionDelay``: that may have been shorter when it was sent.
    """
    return window.operation_id is None and window.submitted_at is None and window.end > now


def address(rule: SummaryRule, settings: Settings) -> dict[str, Any]:
    """Where a window goes that is submitted now, as its record says it."""
    spec = rule.spec
    endpoint = settings.endpoints.get(spec.database)
    return {"endpoint": endpoint, "database": spec.database, "table": spec.table}


def addressed(
    windows: Iterable[WindowStatus], rule: SummaryRule, settings: Settings
) -> tuple[WindowStatus, ...]:
    """The windows, with intents that have no operation yet on their way to the spec of now."""
    to = address(rule, settings)
    return tuple(each if each.operation_id else _changed(each, **to) for each in windows)


def database(window: WindowStatus, rule: SummaryRule, settings: Settings) -> str:
    """The database through which the window's operation is asked about.

    The one it was sent to, at the endpoint it was sent to; where that is served no more, another at
    the same endpoint, else the rule's own.
    """
    own, recorded = window.database or rule.spec.database, window.endpoint
    if recorded is None or settings.endpoints.get(own) == recorded:
        return own
    same = (name for name, at in settings.endpoints.items() if at == recorded)
    return next(same, rule.spec.database)


def lookup(window: WindowStatus, rule: SummaryRule, settings: Settings) -> LookUpTag:
    """The question for the window's tag, to the table it was sent to, whatever spec says now."""
    where = database(window, rule, settings)
    return LookUpTag(where, window.table or rule.spec.table, window.token)


def awaits_tag(window: WindowStatus, observed: Observed, now: Instant, settings: Settings) -> bool:
    """Whether only the table's extent tags can tell what became of its operation."""
    operation = observed.operations.get(window.operation_id or "")
    if operation is None or window.token in observed.tagged:
        return False
    is_lost = operation.outcome is Outcome.MISSING and not _is_young(window, now, settings)
    return is_lost or operation.outcome is Outcome.SKIPPED


def _spread(window: WindowStatus) -> int:
    return int(window.token[:2] or "0", 16)


def _is_young(window: WindowStatus, now: Instant, settings: Settings) -> bool:
    since = window.submitted_at
    return since is not None and now < since.plus(settings.log_lag.ticks)


def _settle_intent(
    settled: Settled, window: WindowStatus, observed: Observed, now: Instant
) -> Settled:
    if window.token in observed.submitted:
        operation_id = observed.submitted[window.token]
        accepted = _changed(window, operation_id=operation_id, submitted_at=now)
        return replace(settled.with_window(accepted), accepted=(*settled.accepted, accepted))
    if window.token in observed.refused:
        failed = _changed(window, error=cut(observed.refused[window.token]), submitted_at=now)
        return replace(settled, failed=(*settled.failed, failed))
    return settled.with_window(window)


def _settle_operation(
    settled: Settled, window: WindowStatus, observed: Observed, now: Instant, settings: Settings
) -> Settled:
    operation = observed.operations.get(window.operation_id or "")
    outcome = operation.outcome if operation is not None else Outcome.RUNNING
    if outcome is Outcome.MISSING:
        return _settle_missing(settled, window, observed, now, settings)
    asks = outcome is Outcome.SKIPPED and window.token not in observed.tagged
    if operation is None or outcome is Outcome.RUNNING or asks:
        return settled.with_window(window)
    if outcome is Outcome.DONE or (outcome is Outcome.SKIPPED and observed.tagged[window.token]):
        return replace(settled, done=(*settled.done, window))
    may_retry = outcome is Outcome.THROTTLED or (
        outcome is Outcome.RETRYABLE and window.attempt < settings.max_attempts
    )
    ended = _changed(window, error=cut(operation.why), submitted_at=now)
    if not may_retry:
        return replace(settled, failed=(*settled.failed, ended))
    # A throttled operation never ran: it costs the window no attempt, only its back-off.
    attempt = window.attempt + (outcome is Outcome.RETRYABLE)
    return settled.with_window(_changed(ended, attempt=attempt, operation_id=None), retried=1)


def _settle_missing(
    settled: Settled, window: WindowStatus, observed: Observed, now: Instant, settings: Settings
) -> Settled:
    if _is_young(window, now, settings) or window.token not in observed.tagged:
        return settled.with_window(window)
    if observed.tagged[window.token]:
        return replace(settled, done=(*settled.done, window))
    return settled.with_window(_changed(window, operation_id=None, submitted_at=None), retried=1)


def _changed(window: WindowStatus, **changes: object) -> WindowStatus:
    return window.model_copy(update=changes)


def cut(text: str) -> str:
    """An error as status holds it: one line of at most 256 bytes, as upstream cuts it."""
    line = " ".join(text.split())
    if len(line.encode()) <= ERROR_LIMIT:
        return line
    return line.encode()[: ERROR_LIMIT - 3].decode(errors="ignore") + "…"
