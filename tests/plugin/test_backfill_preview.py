"""What `backfill` says before it asks for anything."""

from typing import Any

import pytest

from plugin.backfill_preview import preview
from tests.plugin.rules import NOW, rule, running

DAY = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}
SECOND_RUN = "their rows are appended a second time"


def said(live: dict[str, Any], **patch: Any) -> list[str]:
    return list(preview(live, {**DAY, "maxInFlight": 4, **patch}, NOW))


def history(start: str, end: str, **more: str) -> dict[str, Any]:
    record = {"key": "k", "start": start, "end": end, "doneUntil": end, "phase": "Completed"}
    return rule(backfillHistory=[{**record, "interval": "1h", **more}])


def test_windows_first_last_and_time_are_shown() -> None:
    assert said(rule(schedule={"operationTime": "90s"})) == [
        "cpu: 24 windows of 1h, up to 4 at once",
        "  first    [2026-11-20T00:00:00Z, 2026-11-20T01:00:00Z)",
        "  last     [2026-11-20T23:00:00Z, 2026-11-21T00:00:00Z)",
        "  time     9m (1m30s an operation on average, as its interval runs took; up to 4 at once)",
    ]


def test_a_start_between_windows_and_a_missing_end_are_those_that_admission_sets() -> None:
    head, first, last, time = said(rule(), start="2026-11-24T07:10:00Z", end=None)
    assert head == "cpu: 3 windows of 1h, up to 4 at once"
    assert first == "  first    [2026-11-24T07:00:00Z, 2026-11-24T08:00:00Z)"
    assert last == "  last     [2026-11-24T09:00:00Z, 2026-11-24T10:00:00Z)"
    assert time == "  time     unknown (no operation of this rule has ended yet)"


def test_windows_that_ran_are_counted_once_and_kusto_appends_them_once() -> None:
    live = history("2026-11-20T20:00:00Z", "2026-11-22T00:00:00Z")
    live["metadata"]["creationTimestamp"] = "2026-11-20T22:30:00Z"
    live["status"]["schedule"] = {"cursor": "2026-11-24T10:00:00Z"}
    (overlap,) = said(live)[4:]
    assert overlap == "  overlap  4 windows done or running already: Kusto appends nothing again"


@pytest.mark.parametrize(
    ("past", "patch"),
    [
        ({"id": "once"}, {}),
        ({}, {"requestId": "once"}),
        ({"interval": "30m"}, {}),
    ],
)
def test_windows_of_another_request_are_said_to_be_appended_again(
    past: dict[str, str], patch: dict[str, str]
) -> None:
    live = history("2026-11-19T20:00:00Z", "2026-11-20T02:30:00Z", **past)
    (overlap,) = said(live, **patch)[4:]
    assert overlap.startswith("  overlap  3 windows done or running by a request with another")
    assert SECOND_RUN in overlap


def test_an_extension_shows_what_is_left() -> None:
    live = rule(backfill=running(requestKey="k", interval="1h"))
    live["spec"]["backfill"] = {"start": "2026-11-10T21:00:00Z", "end": "2026-11-24T00:00:00Z"}
    patch = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-11T00:00:00Z"}
    assert said(live, **patch)[0] == "cpu: 3 windows of 1h, up to 4 at once"


def test_nothing_is_shown_of_a_request_that_has_run_or_that_is_refused() -> None:
    assert said(history(DAY["start"], DAY["end"])) == []
    assert said(rule(), end=DAY["start"]) == []
    assert said(rule(), maxInFlight="many") == []


def test_in_mode_replace_windows_that_ran_are_said_to_be_replaced() -> None:
    live = history("2026-11-20T20:00:00Z", "2026-11-22T00:00:00Z")
    live["spec"]["writeMode"] = "Replace"
    (overlap,) = said(live)[4:]
    assert overlap == (
        "  overlap  4 windows done or running by another request: their rows are replaced"
    )
