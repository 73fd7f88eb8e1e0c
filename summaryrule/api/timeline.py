"""The windows of a rule over time: one lane for the schedule, one for each backfill request.

The input is the raw object, as for ``summaryrule.api.summary``. Neighbouring windows that are done
are one segment. So a lane has at most a few dozen segments, even if it has many windows.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.summary import Json
from summaryrule.api.unstructured import (
    as_duration,
    as_instant,
    as_int,
    as_str,
    ingestion_delay_of,
    interval_of,
    nested_dict,
    nested_list,
)
from summaryrule.api.windows import Window, floor, next_window

State = Literal["done", "running", "sending", "failed", "skipped", "waiting", "not run"]
Kind = Literal["schedule", "backfill"]
LETTERS: Final[dict[State | None, str]] = {
    "done": "d",
    "running": "r",
    "sending": "r",
    "failed": "f",
    "skipped": "s",
    "waiting": "w",
    "not run": "n",
    None: "-",
}
"""The letter of a window's state in a strip; ``-`` is a window that no lane covers."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One window, or neighbouring windows with the same state: ``[start, end)``.

    For one window, ``window`` has its fields from status, such as ``attempt``, ``operationId`` and
    ``error``. For a range of windows, it is empty.
    """

    state: State
    start: Instant
    end: Instant
    window: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lane:
    """The schedule, or one backfill request; its segments cover its range, oldest first."""

    kind: Kind
    request_id: str
    phase: str
    requested_by: str
    requested_at: Instant | None
    interval: Duration
    segments: tuple[Segment, ...]
    key: str = ""

    def segment_at(self, at: Instant) -> Segment | None:
        """The segment that contains ``at``; None if the lane does not cover it."""
        index = bisect_right(self.segments, at, key=lambda each: each.start) - 1
        if index < 0 or at >= self.segments[index].end:
            return None
        return self.segments[index]

    def state_at(self, at: Instant) -> State | None:
        """The state of the window that contains ``at``; None if the lane does not cover it."""
        segment = self.segment_at(at)
        return None if segment is None else segment.state


def lanes(rule: Json, now: Instant) -> tuple[Lane, ...]:
    """The lanes of a raw rule: the schedule, the backfill in status, then those in the history.

    The history is sorted from new to old. A rule without a valid interval has no lanes.
    """
    spec, status = nested_dict(rule, "spec"), nested_dict(rule, "status")
    interval = interval_of(spec)
    if interval is None:
        return ()
    current, history = nested_dict(status, "backfill"), nested_list(status, "backfillHistory")
    key = as_str(current.get("requestKey"))
    if key and history and history[0].get("key") == key:
        history = history[1:]  # status.backfill and the history both have the last backfill
    found = [
        _schedule_lane(rule, interval, now),
        _backfill_lane(current, interval),
        *(_history_lane(each, interval) for each in history),
    ]
    return tuple(each for each in found if each is not None)


def strip(all_lanes: Sequence[Lane], until: Instant, count: int) -> str:
    """The states of the last ``count`` windows that end at or before ``until``, as letters.

    If several lanes cover a window, the strip has its state in the first of these lanes.
    """
    if not all_lanes:
        return ""
    interval = all_lanes[0].interval
    end = floor(until, interval)
    starts = (end.plus(-interval.ticks * back) for back in range(count, 0, -1))
    return "".join(
        LETTERS[next((s for lane in all_lanes if (s := lane.state_at(start))), None)]
        for start in starts
    )


def _schedule_lane(rule: Json, interval: Duration, now: Instant) -> Lane | None:
    spec = nested_dict(rule, "spec")
    schedule = nested_dict(nested_dict(rule, "status"), "schedule")
    cursor = as_instant(schedule.get("cursor"))
    created = as_instant(nested_dict(rule, "metadata").get("creationTimestamp"))
    if cursor is None:
        return None
    delay = ingestion_delay_of(spec)
    single = list(_single_windows(schedule))
    began = cursor if created is None else next_window(created, interval, delay, None).start
    began = min([began, cursor, *(each.start for each in single)])
    due = max(floor(now.plus(-delay.ticks), interval), cursor)
    done = [Segment("done", began, cursor)]
    segments = _cover(began, due, single, done, "waiting")
    return Lane("schedule", "", "", "", created, interval, tuple(segments))


def _backfill_lane(backfill: Json, interval: Duration) -> Lane | None:
    start, end = (
        as_instant(backfill.get("requestedStart")),
        as_instant(backfill.get("requestedEnd")),
    )
    if start is None or end is None:
        return None
    single = [*_single_windows(backfill), *_windows(backfill, "skipped", "skipped")]
    phase = as_str(backfill.get("phase"))
    rest: State = "not run" if phase in {"Canceled", "Superseded"} else "waiting"
    return Lane(
        "backfill",
        as_str(backfill.get("requestId")),
        phase,
        as_str(backfill.get("requestedBy")),
        as_instant(backfill.get("requestedAt")),
        as_duration(backfill.get("interval")) or interval,
        tuple(_cover(start, end, single, _done(backfill, start), rest)),
        as_str(backfill.get("requestKey")),
    )


def _history_lane(record: Json, interval: Duration) -> Lane | None:
    start, end = as_instant(record.get("start")), as_instant(record.get("end"))
    if start is None or end is None:
        return None
    single = list(_windows(record, "unfinished", "not run"))
    return Lane(
        "backfill",
        as_str(record.get("id")),
        as_str(record.get("phase")),
        as_str(record.get("by")),
        as_instant(record.get("finishedAt")),
        as_duration(record.get("interval")) or interval,
        tuple(_cover(start, end, single, _done(record, start), "not run")),
        as_str(record.get("key")),
    )


def _done(holder: Json, start: Instant) -> list[Segment]:
    until = as_instant(holder.get("doneUntil"))
    before = [Segment("done", start, until)] if until is not None else []
    return [*before, *_windows(holder, "doneAhead", "done")]


def _single_windows(holder: Json) -> Iterator[Segment]:
    yield from _windows(holder, "failed", "failed")
    for each in _windows(holder, "inFlight", "sending"):
        is_running = bool(each.window.get("operationId"))
        yield Segment("running" if is_running else "sending", each.start, each.end, each.window)


def _windows(holder: Json, name: str, state: State) -> Iterator[Segment]:
    for window in nested_list(holder, name):
        start, end = as_instant(window.get("start")), as_instant(window.get("end"))
        if start is not None and end is not None and start < end:
            yield Segment(state, start, end, {} if state == "done" else window)


def _cover(
    start: Instant, end: Instant, single: Iterable[Segment], done: Iterable[Segment], rest: State
) -> Iterator[Segment]:
    """Segments that cover ``[start, end)``.

    Single windows take precedence over ranges that are done. What neither covers has the state
    ``rest``.
    """
    ranges = list(done)
    for part in _split(start, end, single):
        if isinstance(part, Segment):
            yield part
            continue
        for each in _split(part.start, part.end, ranges):
            yield each if isinstance(each, Segment) else Segment(rest, each.start, each.end)


def _split(start: Instant, end: Instant, parts: Iterable[Segment]) -> Iterator[Segment | Window]:
    """The parts within ``[start, end)``, clipped, and each gap between them, oldest first."""
    at = start
    for part in sorted(parts, key=lambda each: each.start):
        first, last = max(part.start, at), min(part.end, end)
        if first >= last:
            continue
        if at < first:
            yield Window(at, first)
        yield Segment(part.state, first, last, part.window)
        at = last
    if at < end:
        yield Window(at, end)


def as_json(lane: Lane) -> dict[str, Any]:
    """The lane as JSON: times in RFC 3339, the interval in seconds."""
    return {
        "kind": lane.kind,
        "requestId": lane.request_id,
        "phase": lane.phase,
        "requestedBy": lane.requested_by,
        "requestedAt": None if lane.requested_at is None else str(lane.requested_at),
        "interval": lane.interval.nanoseconds / 1e9,
        "segments": [segment_as_json(each) for each in lane.segments],
    }


def segment_as_json(segment: Segment) -> dict[str, Any]:
    """The segment as JSON; that of one window also has its attempt, operation, token and error."""
    bounds = {"state": segment.state, "start": str(segment.start), "end": str(segment.end)}
    window = segment.window
    if not window:
        return bounds
    return {
        **bounds,
        "attempt": as_int(window.get("attempt")) or 1,
        "operationId": as_str(window.get("operationId")),
        "submittedAt": as_str(window.get("submittedAt")),
        "token": as_str(window.get("token")),
        "endpoint": as_str(window.get("endpoint")),
        "error": as_str(window.get("error")),
    }
