"""The Events that a plan emits: one clear sentence each, never one for every window."""

from collections.abc import Sequence
from typing import Final

from summaryrule.actions import Announce
from summaryrule.v1 import SKIP, BackfillStatus, WindowStatus

_LONGEST: Final = 200

SPEC_CHANGED: Final = Announce(
    "Warning",
    "BackfillFailed",
    "database, table, body or interval changed mid-run; retry by annotation goes on with the new"
    " text",
)


def started(status: BackfillStatus) -> Announce:
    """A backfill began."""
    text = f"{status.windows_total} windows from {status.requested_start} to {status.requested_end}"
    return Announce("Normal", "BackfillStarted", text)


def completed(status: BackfillStatus) -> Announce:
    """A backfill has every window done or skipped."""
    text = f"{status.progress} windows from {status.requested_start} to {status.requested_end}"
    skipped = f", {status.windows_skipped} of them skipped" if status.windows_skipped else ""
    return Announce("Normal", "BackfillCompleted", text + skipped)


def canceled(status: BackfillStatus) -> Announce:
    """A person removed ``spec.backfill``."""
    text = f"spec.backfill was removed after {status.progress} windows"
    return Announce("Normal", "BackfillCanceled", text)


def superseded(status: BackfillStatus) -> Announce:
    """Another request took its place."""
    text = f"another request took its place after {status.progress} windows"
    return Announce("Normal", "BackfillSuperseded", text)


def already_ran(status: BackfillStatus) -> Announce:
    """A request that history has asks for nothing new."""
    text = (
        f"the backfill from {status.requested_start} ran before and is not run again; to run it"
        " again set spec.backfill.requestId to a new value"
    )
    return Announce("Normal", "BackfillAlreadyRan", text)


def named_in_vain(annotation: str, words: str) -> Announce:
    """An act annotation that was taken away without effect: it names no window."""
    short = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
    which = "that failed or waits" if annotation == SKIP else "that failed"
    what = (
        "starts as status has them" if annotation == SKIP else "all, or starts as status has them"
    )
    text = f"{annotation} names {short}, and there is no such window {which}; write {what}"
    return Announce("Warning", "ActIgnored", text)


def window_failed(failed: Sequence[WindowStatus], kind: str = "backfill") -> Announce:
    """Windows failed for good; the first is named."""
    first = failed[0]
    more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    text = f"{kind} window {first.window} failed: {first.error}{more}"
    return Announce("Warning", "WindowFailed", text)
