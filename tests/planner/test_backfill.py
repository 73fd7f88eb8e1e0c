"""A backfill from its request to its end: one window after the other, each exactly once."""

from dataclasses import replace
from typing import Any

import pytest

from summaryrule.api.constants import FINALIZER
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.planner.types import (
    PlannerSettings,
    RecordStatus,
    ReleaseFieldOwnership,
    RemoveBackfill,
    Submit,
    UpdateSpecCursor,
)
from tests.manifests import rule, span, stored
from tests.planner.fake_environment import (
    FIRST,
    HOUR,
    SETTINGS,
    FakeEnvironment,
    backfilling,
    hours,
)


def test_every_window_runs_once_oldest_first() -> None:
    env = backfilling(6)
    env.run()
    assert [each.start for each in env.kusto.submits] == hours(6)
    assert env.kusto.starts == hours(6)
    assert env.most_in_flight <= 1


def test_each_window_is_whole_and_its_query_ends_a_tick_before_its_end() -> None:
    env = backfilling(2)
    env.run()
    assert [each.last for each in env.kusto.data] == [
        "2026-11-20T00:59:59.9999999Z",
        "2026-11-20T01:59:59.9999999Z",
    ]


def test_at_the_end_the_backfill_leaves_spec_and_stands_in_history() -> None:
    env = backfilling(6)
    env.run()
    assert "backfill" not in env.raw["spec"]
    assert env.raw["metadata"]["finalizers"] == []
    assert (env.backfill.phase, env.backfill.progress, env.backfill.percent) == (
        "Completed",
        "6/6",
        100,
    )
    record = env.status.backfill_history[0]
    assert (record.phase, record.windows, record.by) == ("Completed", 6, "alice")
    assert (str(record.start), str(record.done_until)) == (FIRST, "2026-11-20T06:00:00Z")
    assert env.events == ["BackfillStarted", "BackfillCompleted"]
    assert env.condition("Backfill").status == "True"


def test_the_status_is_written_once_more_after_the_removal() -> None:
    env = backfilling(1)
    env.run()
    last = [type(a) for a in env.log if isinstance(a, RecordStatus | RemoveBackfill)][-2:]
    assert last == [RemoveBackfill, RecordStatus]
    assert env.status.observed_generation == env.raw["metadata"]["generation"]


def test_spec_shows_the_low_water_mark_and_the_operation_in_flight() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    for hour in range(6):
        env.settle()
        shown = env.raw["spec"]["backfill"]
        assert shown["start"] == hours(6)[hour]
        assert shown["operationId"] == env.kusto.in_progress[0]
        env.kusto.end_all()
    env.run()
    assert "backfill" not in env.raw["spec"]


def test_a_window_costs_four_writes_and_the_cursor_is_yielded_at_once() -> None:
    env = backfilling(12)
    env.kusto.is_slow = True
    env.settle()
    before = env.writes
    for _ in range(10):
        env.kusto.end_all()
        env.settle()
    assert (env.writes - before) / 10 <= 4
    for one, following in zip(env.log, env.log[1:], strict=False):
        if isinstance(one, UpdateSpecCursor):
            assert isinstance(following, ReleaseFieldOwnership)


def test_nothing_is_submitted_before_its_intent_and_the_finalizer_are_written() -> None:
    env = backfilling(1)
    env.run()
    done = env.performed
    submit = done.index("Submit")
    assert done[submit - 2 : submit] == ["SetFinalizer", "RecordStatus"]


def test_up_to_max_in_flight_windows_run_at_once() -> None:
    env = backfilling(12, maxInFlight=8)
    env.kusto.is_slow = True
    env.settle()
    assert len(env.kusto.in_progress) == 8
    env.kusto.end("op-8")
    env.kusto.end("op-3")
    env.settle()
    assert len(env.kusto.in_progress) == 8
    assert str(env.backfill.done_until) == FIRST
    assert env.backfill.progress == "2/12"
    assert len(env.backfill.done_ahead) == 2
    env.kusto.end("op-1")
    env.kusto.end("op-2")
    env.settle()
    assert str(env.backfill.done_until) == hours(4)[3]
    assert env.raw["spec"]["backfill"]["start"] == hours(4)[3]
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == hours(12)


