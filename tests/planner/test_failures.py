"""The failure table of design section 8, row by row, on the pure plan."""

from typing import Any

import pytest

from summaryrule.api.instant import Instant
from tests.planner.fake_environment import FIRST, HOUR, World, backfilling, hours

THIRD = hours(3)[2]


def _failing(state: str, *, times: int = 99, **more: Any) -> World:
    """A backfill of six windows whose third one fails so many times."""
    world = backfilling(6, **more)
    world.kusto.fate = lambda start, attempt: (
        state if start == THIRD and attempt <= times else "Completed"
    )
    return world


@pytest.mark.parametrize("times", [1, 4])
def test_a_retryable_failure_is_tried_again_with_its_token_and_backoff(times: int) -> None:
    world = _failing("Failed?", times=times)
    world.run()
    assert world.kusto.starts == hours(6)
    tries = [each.token for each in world.kusto.submits if each.start == THIRD]
    assert len(tries) == times + 1
    assert len(set(tries)) == 1
    assert world.backfill.windows_retried == times
    assert world.now > Instant.parse("2026-11-24T06:30:00Z").plus((2**times - 1) * 5 * 10_000_000)


def test_attempts_used_up_fail_the_backfill_and_name_the_window() -> None:
    world = _failing("Failed?")
    world.run()
    assert world.backfill.phase == "Failed"
    assert [str(window.start) for window in world.backfill.failed] == [THIRD]
    assert world.backfill.failed[0].attempt == world.settings.max_attempts
    assert world.kusto.starts == hours(2)
    assert world.raw["spec"]["backfill"]["start"] == THIRD
    assert world.events == ["BackfillStarted", "WindowFailed"]
    condition = world.condition("Backfill")
    assert (condition.status, condition.reason) == ("False", "WindowFailed")
    assert THIRD in condition.message


@pytest.mark.parametrize(
    "state", ["Failed", "Canceled", "Abandoned", "BadInput", "PartiallySucceeded", "Skipped"]
)
def test_a_terminal_state_fails_the_backfill_at_once(state: str) -> None:
    world = _failing(state)
    world.run()
    assert world.backfill.phase == "Failed"
    assert sum(each.start == THIRD for each in world.kusto.submits) == 1
    assert world.backfill.last_error == f"{state}: boom"
    assert world.held() == ["Suspended", "BackfillFailed"]


def test_a_repeat_that_kusto_skipped_is_done_if_the_table_has_its_tag() -> None:
    world = backfilling(2)
    world.kusto.is_slow = True
    world.settle()
    world.kusto.end("op-1")
    world.kusto.end("op-1", "Skipped")
    world.settle()
    assert world.backfill.progress == "1/2"
    world.kusto.end_all()
    world.run()
    assert world.kusto.starts == hours(2)
    assert world.backfill.phase == "Completed"


def test_a_throttled_operation_backs_off_and_costs_no_attempt() -> None:
    world = _failing("Throttled", times=9)
    world.run()
    assert world.kusto.starts == hours(6)
    assert world.backfill.phase == "Completed"


def test_a_submit_refused_for_good_fails_its_window() -> None:
    world = backfilling(6)
    world.refusals[THIRD] = "Semantic error: no such column"
    world.run()
    assert world.backfill.failed[0].error == "Semantic error: no such column"


def test_with_several_in_flight_the_others_end_and_nothing_new_starts() -> None:
    world = _failing("Failed", maxInFlight=2)
    world.run()
    assert len(world.backfill.in_flight) == 0
    assert world.kusto.starts in (hours(2) + hours(4)[3:], hours(2))
    assert len(world.kusto.submits) <= 4


def test_a_retry_of_all_runs_the_failed_windows_again_and_goes_on() -> None:
    world = _failing("Failed", times=1)
    world.run()
    world.annotate(backfill_retry="all")
    world.run()
    assert world.kusto.starts == hours(6)
    assert world.backfill.phase == "Completed"
    assert world.raw["metadata"]["annotations"].keys() == {
        "adx-mon.azure.com/backfill-requested-by"
    }


