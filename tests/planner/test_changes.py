"""What people change while a backfill runs, and what they apply again afterwards."""

import pytest

from summaryrule.api.constants import REQUESTED_BY_ANNOTATION
from summaryrule.api.instant import Instant
from summaryrule.planner import window_execution
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import FIRST, HOUR, World, backfilling, hours

END = "2026-11-20T06:00:00Z"


def _midway(done: int = 3) -> World:
    """A backfill of six windows with some done and the next in flight."""
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    for _ in range(done):
        world.kusto.end_all()
        world.settle()
    return world


def _go(world: World) -> None:
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()


def _manifest(
    start: str = FIRST, end: str | None = END, *, backfill: Json | None = None, **spec: str
) -> Json:
    """What lies in git; ``backfill`` holds further fields of it."""
    return rule(span(start, end, **(backfill or {})), suspend=True, **spec)


@pytest.mark.parametrize("mutate", [True, False])
@pytest.mark.parametrize("end", [END, None])
def test_reapplying_the_manifest_mid_run_rewinds_nothing(end: str | None, *, mutate: bool) -> None:
    world = _midway()
    if end or mutate:
        if mutate:
            world.apply(_manifest(end=end))
        else:
            world.edit(backfill=span(FIRST, END))
        world.settle()
    assert world.raw["spec"]["backfill"]["start"] == hours(4)[3]
    _go(world)
    assert world.kusto.starts == hours(6)
    assert len(world.kusto.submits) == 6


def test_a_spec_that_went_backwards_is_set_right_by_the_high_water_mark() -> None:
    world = _midway()
    world.edit(backfill=span(hours(2)[1], END))
    world.settle()
    assert world.raw["spec"]["backfill"]["start"] == hours(4)[3]
    assert len(world.kusto.submits) == 4


def test_a_later_end_extends_and_runs_nothing_again() -> None:
    world = _midway()
    world.apply(_manifest(end="2026-11-20T09:00:00Z"))
    _go(world)
    assert world.kusto.starts == hours(9)
    assert len(world.kusto.submits) == 9
    assert world.backfill.progress == "9/9"
    assert len(world.status.backfill_history) == 1


def test_an_earlier_end_shortens() -> None:
    world = _midway()
    world.apply(_manifest(end="2026-11-20T05:00:00Z"))
    _go(world)
    assert world.kusto.starts == hours(5)
    assert world.backfill.progress == "5/5"


def test_an_end_before_the_cursor_finishes_with_what_flies() -> None:
    world = _midway()
    world.apply(_manifest(end="2026-11-20T02:00:00Z"))
    _go(world)
    assert world.kusto.starts == hours(4)
    assert world.backfill.phase == "Completed"
    assert "backfill" not in world.raw["spec"]


def test_a_shorter_range_leaves_a_failed_window_behind_it() -> None:
    world = backfilling(6)
    world.kusto.fate = lambda start, _n: "Failed" if start == hours(4)[3] else "Completed"
    world.run()
    world.edit(backfill=span(hours(4)[3], "2026-11-20T03:00:00.0000001Z"))
    world.edit(backfill=span(FIRST, "2026-11-20T03:00:00Z"))
    world.run()
    assert world.backfill.phase == "Completed"


def test_suspending_lets_what_flies_end_and_resuming_goes_on() -> None:
    world = _midway()
    world.apply(_manifest(backfill={"suspend": True}))
    world.settle()
    world.kusto.end_all()
    world.settle()
    assert (world.backfill.phase, world.kusto.in_progress) == ("Paused", [])
    assert world.held() == ["Suspended", "Paused"]
    assert world.raw["spec"]["backfill"]["start"] == hours(5)[4]
    world.sleep(24)
    world.apply(_manifest())
    _go(world)
    assert world.kusto.starts == hours(6)


