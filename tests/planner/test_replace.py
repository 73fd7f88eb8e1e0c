"""Mode Replace: the rows of a window's earlier runs are dropped after the new rows are there."""

from typing import Any

import pytest

from summaryrule.api.instant import TICKS_PER_DAY, Instant
from summaryrule.planner.types import DropOlderRuns, DropOldTags, Submit
from summaryrule.window_command import parse_run_tag
from tests.manifests import rule, span, stored
from tests.planner.fake_environment import FIRST, HOUR, FakeEnvironment, hours

FIRST_AT = Instant.parse(FIRST)


def end_after(count: int) -> str:
    return str(FIRST_AT.plus(count * HOUR))


def replacing(count: int = 3, **more: Any) -> FakeEnvironment:
    """A rule in mode Replace with a backfill of some hours, whose interval runs are suspended."""
    backfill = span(FIRST, end_after(count), **more)
    return FakeEnvironment(stored(rule(backfill, writeMode="Replace", suspend=True)))


def recompute(env: FakeEnvironment, count: int, request_id: str = "again", **more: Any) -> None:
    env.edit(
        body="Fixed | where Timestamp between (_startTime .. _endTime)",
        backfill=span(FIRST, end_after(count), requestId=request_id, **more),
    )


def texts(env: FakeEnvironment) -> set[str]:
    return {each.text.rpartition(";\n")[2].split()[0] for each in env.kusto.data}


def test_an_append_carries_the_tag_of_its_run() -> None:
    env = replacing(1)
    env.run()
    [command] = [each.command for each in env.log if isinstance(each, Submit)]
    token = env.kusto.data[0].token
    tags = f'["ingest-by:{token}", "drop-by:summaryrule/telemetry/cpu-hourly/{FIRST}/{token}"]'
    assert f"tags='{tags}'" in command


def test_a_recompute_leaves_the_rows_of_the_last_run_only() -> None:
    env = replacing(4, maxInFlight=2)
    env.run()
    recompute(env, 4)
    env.run()
    assert env.kusto.starts == hours(4)
    assert texts(env) == {"Fixed"}
    assert len(env.kusto.dropped) == 4


@pytest.mark.parametrize("lives", range(40))
def test_a_crash_after_any_side_effect_doubles_and_loses_nothing(lives: int) -> None:
    env = replacing(2)
    env.run()
    recompute(env, 2)
    env.lives = lives
    env.run()
    assert env.kusto.starts == hours(2)
    assert texts(env) == {"Fixed"}


def test_a_lost_reply_of_a_drop_is_asked_again() -> None:
    env = replacing(2)
    env.run()
    recompute(env, 2)
    env.lost_drops = 2
    env.run()
    assert env.kusto.starts == hours(2)
    assert texts(env) == {"Fixed"}


def test_the_new_rows_are_there_before_the_old_ones_are_dropped() -> None:
    env = replacing(1)
    env.run()
    recompute(env, 1)
    env.kusto.is_slow = True
    env.settle()
    assert len(env.kusto.data) == 1
    assert not any(isinstance(each, DropOlderRuns) for each in env.log[-3:])
    env.kusto.end_all()
    env.run()
    drop = max(i for i, each in enumerate(env.log) if isinstance(each, DropOlderRuns))
    assert "BackfillCompleted" in env.performed[drop:]
    assert env.kusto.starts == hours(1)


def test_a_failed_append_drops_nothing() -> None:
    env = replacing(1)
    env.run()
    recompute(env, 1)
    env.kusto.state_of = lambda _start, _attempt: "Failed"
    env.run()
    assert env.backfill.phase == "Failed"
    assert env.kusto.dropped == []
    assert env.kusto.starts == hours(1)


def test_a_drop_that_is_refused_fails_the_window_and_a_retry_drops_it() -> None:
    env = replacing(1)
    env.run()
    recompute(env, 1)
    env.drop_refusals[FIRST] = "the old rows were not dropped"
    env.run()
    assert env.backfill.failed[0].error == "the old rows were not dropped"
    assert env.kusto.starts == hours(1) * 2
    env.drop_refusals.clear()
    env.annotate(backfill_retry="all")
    env.run()
    assert env.kusto.starts == hours(1)
    assert texts(env) == {"Fixed"}


def test_two_rules_on_one_table_never_touch_each_others_rows() -> None:
    env = replacing(2)
    env.run()
    other = FakeEnvironment(
        env.raw | {"metadata": env.raw["metadata"] | {"name": "cpu2", "uid": "other"}}
    )
    other.kusto, other.raw["status"] = env.kusto, {}
    other.edit(backfill=span(FIRST, end_after(2)))
    other.run()
    assert env.kusto.starts == sorted(hours(2) * 2)
    assert env.kusto.dropped == []


def test_a_rule_made_anew_takes_up_its_windows() -> None:
    env = replacing(2)
    env.run()
    again = replacing(2)
    again.raw["metadata"]["uid"] = "another"
    again.kusto = env.kusto
    again.run()
    assert env.kusto.starts == hours(2)
    assert len(env.kusto.dropped) == 2