def test_a_retry_names_windows_and_leaves_the_others_failed() -> None:
    world = backfilling(6, maxInFlight=3)
    world.kusto.fate = lambda start, attempt: (
        "Failed" if start in hours(2) and attempt == 1 else "Completed"
    )
    world.run()
    assert len(world.backfill.failed) == 2
    world.annotate(backfill_retry=hours(2)[1])
    world.run()
    assert [str(window.start) for window in world.backfill.failed] == [FIRST]
    assert world.backfill.phase == "Failed"


def test_a_retry_that_fails_again_is_not_repeated_by_itself() -> None:
    world = backfilling(6)
    world.refusals[THIRD] = "no"
    world.run()
    before = len(world.log)
    world.annotate(backfill_retry="all")
    world.run()
    assert world.backfill.phase == "Failed"
    assert len(world.log) - before < 20


def test_a_skip_leaves_the_window_out_and_says_so() -> None:
    world = _failing("Failed")
    world.run()
    world.annotate(backfill_skip=THIRD)
    world.run()
    assert world.backfill.phase == "Completed"
    assert world.kusto.starts == [*hours(2), *hours(6)[3:]]
    assert (world.backfill.windows_done, world.backfill.windows_skipped) == (5, 1)
    assert [str(window.start) for window in world.backfill.skipped] == [THIRD]


def test_a_window_still_to_come_can_be_skipped() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    world.annotate(backfill_skip=f"{hours(5)[4]}, {THIRD}")
    world.settle()
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()
    assert world.kusto.starts == [hours(6)[i] for i in (0, 1, 3, 5)]
    assert world.backfill.progress == "6/6"


def test_a_retry_of_many_stays_inside_the_bound_in_flight() -> None:
    world = backfilling(20, maxInFlight=20)
    world.kusto.fate = lambda _start, attempt: "Failed" if attempt == 1 else "Completed"
    world.run()
    assert len(world.backfill.failed) == 20
    world.edit(backfill={**world.raw["spec"]["backfill"], "maxInFlight": 2})
    world.kusto.is_slow = True
    world.most_in_flight = 0
    world.annotate(backfill_retry="all")
    for _ in range(10):
        world.settle()
        assert len(world.kusto.in_progress) == 2
        world.kusto.end_all()
    world.run()
    assert world.kusto.starts == hours(20)


def test_an_operation_without_a_record_is_waited_for_while_the_log_may_lag() -> None:
    world = backfilling(1)
    world.kusto.is_slow = True
    world.settle()
    world.kusto.forget("op-1")
    world.settle()
    assert world.told.count("CheckIngestTag") == 0
    assert len(world.kusto.submits) == 1


@pytest.mark.parametrize("went_through", [True, False])
def test_an_old_operation_without_a_record_is_looked_up_by_tag(*, went_through: bool) -> None:
    world = backfilling(1)
    world.kusto.is_slow = True
    world.settle()
    if went_through:
        world.kusto.end_all()
    world.kusto.forget("op-1")
    world.kusto.is_slow = False
    world.sleep(1)
    world.run()
    assert "CheckIngestTag" in world.told
    assert len(world.kusto.submits) == (1 if went_through else 2)
    assert world.kusto.starts == hours(1)


def test_a_lost_window_is_sent_again_under_its_token_so_a_late_end_doubles_nothing() -> None:
    world = backfilling(1)
    world.kusto.is_slow = True
    world.settle()
    world.kusto.forget("op-1")
    world.sleep(1)
    world.settle()
    assert len(world.kusto.submits) == 2
    world.kusto.end("op-1")
    world.kusto.end("op-2")
    world.run()
    assert world.kusto.starts == hours(1)


