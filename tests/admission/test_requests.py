"""Requests over time: applied again, extended, repeated, forged; and what is never refused."""

import pytest

from summaryrule.api.constants import DEFAULTED_END_ANNOTATION, REQUESTED_BY_ANNOTATION
from tests.admission.stored_backfills import CURSOR, END, START, done, running
from tests.manifests import NOW, WORKER, Json, admit, rule, span, stored

LATER = NOW.plus(40 * 864_000_000_000)
PHASES = ["Pending", "Running", "Paused", "Failed"]


def _annotations(stored_rule: Json) -> Json:
    found = stored_rule["metadata"].get("annotations", {})
    assert isinstance(found, dict)
    return found


# A running backfill, applied again.


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("end", [END, None])
def test_reapplying_a_running_backfill_keeps_its_cursor(phase: str, end: str | None) -> None:
    old = running(phase=phase)
    for now in (NOW, LATER):
        result = admit(rule(span(START, end)), old, user="bob", now=now)
        assert result.violations == ()
        assert result.warnings == ()
        assert result.object["spec"] == old["spec"]
        assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "alice"


def test_reapplying_it_off_the_grid_or_with_an_offset_keeps_its_cursor() -> None:
    old = running()
    for start in ("2026-11-20T00:20:00Z", "2026-11-20T02:00:00+02:00"):
        assert admit(rule(span(start, END)), old).object["spec"] == old["spec"]


def test_reapplying_it_with_its_request_id_keeps_its_cursor() -> None:
    old = running(request_id="one")
    result = admit(rule(span(START, END, requestId="one")), old)
    assert result.object["spec"] == old["spec"]


def test_reapplying_it_with_other_settings_takes_them_and_keeps_its_cursor() -> None:
    result = admit(rule(span(START, END, maxInFlight=8, suspend=True)), running())
    assert result.backfill == {
        **span(CURSOR, END, operationId="op-6"),
        "maxInFlight": 8,
        "suspend": True,
    }


@pytest.mark.parametrize("phase", PHASES)
def test_removing_a_backfill_that_has_not_finished_is_warned_of(phase: str) -> None:
    old = running(phase=phase)
    old["status"]["backfill"]["progress"] = "5/24"
    (warning,) = admit(rule(), old).warnings
    assert warning == (
        "spec.backfill: is removed before it has finished, which cancels it after 5/24 windows; to"
        " finish it, apply the same backfill again: it continues from there"
    )


def test_another_request_over_one_that_has_not_finished_is_warned_of() -> None:
    old = running()
    old["status"]["backfill"]["progress"] = "5/24"
    assert (
        "spec.backfill: replaces a backfill that has not finished and that ends after 5/24 windows"
        in admit(rule(span("2026-11-18T00:00:00Z", END)), old).warnings
    )


def test_removing_a_backfill_that_has_ended_is_not_warned_of() -> None:
    old = running(phase="Completed")
    assert admit(rule(), old).warnings == ()


def test_a_later_end_extends_it_and_keeps_its_cursor() -> None:
    result = admit(rule(span(START, "2026-11-22T00:00:00Z")), running(), user="bob")
    assert result.violations == ()
    assert result.backfill == span(CURSOR, "2026-11-22T00:00:00Z", operationId="op-6")
    assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "alice"


def test_an_earlier_end_shortens_it_and_keeps_its_cursor() -> None:
    result = admit(rule(span(START, "2026-11-20T10:00:00Z")), running())
    assert result.backfill == span(CURSOR, "2026-11-20T10:00:00Z", operationId="op-6")


@pytest.mark.parametrize("end", ["2026-11-20T05:00:00Z", "2026-11-20T02:00:00Z"])
def test_an_end_at_or_before_the_cursor_is_admitted_and_asks_it_to_stop_there(end: str) -> None:
    result = admit(rule(span(START, end)), running(), user="bob")
    assert result.violations == ()
    assert result.backfill == span(START, end, operationId="op-6")
    assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "alice"


def test_a_start_inside_it_keeps_its_cursor_and_says_how_to_run_again() -> None:
    old = running()
    result = admit(rule(span("2026-11-20T03:00:00Z", END)), old)
    assert result.object["spec"] == old["spec"]
    assert "nothing that has run runs again without a new requestId" in result.warnings[0]


@pytest.mark.parametrize("start", ["2026-11-19T00:00:00Z", "2026-11-20T06:00:00Z"])
def test_a_start_outside_what_is_done_is_a_new_request(start: str) -> None:
    result = admit(rule(span(start, END)), running(), user="bob")
    assert result.backfill == span(start, END, operationId="op-6")
    assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "bob"


