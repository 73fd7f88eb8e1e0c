"""What users change while a backfill runs, and what they apply again afterwards."""

import pytest

from summaryrule.api.constants import REQUESTED_BY_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.planner import query_validity, window_execution
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import (
    FIRST,
    HOUR,
    FakeEnvironment,
    backfilling,
    hours,
    is_valid,
)

END = "2026-11-20T06:00:00Z"


def _midway(done: int = 3) -> FakeEnvironment:
    """A backfill of six windows with some done and the next in flight."""
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    for _ in range(done):
        env.kusto.end_all()
        env.settle()
    return env


def _go(env: FakeEnvironment) -> None:
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()


def _manifest(
    start: str = FIRST, end: str | None = END, *, backfill: Json | None = None, **spec: str
) -> Json:
    """What lies in git; ``backfill`` holds further fields of it."""
    return rule(span(start, end, **(backfill or {})), suspend=True, **spec)


@pytest.mark.parametrize("mutate", [True, False])
@pytest.mark.parametrize("end", [END, None])
def test_reapplying_the_manifest_mid_run_rewinds_nothing(end: str | None, *, mutate: bool) -> None:
    env = _midway()
    if end or mutate:
        if mutate:
            env.apply(_manifest(end=end))
        else:
            env.edit(backfill=span(FIRST, END))
        env.settle()
    assert env.raw["spec"]["backfill"]["start"] == hours(4)[3]
    _go(env)
    assert env.kusto.starts == hours(6)
    assert len(env.kusto.submits) == 6


def test_a_spec_that_went_backwards_is_set_right_by_the_high_water_mark() -> None:
    env = _midway()
    env.edit(backfill=span(hours(2)[1], END))
    env.settle()
    assert env.raw["spec"]["backfill"]["start"] == hours(4)[3]
    assert len(env.kusto.submits) == 4


def test_a_later_end_extends_and_runs_nothing_again() -> None:
    env = _midway()
    env.apply(_manifest(end="2026-11-20T09:00:00Z"))
    _go(env)
    assert env.kusto.starts == hours(9)
    assert len(env.kusto.submits) == 9
    assert env.backfill.progress == "9/9"
    assert len(env.status.backfill_history) == 1


def test_an_earlier_end_shortens() -> None:
    env = _midway()
    env.apply(_manifest(end="2026-11-20T05:00:00Z"))
    _go(env)
    assert env.kusto.starts == hours(5)
    assert env.backfill.progress == "5/5"


def test_an_end_before_the_cursor_finishes_with_what_flies() -> None:
    env = _midway()
    env.apply(_manifest(end="2026-11-20T02:00:00Z"))
    _go(env)
    assert env.kusto.starts == hours(4)
    assert env.backfill.phase == "Completed"
    assert "backfill" not in env.raw["spec"]


def test_a_shorter_range_leaves_a_failed_window_behind_it() -> None:
    env = backfilling(6)
    env.kusto.state_of = lambda start, _n: "Failed" if start == hours(4)[3] else "Completed"
    env.run()
    env.edit(backfill=span(hours(4)[3], "2026-11-20T03:00:00.0000001Z"))
    env.edit(backfill=span(FIRST, "2026-11-20T03:00:00Z"))
    env.run()
    assert env.backfill.phase == "Completed"


def test_suspending_lets_what_flies_end_and_resuming_goes_on() -> None:
    env = _midway()
    env.apply(_manifest(backfill={"suspend": True}))
    env.settle()
    env.kusto.end_all()
    env.settle()
    assert (env.backfill.phase, env.kusto.in_progress) == ("Paused", [])
    assert env.block_reasons() == ["Suspended", "Paused"]
    assert env.raw["spec"]["backfill"]["start"] == hours(5)[4]
    env.sleep(24)
    env.apply(_manifest())
    _go(env)
    assert env.kusto.starts == hours(6)


