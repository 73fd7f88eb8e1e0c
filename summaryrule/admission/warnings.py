"""What admission warns of: things that work, and that their author may not have meant.

Each caution gives a line for kubectl to print, or none; none refuses anything (design, section 5).
"""

from collections.abc import Callable
from typing import Final

from summaryrule.admission.context import AdmissionContext
from summaryrule.admission.defaulting import already_completed_warning
from summaryrule.api import validation_rules
from summaryrule.api.instant import Instant
from summaryrule.api.unstructured import nested_dict
from summaryrule.api.windows import next_window


def body_ignores_bounds(case: AdmissionContext) -> str | None:
    """A body that does not read its window's bounds computes the same thing every time."""
    body = case.body
    if not body or ("_startTime" in body and "_endTime" in body):
        return None
    missing = [name for name in ("_startTime", "_endTime") if name not in body]
    return (
        f"spec.body: does not use {' and '.join(missing)}, so every window reads the same"
        " data; add: where Timestamp between (_startTime .. _endTime)"
    )


def end_in_future(case: AdmissionContext) -> str | None:
    """Windows that have not ended yet wait until they have."""
    end = case.end
    if end is not None and end.ticks > case.now.ticks and case.has_changed("end"):
        return (
            f"spec.backfill.end: {end} is in the future; its last windows wait until they are due"
        )
    return None


def overlaps_schedule(case: AdmissionContext) -> str | None:
    """A window that both the schedule and a backfill compute is in the table twice."""
    start, end, interval = case.start, case.end, case.interval
    if start is None or end is None or interval is None or case.spec.get("suspend") is True:
        return None
    created = _created(case)
    if end.ticks <= created.ticks - case.delay.ticks - 2 * interval.ticks:
        return None  # whatever the grid: a boundary is less than an interval back
    first = next_window(created, interval, case.delay, None).start
    if (
        end > first
        and case.has_changed("start", "end", "requestId")
        and not case.is_already_requested
    ):
        instead = f"; write {first} as end to avoid it" if start < first else ""
        return (
            f"spec.backfill: the schedule runs windows from {first} on as well, so those up to"
            f" {end} are appended twice{instead}"
        )
    return None


def has_run_before(case: AdmissionContext) -> str | None:
    """A request that history has is not run again."""
    record = case.completed_record
    if record is None or not case.has_changed("start", "end", "requestId"):
        return None
    if not case.is_running:
        return already_completed_warning(record)
    return None


CAUTIONS: Final[tuple[Callable[[AdmissionContext], str | None], ...]] = (
    body_ignores_bounds,
    end_in_future,
    overlaps_schedule,
    has_run_before,
)


def _created(case: AdmissionContext) -> Instant:
    stamp = nested_dict(case.old, "metadata").get("creationTimestamp")
    return (validation_rules.read_instant(stamp) if isinstance(stamp, str) else None) or case.now