def test_an_estimate_does_not_count_the_time_spent_paused() -> None:
    world = _midway(0)
    world.sleep(1)
    world.kusto.end_all()
    world.settle()
    world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": True})
    world.settle()
    assert world.backfill.estimated_completion is None
    world.kusto.end_all()
    world.settle()
    world.sleep(48)
    world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": False})
    world.settle()
    world.sleep(1)
    world.kusto.end_all()
    world.settle()
    assert world.backfill.progress == "3/6"
    assert world.backfill.estimated_completion == world.now.plus(3 * HOUR)


def test_another_request_supersedes_after_what_flies_has_ended() -> None:
    world = _midway()
    world.apply(_manifest(backfill={"requestId": "two"}), user="bob")
    world.settle()
    assert world.held() == ["Suspended", "Superseding"]
    assert len(world.kusto.submits) == 4
    _go(world)
    assert [record.phase for record in world.status.backfill_history] == ["Completed", "Superseded"]
    assert world.status.backfill_history[1].windows == 4
    assert world.status.backfill_history[0].by == "bob"
    assert world.kusto.starts == sorted([*hours(6), *hours(4)])
    assert len({each.token for each in world.kusto.data}) == 10


def test_another_start_supersedes() -> None:
    world = _midway()
    world.apply(_manifest("2026-11-19T22:00:00Z", FIRST))
    _go(world)
    assert world.kusto.starts == sorted([*hours(4), "2026-11-19T22:00:00Z", "2026-11-19T23:00:00Z"])


def test_a_paused_request_whose_last_submit_failed_can_be_superseded() -> None:
    world = backfilling(6)
    world.kusto.fate = lambda _start, attempt: "Failed?" if attempt == 1 else "Completed"
    world.settle()
    world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": True})
    world.settle()
    assert world.backfill.in_flight[0].operation_id is None
    world.kusto.fate = lambda _start, _attempt: "Completed"
    world.apply(_manifest(backfill={"requestId": "two"}))
    world.run()
    assert world.status.backfill_history[0].phase == "Completed"
    assert world.kusto.starts == hours(6)


def test_removing_the_backfill_cancels_what_flies_and_keeps_it_in_history() -> None:
    world = _midway()
    world.apply(rule(suspend=True))
    world.settle()
    assert world.kusto.canceled == ["op-4"]
    assert world.backfill.phase == "Canceled"
    record = world.status.backfill_history[0]
    assert (record.phase, str(record.done_until)) == ("Canceled", hours(4)[3])
    assert world.raw["metadata"]["finalizers"] == []
    assert world.status.observed_generation == world.raw["metadata"]["generation"]
    assert world.events[-1] == "BackfillCanceled"


def test_a_canceled_backfill_applied_again_goes_on_where_it_stood() -> None:
    world = _midway()
    world.apply(rule(suspend=True))
    world.settle()
    world.apply(_manifest(end=None))
    _go(world)
    assert world.kusto.starts == hours(6)
    assert world.backfill.progress == "6/6"


@pytest.mark.parametrize("phase", ["Paused", "Failed"])
def test_a_backfill_that_stands_still_can_be_removed(phase: str) -> None:
    world = backfilling(6)
    world.kusto.fate = lambda start, _n: "Failed" if start == hours(3)[2] else "Completed"
    if phase == "Paused":
        world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": True})
    world.run()
    assert world.backfill.phase == phase
    world.apply(rule(suspend=True))
    world.run()
    assert world.backfill.phase == "Canceled"


# History.


def test_a_done_backfill_applied_again_completes_at_once_when_admission_was_down() -> None:
    world = backfilling(6)
    world.run()
    submits = len(world.kusto.submits)
    world.edit(backfill=span(FIRST, END))
    world.run()
    assert len(world.kusto.submits) == submits
    assert "backfill" not in world.raw["spec"]
    assert world.events[-1] == "BackfillAlreadyRan"
    assert len(world.status.backfill_history) == 1


def test_a_done_backfill_with_a_later_end_runs_only_what_is_new() -> None:
    world = backfilling(6)
    world.run()
    world.apply(_manifest(end="2026-11-20T08:00:00Z"))
    world.run()
    assert world.kusto.starts == hours(8)
    assert len(world.kusto.submits) == 8
    assert world.status.backfill_history[0].windows == 8