def test_an_estimate_does_not_count_the_time_spent_paused() -> None:
    env = _midway(0)
    env.sleep(1)
    env.kusto.end_all()
    env.settle()
    env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": True})
    env.settle()
    assert env.backfill.estimated_completion is None
    env.kusto.end_all()
    env.settle()
    env.sleep(48)
    env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": False})
    env.settle()
    env.sleep(1)
    env.kusto.end_all()
    env.settle()
    assert env.backfill.progress == "3/6"
    assert env.backfill.estimated_completion == env.now.plus(3 * HOUR)


def test_another_request_supersedes_after_what_flies_has_ended() -> None:
    env = _midway()
    env.apply(_manifest(backfill={"requestId": "two"}), user="bob")
    env.settle()
    assert env.block_reasons() == ["Suspended", "Superseding"]
    assert len(env.kusto.submits) == 4
    _go(env)
    assert [record.phase for record in env.status.backfill_history] == ["Completed", "Superseded"]
    assert env.status.backfill_history[1].windows == 4
    assert env.status.backfill_history[0].by == "bob"
    assert env.kusto.starts == sorted([*hours(6), *hours(4)])
    assert len({each.token for each in env.kusto.data}) == 10


def test_another_start_supersedes() -> None:
    env = _midway()
    env.apply(_manifest("2026-11-19T22:00:00Z", FIRST))
    _go(env)
    assert env.kusto.starts == sorted([*hours(4), "2026-11-19T22:00:00Z", "2026-11-19T23:00:00Z"])


def test_a_paused_request_whose_last_submit_failed_can_be_superseded() -> None:
    env = backfilling(6)
    env.kusto.state_of = lambda _start, attempt: "Failed?" if attempt == 1 else "Completed"
    env.settle()
    env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": True})
    env.settle()
    assert env.backfill.in_flight[0].operation_id is None
    env.kusto.state_of = lambda _start, _attempt: "Completed"
    env.apply(_manifest(backfill={"requestId": "two"}))
    env.run()
    assert env.status.backfill_history[0].phase == "Completed"
    assert env.kusto.starts == hours(6)


def test_removing_the_backfill_cancels_what_flies_and_keeps_it_in_history() -> None:
    env = _midway()
    env.apply(rule(suspend=True))
    env.settle()
    assert env.kusto.canceled == ["op-4"]
    assert env.backfill.phase == "Canceled"
    record = env.status.backfill_history[0]
    assert (record.phase, str(record.done_until)) == ("Canceled", hours(4)[3])
    assert (record.windows, record.progress) == (3, env.backfill.progress)
    assert env.raw["metadata"]["finalizers"] == []
    assert env.status.observed_generation == env.raw["metadata"]["generation"]
    assert env.events[-1] == "BackfillCanceled"


def test_a_canceled_backfill_applied_again_goes_on_where_it_stood() -> None:
    env = _midway()
    env.apply(rule(suspend=True))
    env.settle()
    env.apply(_manifest(end=None))
    _go(env)
    assert env.kusto.starts == hours(6)
    assert env.backfill.progress == "6/6"


@pytest.mark.parametrize("phase", ["Paused", "Failed"])
def test_a_backfill_that_stands_still_can_be_removed(phase: str) -> None:
    env = backfilling(6)
    env.kusto.state_of = lambda start, _n: "Failed" if start == hours(3)[2] else "Completed"
    if phase == "Paused":
        env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": True})
    env.run()
    assert env.backfill.phase == phase
    env.apply(rule(suspend=True))
    env.run()
    assert env.backfill.phase == "Canceled"


# History.


def test_a_done_backfill_applied_again_completes_at_once_when_admission_was_down() -> None:
    env = backfilling(6)
    env.run()
    submits = len(env.kusto.submits)
    env.edit(backfill=span(FIRST, END))
    env.run()
    assert len(env.kusto.submits) == submits
    assert "backfill" not in env.raw["spec"]
    assert env.events[-1] == "BackfillAlreadyRan"
    assert len(env.status.backfill_history) == 1


