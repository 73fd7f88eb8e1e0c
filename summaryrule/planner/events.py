"""The Kubernetes Events of a plan: one sentence each; one Event for all windows together."""

from collections.abc import Sequence
from typing import Final

from summaryrule.api.constants import SKIP_ANNOTATION
from summaryrule.api.v1 import BackfillStatus, ScheduleStatus, WindowStatus
from summaryrule.planner.types import EmitEvent

_MAX_LENGTH: Final = 200

SPEC_CHANGED: Final = EmitEvent(
    "Warning",
    "BackfillFailed",
    "database, table, body or interval changed mid-run; retry by annotation goes on with the new"
    " text",
)


def started(status: BackfillStatus) -> EmitEvent:
    """A backfill started."""
    text = f"{status.windows_total} windows from {status.requested_start} to {status.requested_end}"
    return EmitEvent("Normal", "BackfillStarted", text)


def adopted(owner: str) -> EmitEvent:
    """The rule is taken over from another owner."""
    return EmitEvent("Normal", "Adopted", f"the rule was taken over from {owner!r}")


def handed_over(owner: str, schedule: ScheduleStatus | None) -> EmitEvent:
    """The rule goes to another owner, with the failed windows that nobody will retry."""
    failed = schedule.failed if schedule is not None else ()
    text = f"the rule goes to {owner!r}; interval windows continue from the cursor"
    if failed:
        text += f"; {len(failed)} failed windows are not in the table, the first {failed[0].window}"
    return EmitEvent("Warning" if failed else "Normal", "HandedOver", text)


def completed(status: BackfillStatus) -> EmitEvent:
    """All windows of a backfill are done or skipped."""
    text = f"{status.progress} windows from {status.requested_start} to {status.requested_end}"
    there, skipped = status.windows_already_there, status.windows_skipped
    counts = [*([f"{there} of them already there"] if there else [])]
    counts += [f"{skipped} of them skipped"] if skipped else []
    return EmitEvent("Normal", "BackfillCompleted", ", ".join([text, *counts]))


def canceled(status: BackfillStatus) -> EmitEvent:
    """A user removed ``spec.backfill``."""
    text = f"spec.backfill was removed after {status.progress} windows"
    return EmitEvent("Normal", "BackfillCanceled", text)


def superseded(status: BackfillStatus) -> EmitEvent:
    """Another request replaced the backfill."""
    text = f"another request took its place after {status.progress} windows"
    return EmitEvent("Normal", "BackfillSuperseded", text)


def already_ran(status: BackfillStatus) -> EmitEvent:
    """History holds the request as done, so it does not run again."""
    text = (
        f"the backfill from {status.requested_start} ran before and is not run again; to run it"
        " again set spec.backfill.requestId to a new value"
    )
    return EmitEvent("Normal", "BackfillAlreadyRan", text)


def annotation_ignored(annotation: str, entries: str) -> EmitEvent:
    """A retry or skip annotation was removed, and these entries matched no window."""
    short = entries if len(entries) <= _MAX_LENGTH else f"{entries[:_MAX_LENGTH]}…"
    which = "that failed or waits" if annotation == SKIP_ANNOTATION else "that failed"
    what = (
        "starts as status has them"
        if annotation == SKIP_ANNOTATION
        else "all, or starts as status has them"
    )
    text = f"{annotation} names {short}, and there is no such window {which}; write {what}"
    return EmitEvent("Warning", "AnnotationIgnored", text)


def window_failed(failed: Sequence[WindowStatus], kind: str = "backfill") -> EmitEvent:
    """Windows failed permanently; the message names the first."""
    first = failed[0]
    more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    text = f"{kind} window {first.window} failed: {first.error}{more}"
    return EmitEvent("Warning", "WindowFailed", text)
