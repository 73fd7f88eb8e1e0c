"""Interval runs: catch-up, bounds, failures, and rules that another operator ran before."""

import json
from typing import Any

import pytest

from summaryrule.api.constants import (
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    SCHEDULE_CONDITION,
)
from summaryrule.api.instant import Instant
from tests.manifests import Json, rule, stored
from tests.planner.fake_environment import FakeEnvironment, backfilling, hours


def _environment(status: Json | None = None, **spec: Any) -> FakeEnvironment:
    more = {"status": status} if status else {}
    return FakeEnvironment(stored(rule(**spec), **more))


def _condition(kind: str, message: str, status: str = "True") -> Json:
    return {"type": kind, "status": status, "reason": "x", "message": message}


def _since(cursor: str, **spec: Any) -> FakeEnvironment:
    return _environment({"schedule": {"cursor": cursor}}, **spec)


def test_the_first_window_is_the_last_complete_one() -> None:
    env = _environment(ingestionDelay="45m")
    env.run()
    assert env.kusto.starts == ["2026-11-24T04:00:00Z"]
    assert str(env.schedule.cursor) == "2026-11-24T05:00:00Z"
    assert str(env.schedule.last_done) == "2026-11-24T05:00:00Z"


def test_the_next_window_runs_when_it_is_due_and_never_before() -> None:
    env = _environment()
    plan = env.run()
    assert str(plan.requeue_at) == "2026-11-24T07:00:00Z"
    env.now = Instant.parse("2026-11-24T06:59:59.9999999Z")
    assert env.next_effects() == ()
    env.now = Instant.parse("2026-11-24T07:00:00Z")
    env.run()
    assert env.kusto.starts[-1] == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize("crash_after", [None, *range(12)])
def test_every_missed_window_runs_once_oldest_first(crash_after: int | None) -> None:
    env = _since("2026-11-20T00:00:00Z")
    env.lives = crash_after
    env.run()
    assert env.kusto.starts == hours(102)
    assert env.kusto.submits[0].start == hours(1)[0]
    assert env.most_in_flight <= env.settings.interval_in_flight


def test_the_cursor_moves_when_a_submission_is_recorded_and_not_before() -> None:
    env = _since("2026-11-24T00:00:00Z")
    env.kusto.is_slow = True
    env.step()
    assert str(env.schedule.cursor) == "2026-11-24T00:00:00Z"
    env.settle()
    assert str(env.schedule.cursor) == "2026-11-24T04:00:00Z"
    assert env.schedule.last_done is None


def test_a_failed_window_is_kept_told_of_and_holds_no_other_back() -> None:
    env = _since("2026-11-24T00:00:00Z")
    env.refusals["2026-11-24T02:00:00Z"] = "no such table"
    env.run()
    assert [str(window.start) for window in env.schedule.failed] == ["2026-11-24T02:00:00Z"]
    assert len(env.kusto.starts) == 5
    assert env.events == ["WindowFailed"]
    condition = env.condition(SCHEDULE_CONDITION)
    assert (condition.status, condition.reason) == ("False", "WindowFailed")
    assert "no such table" in condition.message
    env.refusals = {}
    env.annotate(backfill_retry="2026-11-24T02:00:00Z")
    env.run()
    assert len(env.kusto.starts) == 6
    assert env.schedule.failed == ()
    assert env.condition(SCHEDULE_CONDITION).status == "True"


def test_a_broken_rule_stops_at_its_limit_and_loses_no_window() -> None:
    env = _since("2026-11-20T00:00:00Z")
    env.kusto.state_of = lambda _start, attempt: "Failed" if attempt == 1 else "Completed"
    env.run()
    limit = env.settings.failed_limit
    assert limit <= len(env.schedule.failed) < limit + env.settings.interval_in_flight
    assert "TooManyFailed" in env.block_reasons()
    assert env.decide().due_windows is None
    for _ in range(5):
        env.annotate(backfill_retry="all")
        env.run()
        assert env.most_in_flight <= env.settings.interval_in_flight
    assert env.kusto.starts == hours(102)


def test_suspend_stops_interval_runs_and_a_backfill_still_runs() -> None:
    env = backfilling(2)
    env.run()
    assert env.kusto.starts == hours(2)


def test_windows_missed_while_suspended_run_afterwards() -> None:
    env = _since("2026-11-24T00:00:00Z", suspend=True)
    env.run()
    assert env.kusto.starts == []
    env.edit(suspend=False)
    env.run()
    assert len(env.kusto.starts) == 6


def test_the_workers_own_writes_bring_no_window_forward() -> None:
    env = backfilling(4, suspend=False)
    env.run()
    assert env.kusto.starts == [*hours(4), "2026-11-24T05:00:00Z"]


def test_a_change_of_interval_drops_no_window_as_a_repeat() -> None:
    env = _since("2026-11-24T04:00:00Z")
    env.run()
    env.edit(interval="2h")
    env.sleep(2)
    env.run()
    assert env.kusto.data[-1].start == "2026-11-24T06:00:00Z"
    assert env.kusto.data[-1].last == "2026-11-24T07:59:59.9999999Z"
    assert len({each.token for each in env.kusto.data}) == len(env.kusto.data)


# A rule that adx-mon ran.