def test_a_done_backfill_with_a_later_end_runs_only_what_is_new() -> None:
    env = backfilling(6)
    env.run()
    env.apply(_manifest(end="2026-11-20T08:00:00Z"))
    env.run()
    assert env.kusto.starts == hours(8)
    assert len(env.kusto.submits) == 8
    assert env.status.backfill_history[0].windows == 8


def test_a_done_backfill_runs_again_for_a_new_request_id_only() -> None:
    env = backfilling(2)
    env.run()
    env.edit(body="Other | where T between (_startTime .. _endTime)")
    env.edit(backfill=span(FIRST, "2026-11-20T02:00:00Z"))
    env.run()
    assert len(env.kusto.submits) == 2
    env.apply(_manifest(end="2026-11-20T02:00:00Z", backfill={"requestId": "again"}))
    env.run()
    assert len(env.kusto.submits) == 4


def test_a_later_end_while_the_removal_is_pending_goes_on() -> None:
    env = backfilling(2)
    while "BackfillCompleted" not in env.events:
        env.step()
        env._poll(env.decide())  # noqa: SLF001
    assert env.backfill.clearing
    env.edit(backfill=span(FIRST, "2026-11-20T04:00:00Z"))
    env.run()
    assert env.kusto.starts == hours(4)
    assert len(env.kusto.submits) == 4


def test_history_keeps_the_last_ten() -> None:
    env = backfilling(1)
    env.run()
    for number in range(12):
        env.apply(_manifest(end="2026-11-20T01:00:00Z", backfill={"requestId": f"run-{number}"}))
        env.run()
    assert [r.id for r in env.status.backfill_history] == [f"run-{n}" for n in range(11, 1, -1)]


def test_history_says_whether_admission_chose_the_end() -> None:
    env = FakeEnvironment(rule(suspend=True))
    env.run()
    env.apply(_manifest(end=None))
    env.run()
    env.apply(_manifest(backfill={"requestId": "two"}))
    env.run()
    assert [record.end_defaulted for record in env.status.backfill_history] == [False, True]


# The spec changes mid-run.

CHANGES = {
    "body": {"body": "Other\n| where Timestamp between (_startTime .. _endTime)"},
    "table": {"table": "Elsewhere"},
    "database": {"database": "Other"},
    "interval": {"interval": "2h"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_edit_mid_run_finishes_what_flies_and_then_waits_for_a_retry(change: str) -> None:
    env = _midway()
    env.edit(**CHANGES[change])
    env.settle()
    assert env.block_reasons() == ["Suspended", "SpecChanged"]
    env.kusto.end_all()
    env.settle()
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "SpecChanged")
    assert str(env.backfill.done_until) == hours(5)[4]
    assert len(env.kusto.submits) == 4
    assert env.events[-1] == "BackfillFailed"
    env.annotate(backfill_retry="all")
    _go(env)
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == ([*hours(5)] if change == "interval" else hours(6))
    assert str(env.backfill.done_until) == END


def test_a_retry_asked_for_together_with_the_edit_goes_on_by_itself() -> None:
    env = _midway()
    env.edit(**CHANGES["body"])
    env.annotate(backfill_retry="all")
    _go(env)
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == hours(6)
    assert ["Other" in each.text for each in env.kusto.data] == [False] * 4 + [True] * 2


def test_an_edit_taken_back_goes_on_by_itself() -> None:
    env = _midway()
    body = env.raw["spec"]["body"]
    env.edit(**CHANGES["body"])
    env.kusto.end_all()
    env.settle()
    assert env.backfill.phase == "Failed"
    env.edit(body=body)
    _go(env)
    assert env.kusto.starts == hours(6)


def test_an_edit_and_a_new_request_id_start_afresh() -> None:
    env = _midway()
    env.edit(**CHANGES["body"])
    env.apply(_manifest(backfill={"requestId": "two"}, **CHANGES["body"]))
    _go(env)
    assert [record.phase for record in env.status.backfill_history] == ["Completed", "Superseded"]


def test_skipping_the_failed_window_of_a_changed_spec_is_no_retry() -> None:
    env = backfilling(6)
    env.kusto.state_of = lambda start, _n: "Failed" if start == hours(3)[2] else "Completed"
    env.run()
    env.edit(**CHANGES["body"])
    env.annotate(backfill_skip=hours(3)[2])
    env.run()
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "SpecChanged")