def test_a_done_backfill_runs_again_for_a_new_request_id_only() -> None:
    world = backfilling(2)
    world.run()
    world.edit(body="Other | where T between (_startTime .. _endTime)")
    world.edit(backfill=span(FIRST, "2026-11-20T02:00:00Z"))
    world.run()
    assert len(world.kusto.submits) == 2
    world.apply(_manifest(end="2026-11-20T02:00:00Z", backfill={"requestId": "again"}))
    world.run()
    assert len(world.kusto.submits) == 4


def test_a_later_end_while_the_removal_is_pending_goes_on() -> None:
    world = backfilling(2)
    while "BackfillCompleted" not in world.events:
        world.step()
        world._poll(world.decide())  # noqa: SLF001
    assert world.backfill.clearing
    world.edit(backfill=span(FIRST, "2026-11-20T04:00:00Z"))
    world.run()
    assert world.kusto.starts == hours(4)
    assert len(world.kusto.submits) == 4


def test_history_keeps_the_last_ten() -> None:
    world = backfilling(1)
    world.run()
    for number in range(12):
        world.apply(_manifest(end="2026-11-20T01:00:00Z", backfill={"requestId": f"run-{number}"}))
        world.run()
    assert [r.id for r in world.status.backfill_history] == [f"run-{n}" for n in range(11, 1, -1)]


def test_history_says_whether_admission_chose_the_end() -> None:
    world = World(rule(suspend=True))
    world.run()
    world.apply(_manifest(end=None))
    world.run()
    world.apply(_manifest(backfill={"requestId": "two"}))
    world.run()
    assert [record.end_defaulted for record in world.status.backfill_history] == [False, True]


# The spec changes mid-run.