def test_the_schedule_and_a_backfill_of_one_window_leave_one_run() -> None:
    cursor = {"cursor": "2026-11-24T04:00:00Z"}
    made = rule(writeMode="Replace")
    env = FakeEnvironment(stored(made, status={"schedule": cursor}))
    env.run()
    since = str(env.replace.since)
    assert since == "2026-11-24T04:00:00Z"
    env.edit(backfill=span(since, "2026-11-24T06:00:00Z"))
    env.run()
    assert env.kusto.starts == hours(2, since)
    assert len(env.kusto.dropped) == 2


def test_a_window_of_a_backfill_waits_for_that_of_the_schedule() -> None:
    env = FakeEnvironment(stored(rule(writeMode="Replace")))
    env.kusto.is_slow = True
    env.settle()
    last = env.schedule.in_flight[0]
    env.edit(backfill=span(str(last.start), str(last.end)))
    env.settle()
    assert len(env.kusto.submits) == 1
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert len(env.kusto.data) == 1
    assert len(env.kusto.dropped) == 1


# From which window on


def test_windows_of_mode_append_are_not_replaced_until_somebody_says_so() -> None:
    env = replacing(3)
    env.edit(writeMode=...)
    env.run()
    env.edit(writeMode="Replace")
    env.run()
    assert str(env.replace.since) == end_after(3)
    recompute(env, 3)
    env.run()
    assert env.block_reasons() == ["Suspended", "NotReplaceable"]
    assert ".delete table CpuHourly records" in env.decide().blocked[-1].message
    recompute(env, 3, untagged="Keep")
    env.run()
    assert env.kusto.starts == sorted(hours(3) * 2)
    assert str(env.replace.since) == FIRST
    recompute(env, 3, "third")
    env.run()
    assert env.kusto.starts == sorted(hours(3) * 2)


def test_another_interval_makes_earlier_windows_not_replaceable() -> None:
    env = replacing(3)
    env.run()
    earliest = env.replace.since
    assert earliest < FIRST_AT
    env.edit(interval="30m")
    env.run()
    assert str(env.replace.since) == end_after(3)


def test_mode_append_has_no_status_of_replace() -> None:
    env = replacing(1)
    env.run()
    env.edit(writeMode="Append")
    env.run()
    assert env.replace is None


def test_a_body_without_bounds_is_not_run() -> None:
    env = replacing(1)
    env.edit(body="Metrics | count")
    env.run()
    assert env.block_reasons()[0] == "Malformed"
    assert env.kusto.submits == []


# A run is not given up


def test_an_edit_of_the_mode_keeps_the_mode_of_recorded_windows() -> None:
    env = replacing(2)
    env.run()
    recompute(env, 2)
    env.kusto.is_slow = True
    env.settle()
    env.edit(writeMode="Append")
    env.settle()
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    modes = [each.run is not None for each in env.kusto.data]
    assert sorted(modes) == [False, True, True]


def test_a_removed_backfill_ends_its_windows_first() -> None:
    env = replacing(2)
    env.kusto.is_slow, env.kusto.ignores_cancel = True, True
    env.settle()
    env.edit(backfill=...)
    env.settle()
    assert env.block_reasons() == ["Suspended", "Canceling"]
    assert env.kusto.canceled == ["op-1"]
    assert env.backfill.phase == "Running"
    env.kusto.end_all()
    env.run()
    assert env.backfill.phase == "Canceled"
    assert env.backfill.windows_done == 1


def test_an_intent_whose_reply_was_lost_is_sent_again_when_the_request_ends() -> None:
    env = replacing(1)
    env.run()
    recompute(env, 1)
    env.kusto.is_slow, env.lost_replies = True, 1
    while env.lost_replies:
        env.step()
    assert len(env.kusto.in_progress) == 1
    env.edit(body="Again | where Timestamp between (_startTime .. _endTime)")
    env.edit(backfill=span(FIRST, end_after(1), requestId="third"))
    env.settle()
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == hours(1)
    assert texts(env) == {"Again"}


def test_a_deleted_rule_drops_the_rows_that_its_last_window_replaced() -> None:
    env = replacing(1)
    env.run()
    recompute(env, 1)
    env.kusto.is_slow, env.kusto.ignores_cancel = True, True
    env.settle()
    env.delete()
    env.settle()
    env.kusto.end_all()
    env.settle()
    assert env.raw["metadata"]["finalizers"] == []
    assert texts(env) == {"Fixed"}


# Tags


def test_tags_that_no_backfill_can_reach_are_removed_once_a_day() -> None:
    env = replacing(2)
    env.run()
    assert not any(isinstance(each, DropOldTags) for each in env.log)
    env.now = FIRST_AT.plus(31 * TICKS_PER_DAY + HOUR)
    env.run()
    env.run()
    assert sum(isinstance(each, DropOldTags) for each in env.log) == 1
    assert [each.run for each in env.kusto.data] == [None, None]
    assert env.kusto.starts == hours(2)
    assert str(env.replace.tags_since) == "2026-11-21T01:00:00Z"


@pytest.mark.parametrize("tag", ["", "drop-by:x", "drop-by:summaryrule/a/b/c", "ingest-by:1/2/3/4"])
def test_another_tag_is_no_run(tag: str) -> None:
    assert parse_run_tag(tag) is None
    assert parse_run_tag(f"drop-by:summaryrule/a/b/yesterday/{tag}") is None
