"""The failure table of docs/reliability.md, row by row, without a server."""

from typing import Any

import pytest

from summaryrule.api.instant import Instant
from tests.planner.fake_environment import FIRST, HOUR, FakeEnvironment, backfilling, hours

THIRD = hours(3)[2]


def _failing(state: str, *, times: int = 99, **more: Any) -> FakeEnvironment:
    """A backfill of six windows whose third one fails so many times."""
    env = backfilling(6, **more)
    env.kusto.state_of = lambda start, attempt: (
        state if start == THIRD and attempt <= times else "Completed"
    )
    return env


@pytest.mark.parametrize("times", [1, 4])
def test_a_retryable_failure_is_tried_again_with_its_token_and_backoff(times: int) -> None:
    env = _failing("Failed?", times=times)
    env.run()
    assert env.kusto.starts == hours(6)
    tries = [each.token for each in env.kusto.submits if each.start == THIRD]
    assert len(tries) == times + 1
    assert len(set(tries)) == 1
    assert env.backfill.windows_retried == times
    assert env.now > Instant.parse("2026-11-24T06:30:00Z").plus((2**times - 1) * 5 * 10_000_000)


def test_attempts_used_up_fail_the_backfill_and_name_the_window() -> None:
    env = _failing("Failed?")
    env.run()
    assert env.backfill.phase == "Failed"
    assert [str(window.start) for window in env.backfill.failed] == [THIRD]
    assert env.backfill.failed[0].attempt == env.settings.max_attempts
    assert env.kusto.starts == hours(2)
    assert env.raw["spec"]["backfill"]["start"] == THIRD
    assert env.events == ["BackfillStarted", "WindowFailed"]
    condition = env.condition("Backfill")
    assert (condition.status, condition.reason) == ("False", "WindowFailed")
    assert THIRD in condition.message


@pytest.mark.parametrize(
    "state", ["Failed", "Canceled", "Abandoned", "BadInput", "PartiallySucceeded", "Skipped"]
)
def test_a_terminal_state_fails_the_backfill_at_once(state: str) -> None:
    env = _failing(state)
    env.run()
    assert env.backfill.phase == "Failed"
    assert sum(each.start == THIRD for each in env.kusto.submits) == 1
    assert env.backfill.last_error == f"{state}: boom"
    assert env.block_reasons() == ["Suspended", "BackfillFailed"]


def test_a_repeat_that_kusto_skipped_is_done_if_the_table_has_its_tag() -> None:
    env = backfilling(2)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end("op-1")
    env.kusto.end("op-1", "Skipped")
    env.settle()
    assert env.backfill.progress == "1/2"
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == hours(2)
    assert env.backfill.phase == "Completed"


def test_a_throttled_operation_backs_off_and_costs_no_attempt() -> None:
    env = _failing("Throttled", times=9)
    env.run()
    assert env.kusto.starts == hours(6)
    assert env.backfill.phase == "Completed"


def test_a_submit_refused_for_good_fails_its_window() -> None:
    env = backfilling(6)
    env.refusals[THIRD] = "Semantic error: no such column"
    env.run()
    assert env.backfill.failed[0].error == "Semantic error: no such column"


def test_the_last_error_is_the_newest_and_not_that_of_a_window_that_still_waits() -> None:
    env = backfilling(2, maxInFlight=2)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end("op-1", "Failed?")
    env.settle()
    env.kusto.end("op-2", "BadInput")
    env.settle()
    (waiting,) = env.backfill.in_flight
    assert waiting.error == "Failed: boom"
    assert env.backfill.last_error == "BadInput: boom"
    written = len(env.log)
    env.settle()
    assert env.backfill.last_error == "BadInput: boom"
    assert env.log[written:] == []


def test_with_several_in_flight_the_others_end_and_nothing_new_starts() -> None:
    env = _failing("Failed", maxInFlight=2)
    env.run()
    assert len(env.backfill.in_flight) == 0
    assert env.kusto.starts in (hours(2) + hours(4)[3:], hours(2))
    assert len(env.kusto.submits) <= 4


