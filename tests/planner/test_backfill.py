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
from tests.planner.fake_environment import FIRST, HOUR, SETTINGS, World, backfilling, hours


def test_every_window_runs_once_oldest_first() -> None:
    world = backfilling(6)
    world.run()
    assert [each.start for each in world.kusto.submits] == hours(6)
    assert world.kusto.starts == hours(6)
    assert world.most_in_flight <= 1


def test_each_window_is_whole_and_its_query_ends_a_tick_before_its_end() -> None:
    world = backfilling(2)
    world.run()
    assert [each.last for each in world.kusto.data] == [
        "2026-11-20T00:59:59.9999999Z",
        "2026-11-20T01:59:59.9999999Z",
    ]


def test_at_the_end_the_backfill_leaves_spec_and_stands_in_history() -> None:
    world = backfilling(6)
    world.run()
    assert "backfill" not in world.raw["spec"]
    assert world.raw["metadata"]["finalizers"] == []
    assert (world.backfill.phase, world.backfill.progress, world.backfill.percent) == (
        "Completed",
        "6/6",
        100,
    )
    record = world.status.backfill_history[0]
    assert (record.phase, record.windows, record.by) == ("Completed", 6, "alice")
    assert (str(record.start), str(record.done_until)) == (FIRST, "2026-11-20T06:00:00Z")
    assert world.events == ["BackfillStarted", "BackfillCompleted"]
    assert world.condition("Backfill").status == "True"


def test_the_status_is_written_once_more_after_the_removal() -> None:
    world = backfilling(1)
    world.run()
    last = [type(a) for a in world.log if isinstance(a, RecordStatus | RemoveBackfill)][-2:]
    assert last == [RemoveBackfill, RecordStatus]
    assert world.status.observed_generation == world.raw["metadata"]["generation"]


def test_spec_shows_the_low_water_mark_and_the_operation_in_flight() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    for hour in range(6):
        world.settle()
        shown = world.raw["spec"]["backfill"]
        assert shown["start"] == hours(6)[hour]
        assert shown["operationId"] == world.kusto.in_progress[0]
        world.kusto.end_all()
    world.run()
    assert "backfill" not in world.raw["spec"]


def test_a_window_costs_four_writes_and_the_cursor_is_yielded_at_once() -> None:
    world = backfilling(12)
    world.kusto.is_slow = True
    world.settle()
    before = world.writes
    for _ in range(10):
        world.kusto.end_all()
        world.settle()
    assert (world.writes - before) / 10 <= 4
    for one, following in zip(world.log, world.log[1:], strict=False):
        if isinstance(one, UpdateSpecCursor):
            assert isinstance(following, ReleaseFieldOwnership)


def test_nothing_is_submitted_before_its_intent_and_the_finalizer_are_written() -> None:
    world = backfilling(1)
    world.run()
    told = world.told
    assert told.index("SetFinalizer") < told.index("RecordStatus") < told.index("Submit")


def test_up_to_max_in_flight_windows_run_at_once() -> None:
    world = backfilling(12, maxInFlight=8)
    world.kusto.is_slow = True
    world.settle()
    assert len(world.kusto.in_progress) == 8
    world.kusto.end("op-8")
    world.kusto.end("op-3")
    world.settle()
    assert len(world.kusto.in_progress) == 8
    assert str(world.backfill.done_until) == FIRST
    assert world.backfill.progress == "2/12"
    assert len(world.backfill.done_ahead) == 2
    world.kusto.end("op-1")
    world.kusto.end("op-2")
    world.settle()
    assert str(world.backfill.done_until) == hours(4)[3]
    assert world.raw["spec"]["backfill"]["start"] == hours(4)[3]
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()
    assert world.kusto.starts == hours(12)


def test_windows_wait_until_they_are_due() -> None:
    world = backfilling(104)  # until 2026-11-24T08:00, and it is 06:30
    world.edit(ingestionDelay="20m")
    world.run()
    assert world.kusto.starts == hours(102)
    assert world.held() == ["Suspended", "WaitingUntilDue"]
    assert str(world.decide().requeue_at) == "2026-11-24T07:20:00Z"
    world.sleep(5 / 6 - 0.001)
    assert world.next_effects() == ()
    world.sleep(0.002)
    world.run()
    assert world.kusto.starts == hours(103)


