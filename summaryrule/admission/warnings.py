"""Warnings of admission: what is allowed, and what its author may not have meant.

Each function takes a request and returns the line for kubectl to print, or None. No warning refuses
a request.
"""

from collections.abc import Callable, Iterable
from typing import Final

from summaryrule.admission.appended_again import (
    find_times_covered_again,
    find_windows_appended_again,
)
from summaryrule.admission.context import AdmissionContext
from summaryrule.admission.defaulting import already_completed_warning
from summaryrule.api.backfill_request import is_active
from summaryrule.api.unstructured import as_str, nested_dict
from summaryrule.api.windows import Window
from summaryrule.kql import missing_bounds, reads_table


def body_ignores_bounds(context: AdmissionContext) -> str | None:
    """A body that does not use its window's bounds computes the same result in each window."""
    body = context.body
    missing = missing_bounds(body) if body else []
    if not body or not missing:
        return None
    names = " and ".join(missing)
    is_named = all(name in body for name in missing)
    what = f"names {names} only in a comment or a text" if is_named else f"does not use {names}"
    return (
        f"spec.body: {what}, so every window reads the same data; add: where Timestamp between"
        " (_startTime .. _endTime)"
    )


def body_reads_its_own_table(context: AdmissionContext) -> str | None:
    """A body that reads the table it writes to summarizes its own results."""
    table = context.spec.get("table")
    if isinstance(table, str) and table and context.body and reads_table(context.body, table):
        return (
            f"spec.table: {table} is read by spec.body too: each window appends its result to its"
            " own source; write another table"
        )
    return None


def end_in_future(context: AdmissionContext) -> str | None:
    """Windows that end in the future wait until they are due."""
    end = context.end
    if end is not None and end.ticks > context.now.ticks and context.has_changed("end"):
        return (
            f"spec.backfill.end: {end} is in the future; its last windows wait until they are due"
        )
    return None


def appends_again(context: AdmissionContext) -> str | None:
    """Windows whose rows are in the table under another token get them once more."""
    ranges = _in_words(find_windows_appended_again(context))
    if not ranges:
        return None
    return (
        "spec.backfill: windows whose rows may be in the table already are appended again:"
        f" {ranges}; remove these rows first, or leave the windows out"
    )


def covers_again(context: AdmissionContext) -> str | None:
    """Windows of another interval append rows again for a time that is in the table."""
    ranges = _in_words(find_times_covered_again(context))
    if not ranges:
        return None
    return (
        "spec.interval: the next windows cover a time whose rows are in the table already:"
        f" {ranges}; remove these rows, or they are there twice, in mode Replace too"
    )


def _in_words(ranges: Iterable[tuple[Window, str]]) -> str:
    return ", ".join(f"from {each} ({why})" for each, why in ranges)


def ends_running_backfill(context: AdmissionContext) -> str | None:
    """A backfill that is removed or replaced before its end does not finish its windows."""
    current = context.stored_requests.current
    if not context.old_backfill or not is_active(current) or context.is_current:
        return None
    status = nested_dict(nested_dict(context.old, "status"), "backfill")
    far = f"after {as_str(status.get('progress')) or 'no'} windows"
    if not context.backfill:
        return (
            f"spec.backfill: is removed before it has finished, which cancels it {far}; to finish"
            " it, apply the same backfill again: it continues from there"
        )
    return f"spec.backfill: replaces a backfill that has not finished and that ends {far}"


def has_run_before(context: AdmissionContext) -> str | None:
    """A request that history holds as done does not run again."""
    record = context.completed_record
    if record is None or not context.has_changed("start", "end", "requestId"):
        return None
    if not context.is_current:
        return already_completed_warning(record)
    return None


WARNINGS: Final[tuple[Callable[[AdmissionContext], str | None], ...]] = (
    body_ignores_bounds,
    body_reads_its_own_table,
    end_in_future,
    ends_running_backfill,
    appends_again,
    covers_again,
    has_run_before,
)