def test_upstreams_cursor_is_taken_over_once() -> None:
    env = _environment(
        {"conditions": [_condition(LAST_EXECUTION_CONDITION, "2026-11-24T03:00:00Z")]}
    )
    env.run()
    assert env.kusto.starts == [f"2026-11-24T0{hour}:00:00Z" for hour in (3, 4, 5)]
    assert env.condition(LAST_EXECUTION_CONDITION).message == "2026-11-24T06:00:00Z"
    env.raw["status"]["conditions"][-1]["message"] = "2020-01-01T00:00:00Z"
    before = len(env.kusto.submits)
    env.run()
    assert len(env.kusto.submits) == before


def test_upstreams_operations_are_polled_to_their_end_first() -> None:
    operation = {
        "operationId": "theirs",
        "startTime": "2026-11-24T05:00:00Z",
        "endTime": "2026-11-24T05:59:59.9999999Z",
    }
    env = _environment(
        {
            "conditions": [
                _condition(LAST_EXECUTION_CONDITION, "2026-11-24T06:00:00Z"),
                _condition(OPERATIONS_CONDITION, json.dumps([operation])),
            ]
        }
    )
    env.kusto._states["theirs"] = "InProgress"  # noqa: SLF001 - it was there before
    env.settle()
    assert env.kusto.submits == []
    assert [each.operation_id for each in env.decide().running_operations] == ["theirs"]
    assert json.loads(env.condition(OPERATIONS_CONDITION).message) == [operation]
    env.kusto._states["theirs"] = "Completed"  # noqa: SLF001
    env.run()
    assert env.kusto.submits == []
    assert str(env.schedule.last_done) == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize("state", ["Failed?", "NotFound"])
def test_a_window_that_upstream_lost_runs_again_here(state: str) -> None:
    operation = {
        "operationId": "theirs",
        "startTime": "2026-11-24T05:00:00Z",
        "endTime": "2026-11-24T05:59:59.9999999Z",
    }
    env = _environment(
        {
            "conditions": [
                _condition(LAST_EXECUTION_CONDITION, "2026-11-24T06:00:00Z"),
                _condition(OPERATIONS_CONDITION, json.dumps([operation])),
            ]
        }
    )
    if state != "NotFound":
        env.kusto._states["theirs"] = state  # noqa: SLF001
    env.run()
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]
    assert env.kusto.data[0].last == "2026-11-24T05:59:59.9999999Z"


GARBAGE = {
    "a cursor that is no time": _condition(LAST_EXECUTION_CONDITION, "yesterday"),
    "operations that are no JSON": _condition(OPERATIONS_CONDITION, "op-1"),
    "operations that are no list": _condition(OPERATIONS_CONDITION, "5"),
    "operations that are an object": _condition(OPERATIONS_CONDITION, '{"a": 1}'),
    "an operation without a start": _condition(OPERATIONS_CONDITION, '[{"operationId": "x"}]'),
    "an operation of numbers": _condition(
        OPERATIONS_CONDITION, '[{"operationId": 5, "startTime": 1, "endTime": 2}]'
    ),
    "an operation that ends before it starts": _condition(
        OPERATIONS_CONDITION,
        '[{"operationId": "x", "startTime": "2026-11-24T05:00:00Z",'
        ' "endTime": "2026-11-24T04:00:00Z"}]',
    ),
    "operations nested without end": _condition(OPERATIONS_CONDITION, "[" * 100_000),
}


@pytest.mark.parametrize("condition", GARBAGE.values(), ids=GARBAGE)
def test_garbage_of_another_operator_holds_the_rule_and_says_so(condition: Json) -> None:
    env = _environment({"conditions": [condition]})
    env.run()
    assert env.kusto.submits == []
    assert env.block_reasons() == ["Malformed"]
    written = env.condition(SCHEDULE_CONDITION)
    assert (written.status, written.reason) == ("False", "Malformed")
    assert condition["type"] in written.message
    assert env.events == ["Malformed"]


def test_an_empty_condition_of_upstream_is_no_garbage() -> None:
    env = _environment(
        {
            "conditions": [
                _condition(OPERATIONS_CONDITION, ""),
                _condition(LAST_EXECUTION_CONDITION, ""),
            ]
        }
    )
    env.run()
    assert env.kusto.starts == ["2026-11-24T05:00:00Z"]


def test_a_database_without_an_endpoint_holds_the_rule_and_says_so() -> None:
    env = _environment(database="Nowhere")
    env.run()
    assert env.block_reasons() == ["NoEndpoint"]
    assert "'Nowhere'" in env.condition(SCHEDULE_CONDITION).message
    env.sleep(3)
    env.run()
    assert env.events == ["NoEndpoint"]


def test_an_endpoint_that_gives_no_answer_is_said_once_and_taken_back_when_it_does() -> None:
    env = _environment()
    env.memory.endpoint_error = "http://kusto gave no usable answer: 502 that is no Kusto reply"
    env.run()
    condition = env.condition(SCHEDULE_CONDITION)
    assert (condition.status, condition.reason) == ("False", "EndpointUnavailable")
    assert env.events == ["EndpointUnavailable"]
    env.memory.endpoint_error = ""
    env.sleep(3)
    env.run()
    assert env.condition(SCHEDULE_CONDITION).status == "True"


def test_conditions_carry_the_generation_and_keep_their_transition_time() -> None:
    env = _environment()
    env.run()
    before = env.condition(SCHEDULE_CONDITION)
    env.edit(ingestionDelay="1m")
    env.sleep(3)
    env.run()
    after = env.condition(SCHEDULE_CONDITION)
    assert after.observed_generation == 2
    assert after.last_transition_time == before.last_transition_time