def test_a_new_request_id_is_a_new_request_and_may_be_too_old() -> None:
    result = admit(rule(span(START, END, requestId="two")), running(), user="bob")
    assert result.violations == ()
    assert result.backfill["start"] == START
    assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "bob"
    late = admit(rule(span(START, END, requestId="two")), running(), now=LATER)
    assert late.fields == ["spec.backfill.start", "spec.backfill.end"]


def test_an_edit_of_the_interval_mid_run_leaves_the_request_what_it_is() -> None:
    old = running()
    for interval in ("24h", "45m", "2h"):
        result = admit(rule(span(START, END), interval=interval), old)
        assert result.violations == ()
        assert result.backfill["start"] == CURSOR
        assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "alice"


def test_a_request_from_off_a_coarser_grid_is_the_same_after_an_edit_of_the_interval() -> None:
    old = running(cursor="2026-11-20T03:00:00Z")
    old["status"]["backfill"]["requestedStart"] = "2026-11-20T01:00:00Z"
    result = admit(rule(span("2026-11-20T01:00:00Z", END), interval="24h"), old)
    assert result.backfill["start"] == "2026-11-20T03:00:00Z"


# History.


@pytest.mark.parametrize("end", [END, None, "2026-11-20T12:00:00Z"])
@pytest.mark.parametrize("now", [NOW, LATER])
def test_a_done_backfill_left_in_the_manifest_is_dropped_with_a_warning(
    end: str | None, now: object
) -> None:
    old = done()
    result = admit(rule(span(START, end)), old, now=LATER if now is LATER else NOW)
    assert result.violations == ()
    assert "backfill" not in result.object["spec"]
    assert result.warnings == (
        (
            f"spec.backfill: from {START} was done at 2026-11-22T08:00:00Z up to {END} and is not"
            " run again; to run it again set spec.backfill.requestId to a new value"
        ),
    )
    assert _annotations(result.object) == _annotations(old)


def test_a_done_backfill_in_the_manifest_leaves_another_one_that_runs_alone() -> None:
    old = running(request_id="two")
    old["status"]["backfillHistory"] = done()["status"]["backfillHistory"]
    result = admit(rule(span(START, END)), old, user="bob")
    assert result.object["spec"] == old["spec"]
    assert _annotations(result.object) == _annotations(old)


def test_a_done_backfill_with_a_later_end_goes_on() -> None:
    result = admit(rule(span(START, "2026-11-22T00:00:00Z")), done())
    assert result.violations == ()
    assert result.backfill == span(START, "2026-11-22T00:00:00Z")


def test_a_done_backfill_with_a_new_request_id_runs_again() -> None:
    assert admit(rule(span(START, END, requestId="two")), done()).backfill["requestId"] == "two"


def test_a_canceled_backfill_applied_again_keeps_its_end_and_goes_on() -> None:
    result = admit(rule(span(START)), done(until=CURSOR, phase="Canceled"))
    assert result.backfill == span(START, END)


def test_a_start_that_is_not_before_its_end_is_refused_even_if_history_has_it() -> None:
    result = admit(rule(span(START, "2026-11-19T00:00:00Z")), done())
    assert result.fields == ["spec.backfill.start"]


def test_a_done_backfill_is_known_when_mutate_was_down_too() -> None:
    result = admit(rule(span(START, END)), done(), now=LATER, mutate=False)
    assert result.violations == ()
    assert "is not run again" in result.warnings[0]


def test_a_done_backfill_is_known_after_an_edit_of_the_interval() -> None:
    for interval in ("2h", "24h", "45m"):
        result = admit(rule(span(START, "2026-11-20T12:00:00Z"), interval=interval), done())
        assert "backfill" not in result.object["spec"]


# Ratcheting.


def test_an_unrelated_edit_of_a_rule_with_an_old_backfill_passes() -> None:
    old = running()
    edited = {**old, "spec": {**old["spec"], "suspend": True}}
    assert admit(edited, old, now=LATER).violations == ()


def test_the_workers_own_progress_is_never_held_against_an_edit() -> None:
    old = running()
    result = admit(rule(span(START, END), suspend=True), old, now=LATER, mutate=False)
    assert result.violations == ()