def test_windows_wait_until_they_are_due() -> None:
    env = backfilling(104)  # until 2026-11-24T08:00, and it is 06:30
    env.edit(ingestionDelay="20m")
    env.run()
    assert env.kusto.starts == hours(102)
    assert env.block_reasons() == ["Suspended", "WaitingUntilDue"]
    assert str(env.decide().requeue_at) == "2026-11-24T07:20:00Z"
    env.sleep(5 / 6 - 0.001)
    assert env.next_effects() == ()
    env.sleep(0.002)
    env.run()
    assert env.kusto.starts == hours(103)


def test_a_range_off_the_grid_is_aligned_when_admission_was_down() -> None:
    env = backfilling(1)
    env.edit(backfill={"start": "2026-11-20T00:20:00Z", "end": "2026-11-20T02:30:00Z"})
    env.run()
    assert env.kusto.starts == hours(3)


def test_the_estimate_goes_by_what_was_done_since_the_start() -> None:
    env = backfilling(10)
    env.kusto.is_slow = True
    env.settle()
    for _ in range(2):
        env.sleep(0.5)
        env.kusto.end_all()
        env.settle()
    assert env.backfill.estimated_completion == env.now.plus(4 * HOUR)


def test_the_estimate_leaves_out_what_history_had_done() -> None:
    env = backfilling(6)
    env.run()
    env.apply(env.raw | {"spec": {**env.raw["spec"], "backfill": _until(16)}})
    env.kusto.is_slow = True
    env.settle()
    env.sleep(1)
    env.kusto.end_all()
    env.settle()
    assert env.backfill.progress == "7/16"
    assert env.backfill.estimated_completion == env.now.plus(9 * HOUR)


@pytest.mark.parametrize("max_in_flight", [1, 8])
@pytest.mark.parametrize("crash_after", range(40))
def test_a_crash_after_any_action_loses_and_doubles_nothing(
    crash_after: int, max_in_flight: int
) -> None:
    env = backfilling(6, maxInFlight=max_in_flight, suspend=False)
    env.lives = crash_after
    env.run()
    assert env.kusto.starts == [*hours(6), "2026-11-24T05:00:00Z"]
    assert "backfill" not in env.raw["spec"]
    assert env.backfill.progress == "6/6"


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_submit_whose_answer_is_lost_is_sent_again_with_its_token(lost: int) -> None:
    env = backfilling(6, maxInFlight=3)
    env.lost_replies = lost
    env.run()
    assert len(env.kusto.submits) == 6 + lost
    assert env.kusto.starts == hours(6)
    by_start = {each.start: each.token for each in env.kusto.data}
    assert all(by_start[each.start] == each.token for each in env.kusto.submits)


def test_the_tokens_of_a_request_never_change() -> None:
    one, other = backfilling(3), backfilling(5)
    one.run()
    other.run()
    assert [a.token for a in one.kusto.data] == [a.token for a in other.kusto.data[:3]]
    assert len({a.token for a in other.kusto.data}) == 5


def test_nothing_is_done_twice_for_one_state() -> None:
    env = backfilling(6)
    env.run()
    assert env.next_effects() == ()
    submits = [action for action in env.log if isinstance(action, Submit)]
    assert len(submits) == 6


def _until(count: int) -> dict[str, str]:
    return {"start": FIRST, "end": str(Instant.parse(FIRST).plus(count * HOUR))}


def test_quick_windows_are_shown_in_spec_every_eighth() -> None:
    env = backfilling(20)
    env.settings = replace(env.settings, cursor_sync_after=Duration.parse("250ms"))
    env.run()
    shown = [str(one.start) for one in env.log if isinstance(one, UpdateSpecCursor)]
    assert shown == [hours(20)[8], hours(20)[16]]


def test_a_window_that_takes_longer_is_shown_by_itself() -> None:
    env = backfilling(3)
    env.settings = replace(env.settings, cursor_sync_after=Duration.parse("250ms"))
    env.kusto.is_slow = True
    env.settle()
    assert "operationId" not in env.raw["spec"]["backfill"]
    assert env.decide().requeue_at is not None
    env.sleep(0.3 / 3600)
    env.settle()
    assert env.raw["spec"]["backfill"]["operationId"] == env.kusto.in_progress[0]


def test_a_cursor_is_shown_at_most_every_five_seconds() -> None:
    env = backfilling(3)
    env.kusto.is_slow = True
    env.memory.cursor_synced_at = env.now
    env.settle()
    assert "operationId" not in env.raw["spec"]["backfill"]
    assert env.decide().requeue_at == env.memory.cursor_synced_at.plus(5 * 10_000_000)
    env.sleep(5 / 3600)
    env.settle()
    assert env.raw["spec"]["backfill"]["operationId"] == env.kusto.in_progress[0]


