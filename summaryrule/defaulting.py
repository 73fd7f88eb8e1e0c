"""Defaults: what admission makes of an object before the API server judges it.

A pure function of old, new, user and time (design, section 5). It sees raw input, since it runs
before the schema: whatever it cannot read it passes through untouched, for the next stages to
refuse. Applying it twice changes nothing.

1. ``ingestionDelay`` not given is ``0s``.
2. ``backfill.operationId`` from anyone but the worker is put back to what it was.
3. ``backfill.end`` not given is the one this request got before, else the end of the last
   complete window.
4. A start before its end is floored to the grid, its end ceiled, both written in UTC.
5. A backfill that history has as done asks for nothing new and is taken out.
6. The manifest of a running backfill keeps the live cursor.
7. Who asked is written to an annotation; nobody else can.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from summaryrule import rules
from summaryrule.duration import Duration
from summaryrule.instant import Instant
from summaryrule.request import continues, find_ended, has_run, is_active
from summaryrule.v1 import REQUESTED_BY, BackfillRecord, BackfillStatus, SummaryRuleStatus
from summaryrule.windows import ceil, floor

Json = dict[str, Any]
_NONE: Final = Duration(0)


@dataclass(frozen=True, slots=True)
class Defaulted:
    """The object to store, and one warning for every value that was changed."""

    object: Json
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """One object on its way through the steps."""

    old: Json
    new: Json
    spec: Json
    user: str
    now: Instant
    status: SummaryRuleStatus
    warnings: list[str] = field(default_factory=list)

    @property
    def backfill(self) -> Json | None:
        backfill = self.spec.get("backfill")
        return backfill if isinstance(backfill, dict) else None

    @property
    def old_backfill(self) -> Json | None:
        spec = self.old.get("spec")
        backfill = spec.get("backfill") if isinstance(spec, dict) else None
        return backfill if isinstance(backfill, dict) else None

    @property
    def interval(self) -> Duration | None:
        value = self.spec.get("interval")
        if not isinstance(value, str) or not rules.IS_INTERVAL.holds(value):
            return None
        return rules.read_duration(value)

    @property
    def delay(self) -> Duration:
        delay = self.spec.get("ingestionDelay")
        return (rules.read_duration(delay) if isinstance(delay, str) else None) or _NONE


def default(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], *, user: str, worker: str, now: Instant
) -> Defaulted:
    """What is stored when ``user`` writes ``new`` over ``old`` (None on CREATE).

    Args:
        old: the stored object; its status says what a running backfill was asked for.
        new: the object as it arrived, of any shape; not changed.
        user: the requester's user name.
        worker: the worker's user name, whose writes pass untouched.
        now: the time that a missing end is counted from.
    """
    draft = copy.deepcopy(dict(new))
    spec = draft.get("spec")
    if user == worker or not isinstance(spec, dict) or _is_leaving(draft):
        return Defaulted(draft, ())
    stored = dict(old or {})
    steps = _Draft(stored, draft, spec, user, now, read_status(stored))
    for step in _STEPS:
        step(steps)
    return Defaulted(draft, tuple(dict.fromkeys(steps.warnings)))


def read_status(stored: Mapping[str, Any]) -> SummaryRuleStatus:
    """The status of a stored object; an empty one where there is none or it cannot be read."""
    try:
        return SummaryRuleStatus.model_validate(stored.get("status") or {})
    except ValidationError:
        return SummaryRuleStatus()


def _is_leaving(rule: Json) -> bool:
    metadata = rule.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("deletionTimestamp"))


def _instant(backfill: Json, name: str) -> Instant | None:
    value = backfill.get(name)
    return rules.read_instant(value) if isinstance(value, str) else None


def _request_id(backfill: Json) -> str | None:
    value = backfill.get("requestId")
    return value if isinstance(value, str) and value else None


def _fill_delay(draft: _Draft) -> None:
    if draft.spec.get("ingestionDelay") in (None, ""):
        draft.spec["ingestionDelay"] = "0s"


def _put_operation_back(draft: _Draft) -> None:
    if draft.backfill is None:
        return
    before = (draft.old_backfill or {}).get("operationId")
    now = draft.backfill.get("operationId")
    if before is not None:
        draft.backfill["operationId"] = before
    else:
        draft.backfill.pop("operationId", None)
    if now is not None and now != before:
        draft.warnings.append("spec.backfill.operationId: is set by the worker only; put back")


def _fill_end(draft: _Draft) -> None:
    backfill, interval = draft.backfill, draft.interval
    if backfill is None or backfill.get("end") is not None or interval is None:
        return
    start = _instant(backfill, "start")
    if start is None:
        return
    kept = _end_of_same_request(draft, floor(start, interval), _request_id(backfill))
    if kept is not None:
        backfill["end"] = str(kept)
        return
    end = floor(draft.now.plus(-draft.delay.ticks), interval)
    backfill["end"] = str(end)
    draft.warnings.append(
        f"spec.backfill.end: not given; set to {end}, the end of the last complete window"
    )


def _end_of_same_request(draft: _Draft, start: Instant, request_id: str | None) -> Instant | None:
    running = draft.status.backfill
    if running is not None and continues(running, start, request_id):
        return running.requested_end
    ended = find_ended(draft.status.backfill_history, start, request_id)
    return ended.end if ended is not None else None


def _align(draft: _Draft) -> None:
    backfill, interval = draft.backfill, draft.interval
    if backfill is None or interval is None:
        return
    start, end = _instant(backfill, "start"), _instant(backfill, "end")
    if start is None or end is None or start >= end:
        return
    _rewrite(draft, "start", floor(start, interval))
    _rewrite(draft, "end", ceil(end, interval))


def _rewrite(draft: _Draft, name: str, to: Instant) -> None:
    backfill = draft.backfill
    if backfill is None or backfill[name] == str(to):
        return
    written = backfill[name]
    why = (
        "written in UTC"
        if rules.read_instant(written) == to
        else f"aligned to whole windows of {draft.spec['interval']}"
    )
    draft.warnings.append(f"spec.backfill.{name}: {why}: from {written} to {to}")
    backfill[name] = str(to)


def _drop_done(draft: _Draft) -> None:
    backfill = draft.backfill
    found = _ended(draft, backfill) if backfill is not None else None
    if backfill is None or found is None or not has_run(found, _instant(backfill, "end")):
        return
    if draft.old_backfill is not None:
        draft.spec["backfill"] = copy.deepcopy(draft.old_backfill)
    else:
        del draft.spec["backfill"]
    draft.warnings.append(already_ran(found))


def _ended(draft: _Draft, backfill: Json) -> BackfillRecord | None:
    start, interval = _instant(backfill, "start"), draft.interval
    if start is None or interval is None:
        return None
    if _continues(draft.status.backfill, backfill, floor(start, interval)):
        return None
    return find_ended(draft.status.backfill_history, floor(start, interval), _request_id(backfill))


def already_ran(record: BackfillRecord) -> str:
    """The warning for a backfill that history has as done: when it ran, how to run it again."""
    when = f" at {record.finished_at}" if record.finished_at else ""
    return (
        f"spec.backfill: from {record.start} was done{when} up to {record.done_until} and is not"
        " run again; to run it again set spec.backfill.requestId to a new value"
    )


def _continues(running: BackfillStatus | None, backfill: Json, start: Instant) -> bool:
    return is_active(running) and continues(running, start, _request_id(backfill))


def _keep_cursor(draft: _Draft) -> None:
    backfill, before, running = draft.backfill, draft.old_backfill, draft.status.backfill
    start = _instant(backfill, "start") if backfill is not None else None
    if backfill is None or before is None or running is None or start is None:
        return
    if not _continues(running, backfill, start) or backfill["start"] == before.get("start"):
        return
    if _instant(before, "start") is None:
        return
    if start != running.requested_start:
        draft.warnings.append(
            f"spec.backfill.start: {start} lies inside the running backfill, which is done until"
            f" {running.done_until}; nothing that has run runs again without a new requestId"
        )
    backfill["start"] = before["start"]


def _point_to_our_names(draft: _Draft) -> None:
    backfill = draft.backfill or {}
    for theirs, ours in (("startTime", "start"), ("endTime", "end")):
        if theirs in backfill:
            draft.warnings.append(
                f"spec.backfill.{theirs}: is upstream's field; write spec.backfill.{ours} instead"
            )


def _name_requester(draft: _Draft) -> None:
    before = _annotations(draft.old).get(REQUESTED_BY)
    asked = draft.backfill is not None and _is_new_request(draft)
    wanted = draft.user if asked else before
    annotations = _annotations(draft.new)
    if annotations.get(REQUESTED_BY) == wanted:
        return
    if REQUESTED_BY in annotations:
        draft.warnings.append(
            f"metadata.annotations[{REQUESTED_BY}]: is set by admission; put back"
        )
    _annotate(draft.new, wanted)


def _is_new_request(draft: _Draft) -> bool:
    new, old = draft.backfill or {}, draft.old_backfill
    return old is None or any(new.get(name) != old.get(name) for name in ("start", "requestId"))


def _annotations(rule: Json) -> Json:
    metadata = rule.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def _annotate(rule: Json, value: str | None) -> None:
    metadata = rule.get("metadata")
    if not isinstance(metadata, dict):
        return
    annotations = metadata.get("annotations")
    if value is None:
        _annotations(rule).pop(REQUESTED_BY, None)
        if not annotations:
            metadata.pop("annotations", None)
    elif isinstance(annotations, dict):
        annotations[REQUESTED_BY] = value
    elif annotations is None:
        metadata["annotations"] = {REQUESTED_BY: value}


_STEPS: Final = (
    _fill_delay,
    _put_operation_back,
    _fill_end,
    _align,
    _drop_done,
    _keep_cursor,
    _point_to_our_names,
    _name_requester,
)
