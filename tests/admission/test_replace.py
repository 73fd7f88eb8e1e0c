"""Mode Replace at admission: what could not be replaced is refused, with what to write."""

from typing import Any

import pytest

from tests.manifests import Json, admit, rule, span, stored

START, END = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"
SINCE = "2026-11-20T12:00:00Z"


def asked(old: Json, **backfill: Any) -> Any:
    """Somebody adds a backfill in mode Replace to a stored rule."""
    return admit(rule(span(START, END, **backfill), writeMode="Replace"), old)


def replacing(since: str = SINCE) -> Json:
    status = {"since": since, "interval": "1h", "tagsSince": "2026-10-20T00:00:00Z"}
    return stored(rule(writeMode="Replace"), status={"replace": status})


def test_a_backfill_before_the_rule_is_replaceable_is_refused_with_the_command() -> None:
    [message] = asked(replacing()).messages
    assert message.startswith(f'spec.backfill.start: Invalid value: "{START}": rows of windows')
    assert (
        ".delete table CpuHourly records <| CpuHourly | where"
        f" Timestamp >= datetime({START}) and Timestamp < datetime({SINCE})"
    ) in message
    assert message.endswith("then set spec.backfill.untagged to Keep")


def test_the_same_backfill_runs_when_somebody_says_that_these_rows_stay() -> None:
    assert asked(replacing(), untagged="Keep").violations == ()
    assert asked(replacing(START)).violations == ()


@pytest.mark.parametrize(
    "status",
    [
        {"schedule": {"cursor": SINCE}},
        {"backfillHistory": [{"start": START, "end": SINCE, "phase": "Completed"}]},
    ],
    ids=["interval runs", "a backfill"],
)
def test_a_rule_that_appended_so_far_is_replaceable_from_its_last_window_on(status: Json) -> None:
    assert f"Timestamp < datetime({SINCE})" in asked(stored(rule(), status=status)).messages[0]


def test_another_interval_makes_what_is_there_not_replaceable() -> None:
    old = replacing(START)
    old["status"]["schedule"] = {"cursor": SINCE}
    manifest = rule(span(START, END), writeMode="Replace", interval="30m")
    assert admit(manifest, old).fields == ["spec.backfill.start"]


def test_a_new_rule_and_a_rule_without_windows_are_replaceable() -> None:
    manifest = rule(span(START, END), writeMode="Replace")
    assert admit(manifest).violations == ()
    assert asked(stored(rule())).violations == ()


def test_mode_append_is_not_asked() -> None:
    old = stored(rule(), status={"schedule": {"cursor": SINCE}})
    assert admit(rule(span(START, END)), old).violations == ()


def test_an_unrelated_edit_of_a_running_backfill_passes() -> None:
    old = replacing()
    old["spec"]["backfill"] = span(START, END)
    edited = rule(span(START, END), writeMode="Replace", ingestionDelay="5m")
    assert admit(edited, old).violations == ()


def test_the_mode_has_two_values() -> None:
    [message] = admit(rule(writeMode="replace")).messages
    assert message.startswith("spec.writeMode: ")
    assert "Append" in message
    assert "Replace" in message
    assert admit(rule(span(START, END, untagged="keep"))).fields == ["spec.backfill.untagged"]


def test_a_body_must_use_both_bounds() -> None:
    body = "T | where Timestamp > _startTime // and _endTime"
    assert admit(rule(writeMode="Replace", body=body)).fields == ["spec.body"]
    stored_rule = stored(rule(body=body))
    assert admit(rule(writeMode="Replace", body=body), stored_rule).fields == ["spec.body"]


@pytest.mark.parametrize(
    ("body", "is_query"),
    [
        ("let A = T;", False),
        ("let A = T; let B = A | count;", False),
        ("// c\nlet f = (x: int) { let y = 1; x };", False),
        ("set notruncation; let A = T", False),
        ("declare query_parameters(x: int = 1);", False),
        ("let A = T; A", True),
        ("let A = T; // let\nA | take 1;", True),
        ("T", True),
        ("let f = () { let y = 1; print y }; f()", True),
    ],
)
def test_a_body_of_declarations_only_is_refused(body: str, is_query: bool) -> None:  # noqa: FBT001
    assert admit(rule(body=body)).fields == ([] if is_query else ["spec.body"])
