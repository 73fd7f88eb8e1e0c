"""Defaults: what admission makes of an object before the API server judges it.

A pure function of old, new, user and time (design, section 5). It sees raw input, since it runs
before the schema: whatever it cannot read it passes through untouched, for the next stages to
refuse. Applying it twice changes nothing.

1. ``ingestionDelay`` not given is ``0s``.
2. ``backfill.operationId`` from anyone but the worker is put back to what it was.
3. ``backfill.end`` not given is the one this request got before, else the end of the last
   complete window.
4. The manifest of a running backfill keeps the live cursor.
5. A backfill that history has as done, judged as it is written, asks for nothing new and is taken
   out, whatever the grid has become since.
6. A start before its end is floored to the grid, its end ceiled, both written in UTC; the start of
   a request that history has part of stays where that one began, and a bound that is as it was
   stored stays as it is, whatever the interval has become: to move it would be to ask anew.
7. Who asked is written to an annotation; nobody else can.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.admission.context import DefaultingContext
from summaryrule.api import unstructured, validation_rules
from summaryrule.api.backfill_request import is_completed, is_same_request
from summaryrule.api.constants import DEFAULTED_END_ANNOTATION, REQUESTED_BY_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.api.v1 import BackfillRecord
from summaryrule.api.windows import ceil, floor

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DefaultingResult:
    """The object to store, and one warning for every value that was changed."""

    object: Json
    warnings: tuple[str, ...]


def apply_defaults(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], *, user: str, worker: str, now: Instant
) -> DefaultingResult:
    """What is stored when ``user`` writes ``new`` over ``old`` (None on CREATE).

    Args:
        old: the stored object; its status says what a running backfill was asked for.
        new: the object as it arrived, of any shape; not changed, but shared with the answer.
        user: the requester's user name.
        worker: the worker's user name, whose writes pass untouched.
        now: the time that a missing end is counted from.
    """
    arrived = dict(new)
    if (
        user == worker
        or not isinstance(new.get("spec"), dict)
        or unstructured.is_being_deleted(arrived)
    ):
        return DefaultingResult(arrived, ())
    draft = DefaultingContext(dict(old or {}), arrived, user, now)
    _default_ingestion_delay(draft)
    if draft.has_backfill:
        for step in _BACKFILL_STEPS:
            step(draft)
    _set_requester(draft)
    return DefaultingResult(draft.new, tuple(dict.fromkeys(draft.warnings)))


def already_completed_warning(record: BackfillRecord) -> str:
    """The warning for a backfill that history has as done: when it ran, how to run it again."""
    when = f" at {record.finished_at}" if record.finished_at else ""
    return (
        f"spec.backfill: from {record.start} was done{when} up to {record.done_until} and is not"
        " run again; to run it again set spec.backfill.requestId to a new value"
    )


def _default_ingestion_delay(draft: DefaultingContext) -> None:
    if draft.spec.get("ingestionDelay") in (None, ""):
        draft.spec["ingestionDelay"] = "0s"


def _restore_operation_id(draft: DefaultingContext) -> None:
    before = draft.old_backfill.get("operationId")
    now = draft.backfill.get("operationId")
    if now != before and now is not None:
        draft.warn("spec.backfill.operationId: is set by the worker only; put back")
    if before is not None:
        draft.backfill["operationId"] = before
    else:
        draft.backfill.pop("operationId", None)


def _default_end(draft: DefaultingContext) -> None:
    backfill, interval = draft.backfill, draft.interval
    if backfill.get("end") is not None or interval is None or draft.request is None:
        return
    end = _earlier_end(draft)
    if end is None:
        end = floor(draft.now.plus(-unstructured.ingestion_delay_of(draft.spec).ticks), interval)
        draft.warn(
            f"spec.backfill.end: not given; set to {end}, the end of the last complete window"
        )
    backfill["end"] = str(end)
    draft.is_end_defaulted = True


def _earlier_end(draft: DefaultingContext) -> Instant | None:
    running, asked = draft.stored_requests.running, draft.request
    if running is not None and asked is not None and is_same_request(running, asked):
        return running.requested_end
    ended = draft.record
    return ended.end if ended is not None else None


def _keep_cursor(draft: DefaultingContext) -> None:
    """Put the live cursor in the place of a start that means the running request.

    An end at or before the cursor asks it to stop short: then the start stays as it is written,
    since the cursor would make a range of nothing; the worker goes by its high-water mark.
    """
    backfill, running = draft.backfill, draft.stored_requests.running
    if running is None:
        return
    live, asked, end = (
        draft.stored_start,
        draft.request,
        unstructured.as_instant(backfill.get("end")),
    )
    if live is None or asked is None or not draft.is_ordered:
        return
    if not draft.is_running or backfill["start"] == draft.old_backfill["start"]:
        return
    if not asked.matches_start(running.requested_start):
        draft.warn(
            f"spec.backfill.start: {asked.written_start} lies inside the running backfill, which is"
            f" done until {running.done_until}; nothing that has run runs again without a new"
            " requestId"
        )
    if end is not None and live < end:
        backfill["start"] = draft.old_backfill["start"]


def _align_to_grid(draft: DefaultingContext) -> None:
    if draft.backfill is draft.old_backfill:  # taken out: what is stored stays as it is
        return
    interval = draft.interval
    start, end = (
        unstructured.as_instant(draft.backfill.get("start")),
        unstructured.as_instant(draft.backfill.get("end")),
    )
    if start is None or end is None or interval is None or start >= end:
        return
    if draft.has_changed("start"):
        _replace_time(draft, "start", _earlier_start(draft) or floor(start, interval))
    if draft.has_changed("end"):
        _replace_time(draft, "end", ceil(end, interval))


def _earlier_start(draft: DefaultingContext) -> Instant | None:
    """Where the same request began before, perhaps on the grid of another interval."""
    ended = draft.record
    return ended.start if ended is not None else None


def _replace_time(draft: DefaultingContext, name: str, to: Instant) -> None:
    written = draft.backfill[name]
    if written == str(to):
        return
    why = (
        "written in UTC"
        if validation_rules.read_instant(written) == to
        else f"aligned to whole windows of {draft.spec['interval']}"
    )
    draft.warn(f"spec.backfill.{name}: {why}: from {written} to {to}")
    draft.backfill[name] = str(to)


def _remove_completed_backfill(draft: DefaultingContext) -> None:
    found = draft.record
    if found is None or draft.is_running or not draft.is_ordered:
        return
    if not is_completed(found, unstructured.as_instant(draft.backfill.get("end"))):
        return
    draft.remove_backfill()
    draft.warn(already_completed_warning(found))


def _warn_upstream_fields(draft: DefaultingContext) -> None:
    for theirs, ours in (("startTime", "start"), ("endTime", "end")):
        if theirs in draft.backfill:
            draft.warn(
                f"spec.backfill.{theirs}: is upstream's field; write spec.backfill.{ours} instead"
            )


def _annotate_defaulted_end(draft: DefaultingContext) -> None:
    if draft.is_end_defaulted:
        draft.annotate(DEFAULTED_END_ANNOTATION, draft.backfill["end"])


def _set_requester(draft: DefaultingContext) -> None:
    before = unstructured.annotation_of(draft.old, REQUESTED_BY_ANNOTATION)
    wanted = draft.user if draft.is_new_request else before
    written = unstructured.annotations_of(draft.new)
    if written.get(REQUESTED_BY_ANNOTATION) == wanted:
        return
    if REQUESTED_BY_ANNOTATION in written:
        draft.warn(
            f"metadata.annotations[{REQUESTED_BY_ANNOTATION}]: is set by admission; put back"
        )
    draft.annotate(REQUESTED_BY_ANNOTATION, wanted)


_BACKFILL_STEPS: Final = (
    _restore_operation_id,
    _default_end,
    _keep_cursor,
    _remove_completed_backfill,
    _align_to_grid,
    _warn_upstream_fields,
    _annotate_defaulted_end,
)