def test_only_the_field_that_changed_is_judged() -> None:
    old = stored(rule(span(START, END)))
    new = {**old, "spec": {**old["spec"], "backfill": span(START, "2026-11-20T12:00:00Z")}}
    assert admit(new, old, now=LATER).fields == ["spec.backfill.end"]
    extended = {**old, "spec": {**old["spec"], "backfill": span(START, str(LATER))}}
    assert admit(extended, old, now=LATER).violations == ()


def test_a_bad_stored_pair_refuses_no_other_edit() -> None:
    old = rule(span(END, START))
    edited = {**old, "spec": {**old["spec"], "suspend": True}}
    assert admit(edited, old).violations == ()


@pytest.mark.parametrize("change", ["finalizers", "labels", "status", "nothing"])
def test_a_change_outside_spec_passes_whatever_spec_holds(change: str) -> None:
    old = rule(span(END, START), table="['bad']", interval="1d")
    new = {**old, "metadata": {**old["metadata"], change: ["x"]}}
    assert admit(new, old).violations == ()


def test_deletion_passes_with_an_invalid_spec() -> None:
    old = rule(span(END, START), interval="1d")
    going = {**old, "metadata": {**old["metadata"], "deletionTimestamp": "2026-11-24T06:00:00Z"}}
    going["spec"] = {**old["spec"], "table": "['x']"}
    result = admit(going, old)
    assert result.violations == ()
    assert result.object == going


def test_removing_the_backfill_passes() -> None:
    result = admit(rule(), running())
    assert result.violations == ()
    assert "backfill" not in result.object["spec"]


# Whose word it is.


def test_the_requester_is_written_on_create_and_on_a_new_request_only() -> None:
    created = admit(rule(span(START, END)), user="alice").object
    assert _annotations(created)[REQUESTED_BY_ANNOTATION] == "alice"
    edited = {**created, "spec": {**created["spec"], "suspend": True}}
    assert (
        _annotations(admit(edited, created, user="bob").object)[REQUESTED_BY_ANNOTATION] == "alice"
    )
    assert _annotations(admit(rule(), user="alice").object) == {}


@pytest.mark.parametrize("written", ["mallory", "bob", ""])
def test_a_forged_requester_is_put_back_and_said_so(written: str) -> None:
    old = running()
    forged = {
        **old,
        "metadata": {**old["metadata"], "annotations": {REQUESTED_BY_ANNOTATION: written}},
    }
    result = admit(forged, old, user="bob")
    assert _annotations(result.object)[REQUESTED_BY_ANNOTATION] == "alice"
    assert any("is set by admission; put back" in warning for warning in result.warnings)


def test_a_requester_left_out_is_put_back_without_a_word() -> None:
    old = running()
    bare = {**old, "metadata": {**old["metadata"], "annotations": {"team": "metrics"}}}
    result = admit(bare, old, user="bob")
    assert _annotations(result.object) == {"team": "metrics", REQUESTED_BY_ANNOTATION: "alice"}
    assert result.warnings == ()


def test_a_forged_requester_is_refused_when_mutate_was_down() -> None:
    forged = rule(span(START, END))
    forged["metadata"]["annotations"] = {REQUESTED_BY_ANNOTATION: "mallory"}
    result = admit(forged, user="bob", mutate=False)
    assert result.fields == [f"metadata.annotations[{REQUESTED_BY_ANNOTATION}]"]
    assert "Forbidden: is set by admission to the requester, bob" in result.messages[0]


def test_a_forged_operation_is_dropped_on_create_and_put_back_on_update() -> None:
    forged = rule(span(START, END, operationId="mine"))
    created = admit(forged)
    assert "operationId" not in created.backfill
    assert "spec.backfill.operationId: is set by the worker only; put back" in created.warnings
    assert admit(forged, running()).backfill["operationId"] == "op-6"


def test_a_forged_operation_is_refused_when_mutate_was_down() -> None:
    forged = rule(span(START, END, operationId="mine"))
    for old in (None, running()):
        result = admit(forged, old, mutate=False)
        assert result.fields == ["spec.backfill.operationId"]


def test_the_worker_writes_what_it_likes() -> None:
    old = running()
    written = {**old, "spec": {**old["spec"], "backfill": span(END, START, operationId="op-9")}}
    result = admit(written, old, user=WORKER)
    assert result.violations == ()
    assert result.object == written


def test_an_end_that_admission_chose_is_noted_for_the_worker() -> None:
    chosen = admit(rule(span(START)))
    assert _annotations(chosen.object)[DEFAULTED_END_ANNOTATION] == chosen.backfill["end"]
    assert DEFAULTED_END_ANNOTATION not in _annotations(admit(rule(span(START, END))).object)
