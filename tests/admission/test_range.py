"""``spec.backfill`` start and end: alignment, defaults, refusals and warnings."""

import pytest

from summaryrule.admission.validation import review
from tests.manifests import NOW, admit, rule, span


def test_a_start_equal_to_the_end_is_refused_as_start() -> None:
    result = admit(rule(span("2026-11-20T05:30:00Z", "2026-11-20T05:30:00Z")))
    assert result.fields == ["spec.backfill.start"]
    assert "must be before end 2026-11-20T05:30:00Z" in result.messages[0]


def test_a_start_after_the_end_is_left_as_written_for_the_next_stages() -> None:
    result = admit(rule(span("2026-11-20T05:50:00Z", "2026-11-20T05:10:00Z")))
    assert result.fields == ["spec.backfill.start"]
    assert result.backfill == span("2026-11-20T05:50:00Z", "2026-11-20T05:10:00Z")


def test_a_range_of_one_tick_becomes_its_whole_window() -> None:
    result = admit(rule(span("2026-11-20T05:30:00Z", "2026-11-20T05:30:00.0000001Z")))
    assert result.violations == ()
    assert result.backfill == span("2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z")


def test_an_unaligned_range_is_widened_to_the_grid_and_said_so() -> None:
    result = admit(rule(span("2026-11-20T05:30:00Z", "2026-11-20T07:00:01Z")))
    assert result.backfill == span("2026-11-20T05:00:00Z", "2026-11-20T08:00:00Z")
    assert result.warnings[:2] == (
        (
            "spec.backfill.start: aligned to whole windows of 1h:"
            " from 2026-11-20T05:30:00Z to 2026-11-20T05:00:00Z"
        ),
        (
            "spec.backfill.end: aligned to whole windows of 1h:"
            " from 2026-11-20T07:00:01Z to 2026-11-20T08:00:00Z"
        ),
    )


def test_an_offset_is_written_in_utc_and_said_so() -> None:
    result = admit(rule(span("2026-11-20T05:00:00+02:00", "2026-11-20T05:00:00Z")))
    assert result.backfill == span("2026-11-20T03:00:00Z", "2026-11-20T05:00:00Z")
    assert result.warnings == (
        (
            "spec.backfill.start: written in UTC:"
            " from 2026-11-20T05:00:00+02:00 to 2026-11-20T03:00:00Z"
        ),
    )


def test_trailing_zeros_are_trimmed() -> None:
    result = admit(rule(span("2026-11-20T05:00:00.000Z", "2026-11-20T06:00:00.0000000Z")))
    assert result.backfill == span("2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z")


def test_an_aligned_range_is_stored_as_written_without_a_warning() -> None:
    result = admit(rule(span("2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z")))
    assert result.backfill == span("2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z")
    assert result.warnings == ()


def test_an_interval_larger_than_the_range_takes_the_whole_window() -> None:
    result = admit(rule(span("2026-11-17T05:00:00Z", "2026-11-18T06:00:00Z"), interval="168h"))
    assert result.backfill == span("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z")


def test_a_month_long_interval_is_aligned_to_its_own_grid() -> None:
    result = admit(rule(span("2026-11-20T05:00:00Z", "2026-11-21T00:00:00Z"), interval="720h"))
    assert result.violations == ()
    assert result.backfill == span("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")


def test_a_missing_end_is_the_end_of_the_last_complete_window() -> None:
    result = admit(rule(span("2026-11-20T00:00:00Z"), ingestionDelay="45m"))
    assert result.backfill["end"] == "2026-11-24T05:00:00Z"
    assert (
        "spec.backfill.end: not given; set to 2026-11-24T05:00:00Z,"
        " the end of the last complete window"
    ) in result.warnings


def test_an_end_of_null_counts_as_missing() -> None:
    result = admit(rule({"start": "2026-11-20T00:00:00Z", "end": None}))
    assert result.backfill["end"] == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T23:59:60Z",
        "2026-11-20T05:00:00.12345678Z",
        "2026-11-20t05:00:00Z",
        "2026-11-20T05:00:00z",
        "2026-11-20 05:00:00Z",
        "2026-11-20T05:00:00",
        "2026-11-20T05:00:00+25:00",
        "2026-11-20T05:00:00,5Z",
        "2026-02-29T05:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "now",
        "",
    ],
)
def test_what_is_no_time_is_never_cut_but_refused_with_what_to_write(text: str) -> None:
    for name in ("start", "end"):
        backfill = span("2026-11-20T05:00:00Z", "2026-11-20T06:00:00Z") | {name: text}
        result = admit(rule(backfill))
        assert result.fields == [f"spec.backfill.{name}"]
        assert "such as 2026-01-31T13:00:00Z" in result.messages[0]
        assert result.backfill[name] == text