def test_an_unanswered_submit_of_a_text_that_is_gone_is_looked_up_by_its_tag() -> None:
    for went_through in (True, False):
        env = backfilling(6)
        env.lost_replies = 1
        env.kusto.is_slow = not went_through
        while not env.kusto.submits:
            env.step()
        env.edit(**CHANGES["body"])
        env.settle()
        assert env.backfill.phase == "Failed"
        assert env.backfill.windows_done == int(went_through)
        env.annotate(backfill_retry="all")
        _go(env)
        assert env.kusto.starts == hours(6)


def test_an_unanswered_submit_keeps_its_bounds_however_the_interval_is_edited_later() -> None:
    env = backfilling(4)
    env.lost_replies, env.kusto.is_slow = 1, True
    while not env.kusto.submits:
        env.step()
    env.edit(**CHANGES["body"])
    env.settle()
    (lost,) = env.backfill.failed
    assert lost.error == window_execution.OUTCOME_UNKNOWN
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "SpecChanged")
    assert env.backfill.last_error == window_execution.OUTCOME_UNKNOWN
    env.edit(interval="30m")
    env.settle()
    env.annotate(backfill_retry="all")
    _go(env)
    covered = [(each.start[11:16], each.last[11:16]) for each in env.kusto.data]
    halves = [(f"0{hour}:{half}0", f"0{hour}:{half + 2}9") for hour in (1, 2, 3) for half in (0, 3)]
    assert sorted(covered) == [("00:00", "00:59"), *halves]


@pytest.mark.parametrize("change", ["body", "start"])
def test_a_retry_while_older_windows_fly_waits_and_is_not_tried_over_and_over(change: str) -> None:
    env = backfilling(6, maxInFlight=3)
    env.kusto.is_slow = True
    env.settle()
    env.edit(
        **(CHANGES["body"] if change == "body" else {"backfill": span("2026-11-19T22:00:00Z", END)})
    )
    env.kusto.end("op-2", "Failed")
    env.settle()
    env.annotate(backfill_retry="all")
    env.settle()
    assert len(env.kusto.submits) == 3
    assert [str(window.start) for window in env.backfill.failed] == [hours(2)[1]]
    _go(env)
    assert env.backfill.phase == "Completed"
    assert set(hours(6)) <= set(env.kusto.starts)


def test_a_text_that_is_put_back_leaves_no_window_without_a_word() -> None:
    env = backfilling(6, maxInFlight=2)
    env.kusto.is_slow = True
    while len(env.kusto.submits) < 2:
        env.lost_replies = len(env.kusto.submits) == 0
        env.step()
    before = env.raw["spec"]["body"]
    env.edit(**CHANGES["body"])
    env.settle()
    assert env.backfill.in_flight
    assert [window.error for window in env.backfill.failed] == [window_execution.OUTCOME_UNKNOWN]
    env.edit(body=before)
    env.settle()
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "WindowFailed")
    env.annotate(backfill_retry="all")
    _go(env)
    assert env.kusto.starts == hours(6)


@pytest.mark.parametrize("interval", ["30m", "2h"])
def test_a_longer_delay_does_not_make_a_window_that_may_have_been_sent_one_ahead(
    interval: str,
) -> None:
    """Its end has passed, so it was due once: it keeps its bounds although it is due no more."""
    asked = rule(span(FIRST, END), suspend=True)
    env = FakeEnvironment(stored(asked), now=Instant.parse("2026-11-20T01:20:00Z"))
    env.lost_replies, env.kusto.is_slow = 1, True
    while not env.kusto.submits:
        env.step()
    env.crash()
    env.edit(interval=interval, ingestionDelay="30m")
    env.settle()
    assert [str(window.end) for window in env.backfill.failed] == [hours(2)[1]]
    env.annotate(backfill_retry="all")
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.now = Instant.parse("2026-11-21T00:00:00Z")
    env.run()
    assert env.backfill.phase == "Completed"
    assert _bounds_meet(env)