def _minutes_that_come(**settings: Any) -> FakeEnvironment:
    now = Instant.parse("2026-11-24T06:30:00Z")
    asked = span("2026-11-24T06:00:00Z", "2026-11-24T07:30:00Z")
    raw = stored(rule(asked, suspend=True, interval="10m"))
    env = FakeEnvironment(raw, now=now, settings=replace(SETTINGS, **settings))
    env.settle()
    assert env.backfill.progress == "3/9"
    return env


def test_a_window_that_is_waited_for_briefly_costs_four_writes() -> None:
    """Its operation, its end with the next one's intent, the cursor, and the cursor's ownership."""
    env = _minutes_that_come(cursor_sync_after=PlannerSettings().cursor_sync_after)
    assert env.raw["metadata"]["finalizers"] == [FINALIZER]
    assert [str(window.start)[11:16] for window in env.backfill.in_flight] == ["06:30"]
    before, sent = env.writes, len(env.kusto.submits)
    env.now = Instant.parse("2026-11-24T06:39:59Z")
    env.settle()
    assert (env.writes - before, len(env.kusto.submits) - sent) == (0, 0)
    env.now = Instant.parse("2026-11-24T06:40:00Z")
    env.settle()
    assert env.backfill.progress == "4/9"
    assert (env.writes - before, len(env.kusto.submits) - sent) == (4, 1)
    env.delete()
    env.settle()
    assert env.raw["metadata"]["finalizers"] == []


def test_an_edit_while_a_window_is_waited_for_is_acknowledged_and_the_cursors_own_is_not() -> None:
    env = _minutes_that_come()
    shown = env.raw["metadata"]["generation"]
    assert env.status.observed_generation != shown
    env.edit(ingestionDelay="1m")
    env.settle()
    assert env.status.observed_generation == shown + 1


@pytest.mark.parametrize("act", ["skip", "retry"])
def test_a_window_recorded_ahead_is_one_that_waits(act: str) -> None:
    env = _minutes_that_come()
    env.annotate(**{f"backfill_{act}": "2026-11-24T06:30:00Z"})
    env.settle()
    assert ("AnnotationIgnored" in env.events) == (act == "retry")
    assert len(env.backfill.skipped) == (act == "skip")


@pytest.mark.parametrize("edit", ["body", "interval", "start", "suspend", "removed"])
def test_an_intent_recorded_ahead_was_never_sent_and_is_taken_back(edit: str) -> None:
    env = _minutes_that_come()
    asked = env.raw["spec"]["backfill"]
    edits: dict[str, Any] = {
        "body": {"body": "Other\n| where Timestamp between (_startTime .. _endTime)"},
        "interval": {"interval": "15m"},
        "start": {"backfill": {**asked, "start": "2026-11-24T05:50:00Z"}},
        "suspend": {"backfill": {**asked, "suspend": True}},
        "removed": {"backfill": ...},
    }
    env.edit(**edits[edit])
    env.settle()
    backfill = env.backfill
    in_flight = [str(window.start)[11:16] for window in backfill.in_flight]
    assert in_flight == (["06:30"] if edit == "start" else [])
    assert backfill.failed == ()
    assert (
        backfill.phase
        == {
            "body": "Failed",
            "interval": "Failed",
            "start": "Running",
            "suspend": "Paused",
            "removed": "Canceled",
        }[edit]
    )


@pytest.mark.parametrize("why", ["an hour away", "paused"])
def test_a_backfill_that_waits_for_long_gives_the_finalizer_up(why: str) -> None:
    now = Instant.parse("2026-11-24T06:30:00Z")
    asked = span("2026-11-24T04:00:00Z", "2026-11-24T09:00:00Z")
    env = FakeEnvironment(stored(rule(asked, suspend=True)), now=now)
    if why == "paused":
        env.now = Instant.parse("2026-11-24T06:50:00Z")
    env.settle()
    if why == "paused":
        assert env.raw["metadata"]["finalizers"] == [FINALIZER]
        env.edit(backfill={**env.raw["spec"]["backfill"], "suspend": True})
        env.settle()
    assert env.raw["metadata"]["finalizers"] == []
