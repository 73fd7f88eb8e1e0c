"""The warnings that name the windows whose rows are appended again, and why."""

from typing import Any

import pytest

from tests.manifests import Json, admit, rule, span, stored

START, END = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"
RECORD: Json = {
    "start": "2026-11-20T06:00:00Z",
    "end": "2026-11-20T18:00:00Z",
    "doneUntil": "2026-11-20T12:00:00Z",
    "interval": "1h",
    "sharesTokens": True,
    "phase": "Canceled",
}


def warned(old: Json, request_id: str | None = None, **spec: Any) -> str:
    """The warning about these rows, or nothing."""
    asked = span(START, END) | ({"requestId": request_id} if request_id else {})
    manifest = rule(asked, **{**{n: v for n, v in old["spec"].items() if n != "backfill"}, **spec})
    result = admit(manifest, old)
    assert result.violations == (), result.messages
    return next((text for text in result.warnings if "appended again" in text), "")


def with_record(**changes: Any) -> Json:
    return stored(rule(), status={"backfillHistory": [RECORD | changes]})


def scheduled(**status: Any) -> Json:
    old = stored(rule(), status={"schedule": status})
    old["metadata"]["creationTimestamp"] = "2026-11-20T10:30:00Z"
    return old


def test_windows_of_another_backfill_are_not_appended_again() -> None:
    assert warned(with_record()) == ""


def test_windows_under_another_request_id_are_named() -> None:
    assert warned(with_record(), "again") == (
        "spec.backfill: windows whose rows may be in the table already are appended again: from"
        " [2026-11-20T06:00:00Z, 2026-11-20T12:00:00Z) (written with no requestId); remove these"
        " rows first, or leave the windows out"
    )
    assert "(written with requestId first)" in warned(with_record(id="first"), "again")
    assert "(written with requestId first)" in warned(with_record(id="first"))
    assert warned(with_record(id="again"), "again") == ""


@pytest.mark.parametrize("request_id", [None, "again"])
def test_windows_with_another_interval_are_named(request_id: str | None) -> None:
    old = with_record(interval="15m")
    assert "12:00:00Z) (written with interval 15m)" in warned(old, request_id)


def test_windows_of_an_earlier_release_are_named() -> None:
    old = with_record(sharesTokens=False)
    assert "(written with tokens of another backfill)" in warned(old)


def test_windows_of_the_running_request_are_named() -> None:
    current = {
        "requestKey": "k",
        "requestedStart": "2026-11-20T03:00:00Z",
        "requestedEnd": "2026-11-20T20:00:00Z",
        "doneUntil": "2026-11-20T05:00:00Z",
        "interval": "1h",
        "phase": "Running",
    }
    old = stored(rule(), status={"backfill": current})
    assert "from [2026-11-20T03:00:00Z, 2026-11-20T05:00:00Z) (written with" in warned(old)


def test_interval_runs_are_appended_again_with_a_request_id_only() -> None:
    old = scheduled(cursor="2026-11-20T20:00:00Z", interval="1h")
    assert warned(old) == ""
    text = "from [2026-11-20T09:00:00Z, 2026-11-21T00:00:00Z) (written by interval runs)"
    assert text in warned(old, "again")
    until = "from [2026-11-20T09:00:00Z, 2026-11-20T20:00:00Z) (written by interval runs)"
    assert until in warned(old, "again", suspend=True)


def test_interval_runs_with_an_earlier_interval_are_named() -> None:
    earlier = [{"interval": "5m", "until": "2026-11-20T11:00:00Z"}]
    old = scheduled(cursor="2026-11-20T20:00:00Z", interval="1h", earlierGrids=earlier)
    text = f"from [{START}, 2026-11-20T11:00:00Z) (written with interval 5m)"
    assert text in warned(old)
    edited = f"from [{START}, 2026-11-20T20:00:00Z) (written with interval 1h)"
    assert edited in warned(old, interval="30m")


def test_windows_that_adx_mon_wrote_are_named() -> None:
    old = scheduled(cursor="2026-11-20T20:00:00Z", upstreamUntil="2026-11-20T08:00:00Z")
    assert f"from [{START}, 2026-11-20T08:00:00Z) (written by adx-mon)" in warned(old)