def _bounds_meet(env: FakeEnvironment) -> bool:
    """Whether the data's windows follow each other without a gap or an overlap."""
    found = sorted((each.start, each.last) for each in env.kusto.data)
    ends = [str(Instant.parse(last).plus(1)) for _, last in found]
    return [start for start, _ in found[1:]] == ends[:-1]


def test_a_retry_of_one_of_several_windows_after_an_edit_sends_that_one_alone() -> None:
    env = backfilling(6, maxInFlight=3)
    env.kusto.is_slow = True
    env.settle()
    env.edit(**CHANGES["body"])
    env.kusto.end("op-1", "Failed")
    env.kusto.end("op-2", "Failed")
    env.kusto.end("op-3")
    env.settle()
    env.annotate(backfill_retry=hours(1)[0])
    env.settle()
    assert [each.start for each in env.kusto.submits[3:]] == hours(1)
    assert [str(window.start) for window in env.backfill.failed] == [hours(2)[1]]
    assert env.raw["metadata"]["annotations"].keys() == {REQUESTED_BY_ANNOTATION}
    env.annotate(backfill_retry="all")
    _go(env)
    assert env.kusto.starts == hours(6)


def test_a_retry_after_an_edit_that_names_no_window_is_taken_away_and_told_of() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    env.edit(**CHANGES["body"])
    env.kusto.end_all("Failed")
    env.settle()
    env.annotate(backfill_retry="2026-11-20T09:00:00Z")
    env.settle()
    assert env.events[-1] == "AnnotationIgnored"
    assert env.raw["metadata"]["annotations"].keys() == {REQUESTED_BY_ANNOTATION}


def test_a_retry_that_waits_for_the_backfill_sends_no_refused_window_over_and_over() -> None:
    asked = rule(span("2026-11-19T00:00:00Z", "2026-11-19T06:00:00Z"))
    env = FakeEnvironment(stored(asked), now=Instant.parse("2026-11-20T00:00:00Z"))
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end(env.kusto.in_progress[0])
    env.settle()
    env.edit(**CHANGES["body"])
    env.sleep(1)
    env.refusals = {"2026-11-20T00:00:00Z": "SEM0100"}
    env.settle()
    env.annotate(backfill_retry="all")
    env.settle()
    assert [str(window.start) for window in env.schedule.failed] == ["2026-11-20T00:00:00Z"]
    env.refusals = {}
    _go(env)
    env.kusto.is_slow = False
    _go(env)
    assert env.backfill.phase == "Completed"
    assert env.schedule.failed == ()


def test_gaps_left_by_a_change_of_interval_are_cut_at_what_is_done() -> None:
    env = backfilling(8, maxInFlight=3)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end("op-1")
    env.kusto.end("op-3")
    env.edit(interval="4h")
    env.settle()
    env.kusto.end_all("Failed")
    env.settle()
    env.annotate(backfill_skip=hours(2)[1], backfill_retry=hours(8)[7])
    _go(env)
    covered = [(each.start[11:16], each.last[11:16]) for each in env.kusto.data]
    assert sorted(covered) == [
        ("00:00", "00:59"),
        ("02:00", "02:59"),
        ("03:00", "03:59"),
        ("04:00", "07:59"),
    ]


def test_an_edit_that_runs_nothing_else_leaves_the_backfill_alone() -> None:
    env = _midway()
    env.edit(ingestionDelay="5m", suspend=False, criteria={})
    _go(env)
    assert env.kusto.starts[:6] == hours(6)
    assert "BackfillFailed" not in env.events