def test_a_retry_of_all_runs_the_failed_windows_again_and_goes_on() -> None:
    env = _failing("Failed", times=1)
    env.run()
    env.annotate(backfill_retry="all")
    env.run()
    assert env.kusto.starts == hours(6)
    assert env.backfill.phase == "Completed"
    assert env.raw["metadata"]["annotations"].keys() == {"adx-mon.azure.com/backfill-requested-by"}


def test_a_retry_names_windows_and_leaves_the_others_failed() -> None:
    env = backfilling(6, maxInFlight=3)
    env.kusto.state_of = lambda start, attempt: (
        "Failed" if start in hours(2) and attempt == 1 else "Completed"
    )
    env.run()
    assert len(env.backfill.failed) == 2
    env.annotate(backfill_retry=hours(2)[1])
    env.run()
    assert [str(window.start) for window in env.backfill.failed] == [FIRST]
    assert env.backfill.phase == "Failed"


def test_a_retry_that_fails_again_is_not_repeated_by_itself() -> None:
    env = backfilling(6)
    env.refusals[THIRD] = "no"
    env.run()
    before = len(env.log)
    env.annotate(backfill_retry="all")
    env.run()
    assert env.backfill.phase == "Failed"
    assert len(env.log) - before < 20


def test_a_skip_leaves_the_window_out_and_says_so() -> None:
    env = _failing("Failed")
    env.run()
    env.annotate(backfill_skip=THIRD)
    env.run()
    assert env.backfill.phase == "Completed"
    assert env.kusto.starts == [*hours(2), *hours(6)[3:]]
    assert (env.backfill.windows_done, env.backfill.windows_skipped) == (5, 1)
    assert [str(window.start) for window in env.backfill.skipped] == [THIRD]


def test_a_window_still_to_come_can_be_skipped() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    env.annotate(backfill_skip=f"{hours(5)[4]}, {THIRD}")
    env.settle()
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.kusto.starts == [hours(6)[i] for i in (0, 1, 3, 5)]
    assert env.backfill.progress == "6/6"


def test_a_retry_of_many_stays_inside_the_bound_in_flight() -> None:
    env = backfilling(20, maxInFlight=20)
    env.kusto.state_of = lambda _start, attempt: "Failed" if attempt == 1 else "Completed"
    env.run()
    assert len(env.backfill.failed) == 20
    env.edit(backfill={**env.raw["spec"]["backfill"], "maxInFlight": 2})
    env.kusto.is_slow = True
    env.most_in_flight = 0
    env.annotate(backfill_retry="all")
    for _ in range(10):
        env.settle()
        assert len(env.kusto.in_progress) == 2
        env.kusto.end_all()
    env.run()
    assert env.kusto.starts == hours(20)


def test_an_operation_without_a_record_is_waited_for_while_the_log_may_lag() -> None:
    env = backfilling(1)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.forget("op-1")
    env.settle()
    assert env.performed.count("CheckIngestTag") == 0
    assert len(env.kusto.submits) == 1


@pytest.mark.parametrize("went_through", [True, False])
def test_an_old_operation_without_a_record_is_looked_up_by_tag(*, went_through: bool) -> None:
    env = backfilling(1)
    env.kusto.is_slow = True
    env.settle()
    if went_through:
        env.kusto.end_all()
    env.kusto.forget("op-1")
    env.kusto.is_slow = False
    env.sleep(1)
    env.run()
    assert "CheckIngestTag" in env.performed
    assert len(env.kusto.submits) == (1 if went_through else 2)
    assert env.kusto.starts == hours(1)


def test_a_lost_window_is_sent_again_under_its_token_so_a_late_end_doubles_nothing() -> None:
    env = backfilling(1)
    env.kusto.is_slow = True
    env.settle()
    env.kusto.forget("op-1")
    env.sleep(1)
    env.settle()
    assert len(env.kusto.submits) == 2
    env.kusto.end("op-1")
    env.kusto.end("op-2")
    env.run()
    assert env.kusto.starts == hours(1)