def test_a_range_off_the_grid_is_aligned_when_admission_was_down() -> None:
    world = backfilling(1)
    world.edit(backfill={"start": "2026-11-20T00:20:00Z", "end": "2026-11-20T02:30:00Z"})
    world.run()
    assert world.kusto.starts == hours(3)


def test_the_estimate_goes_by_what_was_done_since_the_start() -> None:
    world = backfilling(10)
    world.kusto.is_slow = True
    world.settle()
    for _ in range(2):
        world.sleep(0.5)
        world.kusto.end_all()
        world.settle()
    assert world.backfill.estimated_completion == world.now.plus(4 * HOUR)


def test_the_estimate_leaves_out_what_history_had_done() -> None:
    world = backfilling(6)
    world.run()
    world.apply(world.raw | {"spec": {**world.raw["spec"], "backfill": _until(16)}})
    world.kusto.is_slow = True
    world.settle()
    world.sleep(1)
    world.kusto.end_all()
    world.settle()
    assert world.backfill.progress == "7/16"
    assert world.backfill.estimated_completion == world.now.plus(9 * HOUR)


@pytest.mark.parametrize("max_in_flight", [1, 8])
@pytest.mark.parametrize("crash_after", range(40))
def test_a_crash_after_any_action_loses_and_doubles_nothing(
    crash_after: int, max_in_flight: int
) -> None:
    world = backfilling(6, maxInFlight=max_in_flight, suspend=False)
    world.lives = crash_after
    world.run()
    assert world.kusto.starts == [*hours(6), "2026-11-24T05:00:00Z"]
    assert "backfill" not in world.raw["spec"]
    assert world.backfill.progress == "6/6"


@pytest.mark.parametrize("lost", range(1, 7))
def test_a_submit_whose_answer_is_lost_is_sent_again_with_its_token(lost: int) -> None:
    world = backfilling(6, maxInFlight=3)
    world.lost_replies = lost
    world.run()
    assert len(world.kusto.submits) == 6 + lost
    assert world.kusto.starts == hours(6)
    by_start = {each.start: each.token for each in world.kusto.data}
    assert all(by_start[each.start] == each.token for each in world.kusto.submits)


def test_the_tokens_of_a_request_never_change() -> None:
    one, other = backfilling(3), backfilling(5)
    one.run()
    other.run()
    assert [a.token for a in one.kusto.data] == [a.token for a in other.kusto.data[:3]]
    assert len({a.token for a in other.kusto.data}) == 5


def test_nothing_is_done_twice_for_one_state() -> None:
    world = backfilling(6)
    world.run()
    assert world.next_effects() == ()
    submits = [action for action in world.log if isinstance(action, Submit)]
    assert len(submits) == 6


def _until(count: int) -> dict[str, str]:
    return {"start": FIRST, "end": str(Instant.parse(FIRST).plus(count * HOUR))}


def test_quick_windows_are_shown_in_spec_every_eighth() -> None:
    world = backfilling(20)
    world.settings = replace(world.settings, cursor_sync_after=Duration.parse("250ms"))
    world.run()
    shown = [str(one.start) for one in world.log if isinstance(one, UpdateSpecCursor)]
    assert shown == [hours(20)[8], hours(20)[16]]


def test_a_window_that_takes_longer_is_shown_by_itself() -> None:
    world = backfilling(3)
    world.settings = replace(world.settings, cursor_sync_after=Duration.parse("250ms"))
    world.kusto.is_slow = True
    world.settle()
    assert "operationId" not in world.raw["spec"]["backfill"]
    assert world.decide().requeue_at is not None
    world.sleep(0.3 / 3600)
    world.settle()
    assert world.raw["spec"]["backfill"]["operationId"] == world.kusto.in_progress[0]