CHANGES = {
    "body": {"body": "Other\n| where Timestamp between (_startTime .. _endTime)"},
    "table": {"table": "Elsewhere"},
    "database": {"database": "Other"},
    "interval": {"interval": "2h"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_edit_mid_run_finishes_what_flies_and_then_waits_for_a_retry(change: str) -> None:
    world = _midway()
    world.edit(**CHANGES[change])
    world.settle()
    assert world.held() == ["Suspended", "SpecChanged"]
    world.kusto.end_all()
    world.settle()
    assert (world.backfill.phase, world.backfill.reason) == ("Failed", "SpecChanged")
    assert str(world.backfill.done_until) == hours(5)[4]
    assert len(world.kusto.submits) == 4
    assert world.events[-1] == "BackfillFailed"
    world.annotate(backfill_retry="all")
    _go(world)
    assert world.backfill.phase == "Completed"
    assert world.kusto.starts == ([*hours(5)] if change == "interval" else hours(6))
    assert str(world.backfill.done_until) == END


def test_a_retry_asked_for_together_with_the_edit_goes_on_by_itself() -> None:
    world = _midway()
    world.edit(**CHANGES["body"])
    world.annotate(backfill_retry="all")
    _go(world)
    assert world.backfill.phase == "Completed"
    assert world.kusto.starts == hours(6)
    assert ["Other" in each.text for each in world.kusto.data] == [False] * 4 + [True] * 2


def test_an_edit_taken_back_goes_on_by_itself() -> None:
    world = _midway()
    body = world.raw["spec"]["body"]
    world.edit(**CHANGES["body"])
    world.kusto.end_all()
    world.settle()
    assert world.backfill.phase == "Failed"
    world.edit(body=body)
    _go(world)
    assert world.kusto.starts == hours(6)


def test_an_edit_and_a_new_request_id_start_afresh() -> None:
    world = _midway()
    world.edit(**CHANGES["body"])
    world.apply(_manifest(backfill={"requestId": "two"}, **CHANGES["body"]))
    _go(world)
    assert [record.phase for record in world.status.backfill_history] == ["Completed", "Superseded"]


def test_skipping_the_failed_window_of_a_changed_spec_is_no_retry() -> None:
    world = backfilling(6)
    world.kusto.fate = lambda start, _n: "Failed" if start == hours(3)[2] else "Completed"
    world.run()
    world.edit(**CHANGES["body"])
    world.annotate(backfill_skip=hours(3)[2])
    world.run()
    assert (world.backfill.phase, world.backfill.reason) == ("Failed", "SpecChanged")


def test_an_unanswered_submit_of_a_text_that_is_gone_is_looked_up_by_its_tag() -> None:
    for went_through in (True, False):
        world = backfilling(6)
        world.lost_replies = 1
        world.kusto.is_slow = not went_through
        while not world.kusto.submits:
            world.step()
        world.edit(**CHANGES["body"])
        world.settle()
        assert world.backfill.phase == "Failed"
        assert world.backfill.windows_done == int(went_through)
        world.annotate(backfill_retry="all")
        _go(world)
        assert world.kusto.starts == hours(6)


def test_an_unanswered_submit_keeps_its_bounds_however_the_interval_is_edited_later() -> None:
    world = backfilling(4)
    world.lost_replies, world.kusto.is_slow = 1, True
    while not world.kusto.submits:
        world.step()
    world.edit(**CHANGES["body"])
    world.settle()
    (lost,) = world.backfill.failed
    assert lost.error == window_execution.OUTCOME_UNKNOWN
    assert (world.backfill.phase, world.backfill.reason) == ("Failed", "SpecChanged")
    assert world.backfill.last_error == window_execution.OUTCOME_UNKNOWN
    world.edit(interval="30m")
    world.settle()
    world.annotate(backfill_retry="all")
    _go(world)
    covered = [(each.start[11:16], each.last[11:16]) for each in world.kusto.data]
    halves = [(f"0{hour}:{half}0", f"0{hour}:{half + 2}9") for hour in (1, 2, 3) for half in (0, 3)]
    assert sorted(covered) == [("00:00", "00:59"), *halves]


@pytest.mark.parametrize("change", ["body", "start"])
def test_a_retry_while_older_windows_fly_waits_and_is_not_tried_over_and_over(change: str) -> None:
    world = backfilling(6, maxInFlight=3)
    world.kusto.is_slow = True
    world.settle()
    world.edit(
        **(CHANGES["body"] if change == "body" else {"backfill": span("2026-11-19T22:00:00Z", END)})
    )
    world.kusto.end("op-2", "Failed")
    world.settle()
    world.annotate(backfill_retry="all")
    world.settle()
    assert len(world.kusto.submits) == 3
    assert [str(window.start) for window in world.backfill.failed] == [hours(2)[1]]
    _go(world)
    assert world.backfill.phase == "Completed"
    assert set(hours(6)) <= set(world.kusto.starts)


def test_a_text_that_is_put_back_leaves_no_window_without_a_word() -> None:
    world = backfilling(6, maxInFlight=2)
    world.kusto.is_slow = True
    while len(world.kusto.submits) < 2:
        world.lost_replies = len(world.kusto.submits) == 0
        world.step()
    before = world.raw["spec"]["body"]
    world.edit(**CHANGES["body"])
    world.settle()
    assert world.backfill.in_flight
    assert [window.error for window in world.backfill.failed] == [window_execution.OUTCOME_UNKNOWN]
    world.edit(body=before)
    world.settle()
    assert (world.backfill.phase, world.backfill.reason) == ("Failed", "WindowFailed")
    world.annotate(backfill_retry="all")
    _go(world)
    assert world.kusto.starts == hours(6)


@pytest.mark.parametrize("interval", ["30m", "2h"])
def test_a_longer_delay_does_not_make_a_window_that_may_have_been_sent_one_ahead(
    interval: str,
) -> None:
    """Its end has passed, so it was due once: it keeps its bounds although it is due no more."""
    asked = rule(span(FIRST, END), suspend=True)
    world = World(stored(asked), now=Instant.parse("2026-11-20T01:20:00Z"))
    world.lost_replies, world.kusto.is_slow = 1, True
    while not world.kusto.submits:
        world.step()
    world.crash()
    world.edit(interval=interval, ingestionDelay="30m")
    world.settle()
    assert [str(window.end) for window in world.backfill.failed] == [hours(2)[1]]
    world.annotate(backfill_retry="all")
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.now = Instant.parse("2026-11-21T00:00:00Z")
    world.run()
    assert world.backfill.phase == "Completed"
    assert _bounds_meet(world)


def _bounds_meet(world: World) -> bool:
    """Whether the data's windows follow each other without a gap or an overlap."""
    found = sorted((each.start, each.last) for each in world.kusto.data)
    ends = [str(Instant.parse(last).plus(1)) for _, last in found]
    return [start for start, _ in found[1:]] == ends[:-1]


def test_a_retry_of_one_of_several_windows_after_an_edit_sends_that_one_alone() -> None:
    world = backfilling(6, maxInFlight=3)
    world.kusto.is_slow = True
    world.settle()
    world.edit(**CHANGES["body"])
    world.kusto.end("op-1", "Failed")
    world.kusto.end("op-2", "Failed")
    world.kusto.end("op-3")
    world.settle()
    world.annotate(backfill_retry=hours(1)[0])
    world.settle()
    assert [each.start for each in world.kusto.submits[3:]] == hours(1)
    assert [str(window.start) for window in world.backfill.failed] == [hours(2)[1]]
    assert world.raw["metadata"]["annotations"].keys() == {REQUESTED_BY_ANNOTATION}
    world.annotate(backfill_retry="all")
    _go(world)
    assert world.kusto.starts == hours(6)


def test_a_retry_after_an_edit_that_names_no_window_is_taken_away_and_told_of() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    world.edit(**CHANGES["body"])
    world.kusto.end_all("Failed")
    world.settle()
    world.annotate(backfill_retry="2026-11-20T09:00:00Z")
    world.settle()
    assert world.events[-1] == "ActIgnored"
    assert world.raw["metadata"]["annotations"].keys() == {REQUESTED_BY_ANNOTATION}


def test_a_retry_that_waits_for_the_backfill_sends_no_refused_window_over_and_over() -> None:
    asked = rule(span("2026-11-19T00:00:00Z", "2026-11-19T06:00:00Z"))
    world = World(stored(asked), now=Instant.parse("2026-11-20T00:00:00Z"))
    world.kusto.is_slow = True
    world.settle()
    world.kusto.end(world.kusto.in_progress[0])
    world.settle()
    world.edit(**CHANGES["body"])
    world.sleep(1)
    world.refusals = {"2026-11-20T00:00:00Z": "SEM0100"}
    world.settle()
    world.annotate(backfill_retry="all")
    world.settle()
    assert [str(window.start) for window in world.schedule.failed] == ["2026-11-20T00:00:00Z"]
    world.refusals = {}
    _go(world)
    world.kusto.is_slow = False
    _go(world)
    assert world.backfill.phase == "Completed"
    assert world.schedule.failed == ()


def test_gaps_left_by_a_change_of_interval_are_cut_at_what_is_done() -> None:
    world = backfilling(8, maxInFlight=3)
    world.kusto.is_slow = True
    world.settle()
    world.kusto.end("op-1")
    world.kusto.end("op-3")
    world.edit(interval="4h")
    world.settle()
    world.kusto.end_all("Failed")
    world.settle()
    world.annotate(backfill_skip=hours(2)[1], backfill_retry=hours(8)[7])
    _go(world)
    covered = [(each.start[11:16], each.last[11:16]) for each in world.kusto.data]
    assert sorted(covered) == [
        ("00:00", "00:59"),
        ("02:00", "02:59"),
        ("03:00", "03:59"),
        ("04:00", "07:59"),
    ]


def test_an_edit_that_runs_nothing_else_leaves_the_backfill_alone() -> None:
    world = _midway()
    world.edit(ingestionDelay="5m", suspend=False, criteria={})
    _go(world)
    assert world.kusto.starts[:6] == hours(6)
    assert "BackfillFailed" not in world.events
