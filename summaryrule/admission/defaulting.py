"""Defaulting: the object that is stored for the object that a user sent.

It runs before the schema and sees raw JSON. What it cannot read stays as it is, so that the schema
refuses it. To apply it twice gives the same object as to apply it once. The steps, in order:

1. ``ingestionDelay`` that is missing becomes ``0s``.
2. ``backfill.startTime`` and ``endTime``, adx-mon's fields, are copied to ``start`` and ``end``.
3. ``backfill.operationId`` goes back to its stored value, unless the worker is the user.
4. ``backfill.end`` that is missing becomes the end that the same request had before, else the end
   of the last complete window.
5. A backfill that is running keeps the cursor that is stored as its start.
6. A backfill that history holds as done, up to the end as written, is removed: it is not a new
   request, whatever the interval is now.
7. A start before its end is floored to the interval's grid, its end is ceiled, and both are written
   in UTC. The start of a request in history becomes the start that it had. A bound that is as
   stored stays so, whatever the interval is now: another bound would make another request.
8. The requester goes into an annotation that users cannot set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.admission.context import DefaultingContext
from summaryrule.api import unstructured, upstream_backfill, validation_rules
from summaryrule.api.backfill_request import is_completed
from summaryrule.api.constants import DEFAULTED_END_ANNOTATION, REQUESTED_BY_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillRecord
from summaryrule.api.windows import ceil, floor

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DefaultingResult:
    """The object to store, and a warning for each value that was changed."""

    object: Json
    warnings: tuple[str, ...]


def apply_defaults(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], *, user: str, worker: str, now: Instant
) -> DefaultingResult:
    """The object to store when ``user`` writes ``new`` over ``old`` (None on CREATE).

    Args:
        old: the stored object; its status holds the earlier requests.
        new: the object as it arrived, of any shape. It is not changed; the result shares parts.
        user: the name of the user.
        worker: the worker's user name; its writes are not changed.
        now: the time from which a missing end is counted.
    """
    arrived = dict(new)
    if (
        user == worker
        or not isinstance(new.get("spec"), dict)
        or unstructured.is_being_deleted(arrived)
    ):
        return DefaultingResult(arrived, ())
    context = DefaultingContext(dict(old or {}), arrived, user, now)
    _default_ingestion_delay(context)
    if context.has_backfill:
        for step in _BACKFILL_STEPS:
            step(context)
    _set_requester(context)
    return DefaultingResult(context.new, tuple(dict.fromkeys(context.warnings)))


def already_completed_warning(record: BackfillRecord) -> str:
    """The warning for a backfill that is done: when it ran, and how to run it again."""
    when = f" at {record.finished_at}" if record.finished_at else ""
    return (
        f"spec.backfill: from {record.start} was done{when} up to {record.done_until} and is not"
        " run again; to run it again set spec.backfill.requestId to a new value"
    )


def _default_ingestion_delay(context: DefaultingContext) -> None:
    if context.spec.get("ingestionDelay") in (None, ""):
        context.spec["ingestionDelay"] = "0s"


def _restore_operation_id(context: DefaultingContext) -> None:
    before = context.old_backfill.get("operationId")
    now = context.backfill.get("operationId")
    if now != before and now is not None:
        context.warn("spec.backfill.operationId: is set by the worker only; put back")
    if before is not None:
        context.backfill["operationId"] = before
    else:
        context.backfill.pop("operationId", None)


def _default_end(context: DefaultingContext) -> None:
    backfill, interval = context.backfill, context.interval
    if backfill.get("end") is not None or interval is None or context.request is None:
        return
    end = _earlier_end(context)
    if end is None:
        end = floor(
            context.now.plus(-unstructured.ingestion_delay_of(context.spec).ticks), interval
        )
        context.warn(
            f"spec.backfill.end: not given; set to {end}, the end of the last complete window"
        )
    backfill["end"] = str(end)
    context.is_end_defaulted = True


def _earlier_end(context: DefaultingContext) -> Instant | None:
    current = context.stored_requests.current
    if current is not None and context.is_current:
        return current.requested_end
    record = context.record
    return record.end if record is not None else None


def _keep_cursor(context: DefaultingContext) -> None:
    """Replace a start inside the running backfill with the stored cursor.

    If the end is at or before the cursor, the start stays as written: the range would be empty
    otherwise. The worker continues from its high-water mark in both cases.
    """
    backfill, current, request = context.backfill, context.stored_requests.current, context.request
    cursor, end = context.stored_start, unstructured.as_instant(backfill.get("end"))
    if current is None or cursor is None or request is None or not context.is_ordered:
        return
    if not context.is_running or not context.has_changed("start"):
        return
    if not request.matches_start(current.requested_start):
        context.warn(
            f"spec.backfill.start: {request.written_start} lies inside the running backfill, which"
            f" is done until {current.done_until}; nothing that has run runs again without a new"
            " requestId"
        )
    if end is not None and cursor < end:
        backfill["start"] = context.old_backfill["start"]


def _align_to_grid(context: DefaultingContext) -> None:
    if context.backfill is context.old_backfill:  # removed: the stored one stays as it is
        return
    interval = context.interval
    start, end = (
        unstructured.as_instant(context.backfill.get("start")),
        unstructured.as_instant(context.backfill.get("end")),
    )
    if start is None or end is None or interval is None or start >= end:
        return
    if context.has_changed("start"):
        _replace_time(context, "start", _earlier_start(context) or floor(start, interval))
    if context.has_changed("end"):
        _replace_time(context, "end", ceil(end, interval))


def _earlier_start(context: DefaultingContext) -> Instant | None:
    """The start that the same request had before, perhaps on the grid of another interval."""
    record = context.record
    return record.start if record is not None else None


def _replace_time(context: DefaultingContext, name: str, to: Instant) -> None:
    written = context.backfill[name]
    if written == str(to):
        return
    why = (
        "written in UTC"
        if validation_rules.read_instant(written) == to
        else f"aligned to whole windows of {context.spec['interval']}"
    )
    context.warn(f"spec.backfill.{name}: {why}: from {written} to {to}")
    context.backfill[name] = str(to)


def _remove_completed_backfill(context: DefaultingContext) -> None:
    record = context.record
    if record is None or context.is_running or not context.is_ordered:
        return
    if not is_completed(record, unstructured.as_instant(context.backfill.get("end"))):
        return
    context.remove_backfill()
    context.warn(already_completed_warning(record))


def _copy_upstream_bounds(context: DefaultingContext) -> None:
    """Copy adx-mon's bounds to ours where this request set or changed them.

    adx-mon's fields stay in the object, so that the manifest that has them stays as it is stored:
    the next apply of it changes nothing.
    """
    backfill, stored = context.backfill, context.old_backfill
    for theirs, ours in upstream_backfill.FIELDS.items():
        is_changed = context.has_changed(theirs, "requestId")
        is_lost = ours in stored and ours not in backfill
        if theirs in backfill and (is_lost or (is_changed and not _is_written(context, ours))):
            backfill[ours] = backfill[theirs]
            context.copied_bounds += [theirs] if is_changed else []


def _is_written(context: DefaultingContext, name: str) -> bool:
    """Whether the author of this request set the bound: it is there, and not as it is stored."""
    return name in context.backfill and context.has_changed(name)


def _warn_copied_bounds(context: DefaultingContext) -> None:
    for theirs in context.copied_bounds if context.has_backfill else ():
        ours = upstream_backfill.FIELDS[theirs]
        context.warn(
            f"spec.backfill.{theirs}: is adx-mon's field; it was copied to spec.backfill.{ours};"
            f" write {ours}"
        )


def _annotate_defaulted_end(context: DefaultingContext) -> None:
    if context.is_end_defaulted:
        context.annotate(DEFAULTED_END_ANNOTATION, context.backfill["end"])


def _set_requester(context: DefaultingContext) -> None:
    before = unstructured.annotation_of(context.old, REQUESTED_BY_ANNOTATION)
    requester = context.user if context.is_new_request else before
    written = unstructured.annotations_of(context.new)
    if written.get(REQUESTED_BY_ANNOTATION) == requester:
        return
    if REQUESTED_BY_ANNOTATION in written:
        context.warn(
            f"metadata.annotations[{REQUESTED_BY_ANNOTATION}]: is set by admission; put back"
        )
    context.annotate(REQUESTED_BY_ANNOTATION, requester)


_BACKFILL_STEPS: Final = (
    _copy_upstream_bounds,
    _restore_operation_id,
    _default_end,
    _keep_cursor,
    _remove_completed_backfill,
    _align_to_grid,
    _warn_copied_bounds,
    _annotate_defaulted_end,
)