@pytest.mark.parametrize("value", [5, 1.5, True, ["x"], {"a": 1}])
def test_a_time_of_another_type_is_refused_as_the_server_would(value: object) -> None:
    result = admit(rule({"start": value, "end": "2026-11-20T06:00:00Z"}))
    assert result.fields == ["spec.backfill.start"]
    assert "must be of type string" in result.messages[0]


def test_a_missing_start_is_required() -> None:
    result = admit(rule({"end": "2026-11-20T06:00:00Z"}))
    assert result.fields == ["spec.backfill.start"]
    assert result.messages[0].startswith("spec.backfill.start: Required value: write the start")


def test_the_year_one_is_a_time_and_too_old() -> None:
    result = admit(rule(span("0001-01-01T00:00:00Z", "2026-11-20T06:00:00Z")))
    assert result.fields == ["spec.backfill.start"]
    assert "is more than 30 days ago" in result.messages[0]


def test_the_year_9999_is_a_time_and_too_far_ahead() -> None:
    result = admit(rule(span("2026-11-20T00:00:00Z", "9999-12-31T23:59:59.9999999Z")))
    assert result.fields == ["spec.backfill.end"]
    assert "is more than 30 days in the future" in result.messages[0]


def test_the_earliest_start_is_the_boundary_at_or_before_30_days_ago() -> None:
    assert admit(rule(span("2026-10-25T06:00:00Z", "2026-11-20T06:00:00Z"))).violations == ()
    result = admit(rule(span("2026-10-25T05:59:59.9999999Z", "2026-11-20T06:00:00Z")))
    assert result.messages == [
        (
            'spec.backfill.start: Invalid value: "2026-10-25T05:00:00Z":'
            " is more than 30 days ago; write 2026-10-25T06:00:00Z or later"
        )
    ]


def test_a_day_long_interval_reaches_back_to_its_own_boundary() -> None:
    wanted = rule(span("2026-10-25T00:00:00Z", "2026-11-20T00:00:00Z"), interval="24h")
    assert admit(wanted).violations == ()


def test_a_range_wholly_too_old_is_refused_at_both_fields() -> None:
    result = admit(rule(span("2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z")))
    assert result.fields == ["spec.backfill.start", "spec.backfill.end"]


def test_a_start_in_the_future_is_refused() -> None:
    result = admit(rule(span("2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z")))
    assert result.fields == ["spec.backfill.start"]
    assert "is in the future; write a start before now (2026-11-24T06:30:00Z)" in result.messages[0]


def test_an_end_at_most_30_days_ahead_is_warned_of() -> None:
    result = admit(rule(span("2026-11-20T00:00:00Z", "2026-12-24T07:00:00Z")))
    assert result.violations == ()
    assert any("is in the future" in warning for warning in result.warnings)
    assert admit(rule(span("2026-11-20T00:00:00Z", "2026-12-24T08:00:00Z"))).fields == [
        "spec.backfill.end"
    ]


def test_a_range_that_the_schedule_runs_as_well_has_one_token_a_window_and_no_warning() -> None:
    assert admit(rule(span("2026-11-20T00:00:00Z", "2026-11-24T06:00:00Z"))).warnings == ()


@pytest.mark.parametrize("value", [0, 21, "3", 1.5])
def test_max_in_flight_outside_1_to_20_is_refused(value: object) -> None:
    backfill = span("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", maxInFlight=value)
    assert admit(rule(backfill)).fields == ["spec.backfill.maxInFlight"]


def test_a_bad_interval_does_not_hide_a_start_that_is_too_old() -> None:
    result = admit(rule(span("2026-10-01T00:00:00Z", "2026-11-21T00:00:00Z"), interval="1d"))
    assert result.fields == ["spec.interval", "spec.backfill.start"]


def test_the_audit_says_the_range_and_its_windows() -> None:
    wanted = rule(span("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"))
    found = review(None, wanted, user="a", worker="w", now=NOW, parse_cel=lambda _: None)
    assert found.audit == {
        "decision": "allowed",
        "requested-range": "[2026-11-20T00:00:00Z, 2026-11-21T00:00:00Z)",
        "windows": "24",
    }


@pytest.mark.parametrize("interval", ["2h", "24h", "168h"])
def test_another_interval_leaves_an_old_range_where_it_was_stored(interval: str) -> None:
    """Aligning it anew would move its start, which is then judged, and 60 days ago is too long."""
    old = rule(span("2026-09-25T11:00:00Z", "2026-09-26T11:00:00Z"))
    result = admit(
        rule(span("2026-09-25T11:00:00Z", "2026-09-26T11:00:00Z"), interval=interval), old
    )
    assert (result.violations, result.warnings) == ((), ())
    assert result.backfill == span("2026-09-25T11:00:00Z", "2026-09-26T11:00:00Z")
