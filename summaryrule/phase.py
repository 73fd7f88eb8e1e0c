"""Into and out of the phases Failed and Paused, and why a backfill stands still.

Called by ``turn`` for a backfill that goes on. Phases change through ``backfill.TRANSITIONS``.
"""

from summaryrule import acts, backfill, flight, notes, request
from summaryrule.actions import Announce
from summaryrule.backfill import Event
from summaryrule.identity import spec_hash
from summaryrule.instant import Instant
from summaryrule.remaining import counted
from summaryrule.v1 import BackfillSpec, BackfillStatus, SummaryRule

Hold = tuple[str, str]
Announced = tuple[BackfillStatus, tuple[Announce, ...]]


def spec_changed(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether the windows' text or grid is no longer what this backfill began with."""
    return status.spec_hash != spec_hash(rule.spec)


def awaits_retry(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether only a retry makes it go on with the new text (rule 6)."""
    return spec_changed(rule, status) and not acts.wants_retry(rule)


def judge(rule: SummaryRule, status: BackfillStatus, now: Instant) -> Announced:
    """Into phase Failed and out of it (rules 5 and 6 of ``backfill``)."""
    if status.phase == "Failed":
        return _judge_failed(rule, status, now), ()
    if status.failed and not _only_lost(rule, status):
        return _failed(status, backfill.WINDOW_FAILED), (notes.window_failed(status.failed),)
    if spec_changed(rule, status) and not status.in_flight:
        if acts.wants_retry(rule) and not status.failed:
            return _with_new_text(rule, status), ()
        return _failed(status, backfill.SPEC_CHANGED), (notes.SPEC_CHANGED,)
    return status, ()


def _only_lost(rule: SummaryRule, status: BackfillStatus) -> bool:
    """Whether all that failed are windows of which the change of spec left nothing known."""
    lost = all(window.error == flight.UNANSWERED for window in status.failed)
    return lost and spec_changed(rule, status)


def keeps_retry(rule: SummaryRule, status: BackfillStatus | None) -> bool:
    """Whether a retry stays on the rule: it goes on with a changed spec, but not yet.

    What is in flight ends first; then the phase is Failed, and the retry is applied.
    """
    if status is None or not request.is_active(status) or not spec_changed(rule, status):
        return False
    return acts.wants_retry(rule) and (bool(status.in_flight) or status.phase != "Failed")


def _failed(status: BackfillStatus, reason: str) -> BackfillStatus:
    return backfill.moved(status, Event.FAILED, reason=reason, estimated_completion=None)


def _judge_failed(rule: SummaryRule, status: BackfillStatus, now: Instant) -> BackfillStatus:
    if status.failed:
        return status
    if awaits_retry(rule, status):
        return status.model_copy(update={"reason": backfill.SPEC_CHANGED})
    again = backfill.moved(status, Event.RETRIED, reason=None)
    return backfill.pace_anew(_with_new_text(rule, again), now)


def _with_new_text(rule: SummaryRule, status: BackfillStatus) -> BackfillStatus:
    changed = status.model_copy(update={"spec_hash": spec_hash(rule.spec)})
    return counted(changed, rule.spec.interval)


def pause(status: BackfillStatus, wanted: BackfillSpec, now: Instant) -> BackfillStatus:
    """Into phase Paused and out of it, as ``spec.backfill.suspend`` asks."""
    if wanted.suspend and status.phase in ("Pending", "Running"):
        return backfill.moved(status, Event.PAUSED, estimated_completion=None)
    if not wanted.suspend and status.phase == "Paused":
        return backfill.pace_anew(backfill.moved(status, Event.RESUMED), now)
    return status


def holds(rule: SummaryRule, status: BackfillStatus, now: Instant) -> tuple[Hold, ...]:
    """Why windows that are left do not run now."""
    if status.phase == "Paused":
        return (("Paused", "spec.backfill.suspend is true"),)
    if status.phase == "Failed":
        why = status.last_error if status.failed else "the spec changed mid-run"
        return (("BackfillFailed", f"{why}; retry or skip by annotation"),)
    if spec_changed(rule, status):
        return (("SpecChanged", "windows of the text before are still in flight"),)
    delay, last = rule.spec.ingestion_delay, status.requested_end
    first_waiting = last.plus(-rule.spec.interval.ticks)
    if last.plus(delay.ticks) > now and first_waiting >= status.done_until:
        return (("WaitingUntilDue", f"windows up to {last} wait until their end is {delay} ago"),)
    return ()