def test_criteria_that_stop_matching_let_what_flies_end_and_submit_nothing() -> None:
    world = backfilling(6, suspend=False)
    world.kusto.is_slow = True
    world.settle()
    world.edit(criteriaExpression="region == 'x'")
    world.criteria_hold = False
    world.kusto.end_all()
    world.sleep(3)
    world.settle()
    assert world.kusto.starts == [FIRST, "2026-11-24T05:00:00Z"]
    assert len(world.kusto.submits) == 2
    assert world.held()[0] == "CriteriaNotMet"
    world.kusto.is_slow = False
    world.criteria_hold = True
    world.run()
    assert world.kusto.starts[:6] == hours(6)


def test_a_deleted_rule_cancels_what_flies_and_is_let_go() -> None:
    world = backfilling(6, maxInFlight=2)
    world.kusto.is_slow = True
    world.settle()
    world.delete()
    world.settle()
    assert world.kusto.canceled == ["op-1", "op-2"]
    assert world.raw["metadata"]["finalizers"] == []
    assert len(world.kusto.submits) == 2


def test_a_deleted_rule_waits_for_a_cancellation_only_so_long() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    world.delete()
    world.kusto.ignores_cancel = True
    planned = world.settle()
    assert [held.reason for held in planned.blocked] == ["Deleting"]
    assert planned.requeue_at == world.now.plus(60 * 10_000_000)
    world.now = planned.requeue_at
    world.settle()
    assert world.raw["metadata"]["finalizers"] == []


def test_a_deleted_rule_cancels_an_answer_that_was_never_recorded() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.lives = 4
    while not world.kusto.submits:
        world.step()
        world.lives = None
    world.delete()
    world.settle()
    assert world.kusto.canceled == ["op-1"]


def test_a_deleted_rule_that_changed_its_owner_is_let_go_too() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    world.annotate(owner="adx-mon")
    world.delete()
    world.settle()
    assert world.raw["metadata"]["finalizers"] == []


def test_a_deleted_rule_with_nothing_in_flight_needs_nothing() -> None:
    world = backfilling(1)
    world.run()
    world.delete()
    assert world.next_effects() == ()


def test_kusto_down_for_days_is_no_flood_on_its_return() -> None:
    world = backfilling(30, maxInFlight=4, suspend=False)
    world.kusto.is_slow = True
    world.settle()
    world.sleep(72)
    world.settle()
    assert len(world.kusto.in_progress) <= 4 + world.settings.interval_in_flight
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()
    assert world.most_in_flight <= 4 + world.settings.interval_in_flight
    assert world.kusto.starts[:30] == hours(30)
    assert len(world.kusto.starts) == 30 + 73


def test_a_start_not_before_its_end_is_said_and_what_flies_is_still_credited() -> None:
    world = backfilling(6)
    world.kusto.is_slow = True
    world.settle()
    world.edit(backfill={"start": hours(3)[2], "end": FIRST})
    world.kusto.end_all()
    world.settle()
    assert world.held() == ["Suspended", "Malformed"]
    assert str(world.backfill.done_until) == hours(2)[1]
    assert world.backfill.phase == "Running"


def test_errors_in_status_are_one_short_line() -> None:
    world = backfilling(1)
    world.refusals[FIRST] = "line\none " + "é" * 4_000
    world.run()
    error = world.backfill.failed[0].error
    assert len(error.encode()) <= 256
    assert "\n" not in error


def test_jitter_keeps_rules_that_failed_together_apart() -> None:
    waits = set()
    for uid in range(8):
        world = backfilling(1)
        world.raw["metadata"]["uid"] = f"uid-{uid}"
        world.kusto.fate = lambda _start, _attempt: "Failed?"
        world.settle()
        wake = world.decide().requeue_at
        assert wake is not None
        waits.add(wake.ticks - world.now.ticks)
        assert 5 * 10_000_000 <= wake.ticks - world.now.ticks <= 7.5 * 10_000_000
    assert len(waits) > 4
    assert max(waits) < HOUR