def test_a_cursor_is_shown_at_most_every_five_seconds() -> None:
    world = backfilling(3)
    world.kusto.is_slow = True
    world.memory.cursor_synced_at = world.now
    world.settle()
    assert "operationId" not in world.raw["spec"]["backfill"]
    assert world.decide().requeue_at == world.memory.cursor_synced_at.plus(5 * 10_000_000)
    world.sleep(5 / 3600)
    world.settle()
    assert world.raw["spec"]["backfill"]["operationId"] == world.kusto.in_progress[0]


def _minutes_that_come(**settings: Any) -> World:
    now = Instant.parse("2026-11-24T06:30:00Z")
    asked = span("2026-11-24T06:00:00Z", "2026-11-24T07:30:00Z")
    raw = stored(rule(asked, suspend=True, interval="10m"))
    world = World(raw, now=now, settings=replace(SETTINGS, **settings))
    world.settle()
    assert world.backfill.progress == "3/9"
    return world


def test_a_window_that_is_waited_for_briefly_costs_four_writes() -> None:
    """Its operation, its end with the next one's intent, the cursor, and the cursor's ownership."""
    world = _minutes_that_come(cursor_sync_after=PlannerSettings().cursor_sync_after)
    assert world.raw["metadata"]["finalizers"] == [FINALIZER]
    assert [str(window.start)[11:16] for window in world.backfill.in_flight] == ["06:30"]
    before, sent = world.writes, len(world.kusto.submits)
    world.now = Instant.parse("2026-11-24T06:39:59Z")
    world.settle()
    assert (world.writes - before, len(world.kusto.submits) - sent) == (0, 0)
    world.now = Instant.parse("2026-11-24T06:40:00Z")
    world.settle()
    assert world.backfill.progress == "4/9"
    assert (world.writes - before, len(world.kusto.submits) - sent) == (4, 1)
    world.delete()
    world.settle()
    assert world.raw["metadata"]["finalizers"] == []


def test_an_edit_while_a_window_is_waited_for_is_acknowledged_and_the_cursors_own_is_not() -> None:
    world = _minutes_that_come()
    shown = world.raw["metadata"]["generation"]
    assert world.status.observed_generation != shown
    world.edit(ingestionDelay="1m")
    world.settle()
    assert world.status.observed_generation == shown + 1


@pytest.mark.parametrize("act", ["skip", "retry"])
def test_a_window_recorded_ahead_is_one_that_waits(act: str) -> None:
    world = _minutes_that_come()
    world.annotate(**{f"backfill_{act}": "2026-11-24T06:30:00Z"})
    world.settle()
    assert ("ActIgnored" in world.events) == (act == "retry")
    assert len(world.backfill.skipped) == (act == "skip")


@pytest.mark.parametrize("edit", ["body", "interval", "start", "suspend", "removed"])
def test_an_intent_recorded_ahead_was_never_sent_and_is_taken_back(edit: str) -> None:
    world = _minutes_that_come()
    asked = world.raw["spec"]["backfill"]
    edits: dict[str, Any] = {
        "body": {"body": "Other\n| where Timestamp between (_startTime .. _endTime)"},
        "interval": {"interval": "15m"},
        "start": {"backfill": {**asked, "start": "2026-11-24T05:50:00Z"}},
        "suspend": {"backfill": {**asked, "suspend": True}},
        "removed": {"backfill": ...},
    }
    world.edit(**edits[edit])
    world.settle()
    past = world.backfill
    flying = [str(window.start)[11:16] for window in past.in_flight]
    assert flying == (["06:30"] if edit == "start" else [])
    assert past.failed == ()
    assert (
        past.phase
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
    world = World(stored(rule(asked, suspend=True)), now=now)
    if why == "paused":
        world.now = Instant.parse("2026-11-24T06:50:00Z")
    world.settle()
    if why == "paused":
        assert world.raw["metadata"]["finalizers"] == [FINALIZER]
        world.edit(backfill={**world.raw["spec"]["backfill"], "suspend": True})
        world.settle()
    assert world.raw["metadata"]["finalizers"] == []