def test_windows_that_adx_mon_wrote_are_named_before_this_operator_has_the_rule() -> None:
    condition = {
        "type": "summaryrule.adx-mon.azure.com/LastSuccessfulExecution",
        "status": "True",
        "message": "2026-11-20T08:00:00Z",
    }
    old = stored(rule(), status={"conditions": [condition]})
    assert warned(old) == (
        f"spec.backfill: windows whose rows may be in the table already are appended again: from"
        f" [{START}, 2026-11-20T08:00:00Z) (written by adx-mon); remove these rows first, or leave"
        " the windows out"
    )
    assert "written by adx-mon" in warned(old, "again")
    old["status"]["conditions"][0]["message"] = "yesterday"
    assert warned(old) == ""


def test_a_schedule_that_cannot_be_read_names_nothing() -> None:
    assert warned(stored(rule(), status={"schedule": {"cursor": 5}})) == ""


# An edit of the interval.

RUN: Json = {"cursor": "2026-11-24T05:00:00Z", "interval": "1h"}


def edited(old: Json, **spec: Any) -> str:
    """The warning about the next windows after an edit of the spec, or nothing."""
    result = admit(rule(**{**old["spec"], **spec}), old)
    assert result.violations == (), result.messages
    return next((text for text in result.warnings if "spec.interval" in text), "")


@pytest.mark.parametrize("mode", ["Append", "Replace"])
def test_an_edit_of_the_interval_names_the_time_that_is_covered_again(mode: str) -> None:
    old = stored(rule(writeMode=mode), status={"schedule": RUN})
    assert edited(old, interval="6h") == (
        "spec.interval: the next windows cover a time whose rows are in the table already: from"
        " [2026-11-24T00:00:00Z, 2026-11-24T05:00:00Z) (written with interval 1h); remove these"
        " rows, or they are there twice, in mode Replace too"
    )


@pytest.mark.parametrize("interval", ["60m", "30m", "4h"])
def test_an_interval_whose_windows_begin_where_the_last_one_ended_covers_nothing_again(
    interval: str,
) -> None:
    old = stored(rule(), status={"schedule": {"cursor": "2026-11-24T04:00:00Z", "interval": "1h"}})
    assert edited(old, interval=interval) == ""


def test_windows_in_flight_and_failed_ones_count_as_written() -> None:
    sent = {"start": "2026-11-24T05:00:00Z", "end": "2026-11-24T06:00:00Z"}
    for name in ("inFlight", "failed"):
        old = stored(rule(), status={"schedule": RUN | {name: [sent]}})
        assert "[2026-11-24T00:00:00Z, 2026-11-24T06:00:00Z)" in edited(old, interval="12h")


def test_an_interval_that_is_taken_back_before_a_window_ran_covers_nothing_again() -> None:
    old = stored(rule(interval="6h"), status={"schedule": RUN})
    assert edited(old, interval="1h") == ""


def test_a_suspended_schedule_is_warned_of_when_it_resumes() -> None:
    old = stored(rule(suspend=True), status={"schedule": RUN})
    assert edited(old, interval="6h") == ""
    assert edited(old, suspend=False) == ""
    later = stored(rule(suspend=True, interval="6h"), status={"schedule": RUN})
    assert "05:00:00Z) (written with interval 1h)" in edited(later, suspend=False)
    assert edited(stored(rule(interval="6h"), status={"schedule": RUN}), table="Other") == ""


def test_windows_of_a_backfill_after_the_schedule_are_named_from_where_it_stands() -> None:
    record = RECORD | {"start": "2026-11-24T03:00:00Z", "doneUntil": "2026-11-24T06:00:00Z"}
    old = stored(rule(), status={"schedule": RUN, "backfillHistory": [record]})
    ranges = (
        "from [2026-11-24T00:00:00Z, 2026-11-24T05:00:00Z) (written with interval 1h), from"
        " [2026-11-24T05:00:00Z, 2026-11-24T06:00:00Z) (written with interval 1h)"
    )
    assert ranges in edited(old, interval="6h")
    current = {
        "requestKey": "k",
        "requestedStart": "2026-11-24T05:00:00Z",
        "requestedEnd": "2026-11-24T06:00:00Z",
        "doneUntil": "2026-11-24T05:00:00Z",
        "interval": "1h",
        "phase": "Pending",
    }
    old = stored(rule(), status={"schedule": RUN, "backfill": current})
    assert "05:00:00Z, 2026-11-24T06" not in edited(old, interval="6h")


def test_a_rule_that_has_not_run_covers_nothing_again() -> None:
    assert edited(stored(rule()), interval="6h") == ""
    assert admit(rule(interval="6h")).warnings == ()
