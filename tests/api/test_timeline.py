"""The lanes of a rule: what each window's state is, from status alone."""

from typing import Any

import pytest

from summaryrule.api.instant import Instant
from summaryrule.api.timeline import Lane, as_json, lanes, strip
from tests.plugin.rules import NOW, rule, running


def spans(lane: Lane) -> list[tuple[str, str, str]]:
    return [(each.state, str(each.start)[5:16], str(each.end)[5:16]) for each in lane.segments]


def window(start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"start": f"2026-{start}:00Z", "end": f"2026-{end}:00Z", **more}


def scheduled(**status: Any) -> dict[str, Any]:
    made = rule(**status)
    made["metadata"]["creationTimestamp"] = "2026-11-24T04:30:00Z"
    return made


def test_the_schedule_covers_its_time_from_its_first_window_to_the_last_that_is_due() -> None:
    schedule = {
        "cursor": "2026-11-24T09:00:00Z",
        "lastDone": "2026-11-24T07:00:00Z",
        "failed": [window("11-24T05:00", "11-24T06:00", error="BadInput")],
        "inFlight": [
            window("11-24T07:00", "11-24T08:00", operationId="1"),
            window("11-24T08:00", "11-24T09:00"),
        ],
    }
    (lane,) = lanes(scheduled(schedule=schedule), NOW)
    assert spans(lane) == [
        ("done", "11-24T03:00", "11-24T05:00"),
        ("failed", "11-24T05:00", "11-24T06:00"),
        ("done", "11-24T06:00", "11-24T07:00"),
        ("running", "11-24T07:00", "11-24T08:00"),
        ("sending", "11-24T08:00", "11-24T09:00"),
        ("waiting", "11-24T09:00", "11-24T10:00"),
    ]
    assert as_json(lane)["segments"][1]["error"] == "BadInput"


def test_a_backfill_has_done_ranges_single_windows_and_the_rest() -> None:
    backfill = running(
        requestedStart="2026-11-01T00:00:00Z",
        requestedEnd="2026-11-01T10:00:00Z",
        doneUntil="2026-11-01T04:00:00Z",
        doneAhead=[window("11-01T06:00", "11-01T07:00")],
        skipped=[window("11-01T02:00", "11-01T03:00")],
        failed=[window("11-01T04:00", "11-01T05:00", error="x")],
        inFlight=[window("11-01T05:00", "11-01T06:00", operationId="2")],
    )
    (lane,) = lanes(rule(backfill=backfill), NOW)
    assert spans(lane) == [
        ("done", "11-01T00:00", "11-01T02:00"),
        ("skipped", "11-01T02:00", "11-01T03:00"),
        ("done", "11-01T03:00", "11-01T04:00"),
        ("failed", "11-01T04:00", "11-01T05:00"),
        ("running", "11-01T05:00", "11-01T06:00"),
        ("done", "11-01T06:00", "11-01T07:00"),
        ("waiting", "11-01T07:00", "11-01T10:00"),
    ]


def test_a_canceled_request_says_what_it_did_not_run() -> None:
    record = {
        "start": "2026-11-01T00:00:00Z",
        "end": "2026-11-01T04:00:00Z",
        "phase": "Canceled",
        "doneUntil": "2026-11-01T01:00:00Z",
        "unfinished": [window("11-01T01:00", "11-01T02:00")],
    }
    (lane,) = lanes(rule(backfillHistory=[record]), NOW)
    assert [each[0] for each in spans(lane)] == ["done", "not run", "not run"]
    assert lane.phase == "Canceled"


def test_the_backfill_that_ended_last_has_one_lane_although_it_is_in_history_too() -> None:
    record = {"key": "k2", "start": "2026-11-01T00:00:00Z", "end": "2026-11-24T00:00:00Z"}
    made = rule(
        backfill=running(requestKey="k2"), backfillHistory=[record, {**record, "key": "k1"}]
    )
    assert len(lanes(made, NOW)) == 2
    assert len(lanes(rule(backfillHistory=[record]), NOW)) == 1


def test_a_month_of_minutes_is_a_handful_of_segments() -> None:
    backfill = running(doneUntil="2026-11-20T00:00:00Z")
    made = rule(backfill=backfill)
    made["spec"]["interval"] = "1m"
    (lane,) = lanes(made, NOW)
    assert len(lane.segments) == 2


def test_a_strip_has_a_letter_for_each_window_the_schedule_first() -> None:
    schedule = {
        "cursor": "2026-11-24T08:00:00Z",
        "failed": [window("11-24T05:00", "11-24T06:00")],
    }
    found = lanes(scheduled(schedule=schedule), NOW)
    assert strip(found, NOW, 9) == "--ddfddww"[:9]
    past = running(requestedEnd="2026-11-24T02:00:00Z", doneUntil="2026-11-24T02:00:00Z")
    both = lanes(scheduled(schedule=schedule, backfill=past), NOW)
    assert strip(both, NOW, 9) == "d-ddfddww"
    assert strip((), NOW, 9) == ""


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"spec": {"interval": "1h"}, "status": {"backfill": {"requestedStart": "x"}}},
        {"spec": {"interval": "0s"}},
        {"spec": {"interval": "1h"}, "status": {"schedule": {"cursor": "2026-11-24T08:00:00Z"}}},
        {"spec": None, "status": 3},
    ],
)
def test_any_object_has_lanes(broken: dict[str, Any]) -> None:
    for lane in lanes(broken, NOW):
        assert lane.segments[-1].end <= NOW


def test_bounds_that_are_reversed_cover_nothing() -> None:
    reversed_range = running(
        requestedStart="2026-11-02T00:00:00Z", requestedEnd="2026-11-01T00:00:00Z"
    )
    (lane,) = lanes(rule(backfill=reversed_range), NOW)
    assert lane.segments == ()
    assert lane.state_at(Instant.parse("2026-11-01T12:00:00Z")) is None