# The spec changes before a window was sent.

WHY = "SEM0100: Failed to resolve table expression named 'Raw'"


def _invalid(mode: str = "Append", *, asked: bool = True) -> FakeEnvironment:
    """A backfill of three windows that waits because Kusto refuses the query.

    With ``asked`` False its first windows were submitted before the query was asked about.
    """
    env = backfilling(3, maxInFlight=2)
    env.edit(writeMode=mode)
    if not asked:
        env.answer, env.refusals = None, dict.fromkeys(hours(3), WHY)
        env.settle()
        assert len(env.backfill.in_flight) == 2
    env.answer = lambda check: query_validity.invalid(check, WHY)
    env.settle()
    env.answer, env.refusals = is_valid, {}
    return env


@pytest.mark.parametrize("mode", ["Append", "Replace"])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("change", ["body", "table", "database"])
def test_a_correction_of_an_invalid_query_needs_no_retry(
    change: str, mode: str, *, asked: bool
) -> None:
    env = _invalid(mode, asked=asked)
    env.crash()
    env.edit(**CHANGES[change])
    env.run()
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == hours(3)
    if change == "body":
        assert all("Other" in each.text for each in env.kusto.data)
    if change == "table":
        assert {each.table for each in env.kusto.data} == {"Elsewhere"}
    assert "BackfillFailed" not in env.events
    assert env.backfill.windows_retried == 0


def test_a_table_that_appears_later_needs_no_retry() -> None:
    env = _invalid(asked=False)
    assert env.backfill.in_flight == ()
    env.run()
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == hours(3)


def test_the_tags_of_the_new_table_are_read() -> None:
    env = _invalid(asked=False)
    before = env.performed.count("FindIngestTags")
    env.edit(table="Elsewhere")
    env.run()
    assert env.performed.count("FindIngestTags") == before + 1


def test_a_paused_backfill_that_sent_nothing_uses_the_new_spec() -> None:
    env = backfilling(3, suspend=True)
    env.edit(backfill=span(FIRST, hours(4)[3], suspend=True))
    env.settle()
    env.edit(**CHANGES["body"])
    env.settle()
    assert env.backfill.phase == "Paused"
    env.edit(backfill=span(FIRST, hours(4)[3]))
    env.run()
    assert env.kusto.starts == hours(3)
    assert "BackfillFailed" not in env.events


def test_a_backfill_that_failed_in_an_earlier_release_goes_on_if_it_sent_nothing() -> None:
    env = _invalid()
    env.raw["status"]["backfill"] |= {"phase": "Failed", "reason": "SpecChanged"}
    env.edit(**CHANGES["body"])
    env.run()
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == hours(3)


def test_another_interval_waits_for_a_retry_also_if_nothing_was_sent() -> None:
    env = _invalid()
    env.edit(**CHANGES["interval"])
    env.run()
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "SpecChanged")


def test_a_window_that_is_there_already_counts_as_sent() -> None:
    env = _invalid()
    env.raw["status"]["backfill"] |= {"windowsDone": 1, "windowsAlreadyThere": 1}
    env.edit(**CHANGES["body"])
    env.run()
    assert (env.backfill.phase, env.backfill.reason) == ("Failed", "SpecChanged")


def test_a_retried_window_that_kusto_rejects_stays_in_flight_while_the_query_is_invalid() -> None:
    env = backfilling(3)
    env.kusto.state_of = lambda _start, _n: "Throttled"
    env.settle()
    (window,) = env.backfill.in_flight
    env.refusals = dict.fromkeys(hours(3), WHY)
    env.raw["status"].pop("queryHash")
    env.memory.query_answer, env.answer = None, None
    env.sleep(1)
    env.settle()
    env.answer = lambda check: query_validity.invalid(check, WHY)
    env.settle()
    assert [each.token for each in env.backfill.in_flight] == [window.token]
    assert env.block_reasons()[0] == "QueryInvalid"