def test_criteria_that_stop_matching_let_what_flies_end_and_submit_nothing() -> None:
    env = backfilling(6, suspend=False)
    env.kusto.is_slow = True
    env.settle()
    env.edit(criteriaExpression="region == 'x'")
    env.criteria_hold = False
    env.kusto.end_all()
    env.sleep(3)
    env.settle()
    assert env.kusto.starts == [FIRST, "2026-11-24T05:00:00Z"]
    assert len(env.kusto.submits) == 2
    assert env.block_reasons()[0] == "CriteriaNotMet"
    env.kusto.is_slow = False
    env.criteria_hold = True
    env.run()
    assert env.kusto.starts[:6] == hours(6)


def test_a_deleted_rule_cancels_what_flies_and_is_let_go() -> None:
    env = backfilling(6, maxInFlight=2)
    env.kusto.is_slow = True
    env.settle()
    env.delete()
    env.settle()
    assert env.kusto.canceled == ["op-1", "op-2"]
    assert env.raw["metadata"]["finalizers"] == []
    assert len(env.kusto.submits) == 2


def test_a_deleted_rule_waits_for_a_cancellation_only_so_long() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    env.delete()
    env.kusto.ignores_cancel = True
    plan = env.settle()
    assert [each.reason for each in plan.blocked] == ["Deleting"]
    assert plan.requeue_at == env.now.plus(60 * 10_000_000)
    env.now = plan.requeue_at
    env.settle()
    assert env.raw["metadata"]["finalizers"] == []


def test_a_deleted_rule_cancels_an_answer_that_was_never_recorded() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.lives = 4
    while not env.kusto.submits:
        env.step()
        env.lives = None
    env.delete()
    env.settle()
    assert env.kusto.canceled == ["op-1"]


def test_a_deleted_rule_that_changed_its_owner_is_let_go_too() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    env.annotate(owner="adx-mon")
    env.delete()
    env.settle()
    assert env.raw["metadata"]["finalizers"] == []


def test_a_deleted_rule_with_nothing_in_flight_needs_nothing() -> None:
    env = backfilling(1)
    env.run()
    env.delete()
    assert env.next_effects() == ()


def test_kusto_down_for_days_is_no_flood_on_its_return() -> None:
    env = backfilling(30, maxInFlight=4, suspend=False)
    env.kusto.is_slow = True
    env.settle()
    env.sleep(72)
    env.settle()
    assert len(env.kusto.in_progress) <= 4 + env.settings.interval_in_flight
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert env.most_in_flight <= 4 + env.settings.interval_in_flight
    assert env.kusto.starts[:30] == hours(30)
    assert len(env.kusto.starts) == 30 + 73


def test_a_start_not_before_its_end_is_said_and_what_flies_is_still_credited() -> None:
    env = backfilling(6)
    env.kusto.is_slow = True
    env.settle()
    env.edit(backfill={"start": hours(3)[2], "end": FIRST})
    env.kusto.end_all()
    env.settle()
    assert env.block_reasons() == ["Suspended", "Malformed"]
    assert str(env.backfill.done_until) == hours(2)[1]
    assert env.backfill.phase == "Running"


def test_errors_in_status_are_one_short_line() -> None:
    env = backfilling(1)
    env.refusals[FIRST] = "line\none " + "é" * 4_000
    env.run()
    error = env.backfill.failed[0].error
    assert len(error.encode()) <= 256
    assert "\n" not in error


def test_jitter_keeps_rules_that_failed_together_apart() -> None:
    waits = set()
    for uid in range(8):
        env = backfilling(1)
        env.raw["metadata"]["uid"] = f"uid-{uid}"
        env.kusto.state_of = lambda _start, _attempt: "Failed?"
        env.settle()
        wake = env.decide().requeue_at
        assert wake is not None
        waits.add(wake.ticks - env.now.ticks)
        assert 5 * 10_000_000 <= wake.ticks - env.now.ticks <= 7.5 * 10_000_000
    assert len(waits) > 4
    assert max(waits) < HOUR
