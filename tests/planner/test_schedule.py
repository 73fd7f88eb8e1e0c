"""Interval runs: catch-up, bounds, failures, and rules that another operator ran before."""

import json
from dataclasses import replace
from typing import Any

import pytest

from summaryrule.api.constants import (
    LAST_EXECUTION_CONDITION,
    OPERATIONS_CONDITION,
    SCHEDULE_CONDITION,
)
from summaryrule.api.instant import Instant
from summaryrule.planner.types import PlannerSettings
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import SETTINGS, World, backfilling, hours


def _world(status: Json | None = None, **spec: Any) -> World:
    more = {"status": status} if status else {}
    return World(stored(rule(**spec), **more))


def _condition(kind: str, message: str, status: str = "True") -> Json:
    return {"type": kind, "status": status, "reason": "x", "message": message}


def _since(cursor: str, **spec: Any) -> World:
    return _world({"schedule": {"cursor": cursor}}, **spec)


def test_the_first_window_is_the_last_complete_one() -> None:
    world = _world(ingestionDelay="45m")
    world.run()
    assert world.kusto.starts == ["2026-11-24T04:00:00Z"]
    assert str(world.schedule.cursor) == "2026-11-24T05:00:00Z"
    assert str(world.schedule.last_done) == "2026-11-24T05:00:00Z"


def test_the_next_window_runs_when_it_is_due_and_never_before() -> None:
    world = _world()
    planned = world.run()
    assert str(planned.requeue_at) == "2026-11-24T07:00:00Z"
    world.now = Instant.parse("2026-11-24T06:59:59.9999999Z")
    assert world.next_effects() == ()
    world.now = Instant.parse("2026-11-24T07:00:00Z")
    world.run()
    assert world.kusto.starts[-1] == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize("crash_after", [None, *range(12)])
def test_every_missed_window_runs_once_oldest_first(crash_after: int | None) -> None:
    world = _since("2026-11-20T00:00:00Z")
    world.lives = crash_after
    world.run()
    assert world.kusto.starts == hours(102)
    assert world.kusto.submits[0].start == hours(1)[0]
    assert world.most_in_flight <= world.settings.interval_in_flight


def test_the_cursor_moves_when_a_submission_is_recorded_and_not_before() -> None:
    world = _since("2026-11-24T00:00:00Z")
    world.kusto.is_slow = True
    world.step()
    assert str(world.schedule.cursor) == "2026-11-24T00:00:00Z"
    world.settle()
    assert str(world.schedule.cursor) == "2026-11-24T04:00:00Z"
    assert world.schedule.last_done is None


def test_a_failed_window_is_kept_told_of_and_holds_no_other_back() -> None:
    world = _since("2026-11-24T00:00:00Z")
    world.refusals["2026-11-24T02:00:00Z"] = "no such table"
    world.run()
    assert [str(window.start) for window in world.schedule.failed] == ["2026-11-24T02:00:00Z"]
    assert len(world.kusto.starts) == 5
    assert world.events == ["WindowFailed"]
    condition = world.condition(SCHEDULE_CONDITION)
    assert (condition.status, condition.reason) == ("False", "WindowFailed")
    assert "no such table" in condition.message
    world.refusals = {}
    world.annotate(backfill_retry="2026-11-24T02:00:00Z")
    world.run()
    assert len(world.kusto.starts) == 6
    assert world.schedule.failed == ()
    assert world.condition(SCHEDULE_CONDITION).status == "True"


def test_a_broken_rule_stops_at_its_limit_and_loses_no_window() -> None:
    world = _since("2026-11-20T00:00:00Z")
    world.kusto.fate = lambda _start, attempt: "Failed" if attempt == 1 else "Completed"
    world.run()
    limit = world.settings.failed_limit
    assert limit <= len(world.schedule.failed) < limit + world.settings.interval_in_flight
    assert "TooManyFailed" in world.held()
    assert world.decide().due_windows is None
    for _ in range(5):
        world.annotate(backfill_retry="all")
        world.run()
        assert world.most_in_flight <= world.settings.interval_in_flight
    assert world.kusto.starts == hours(102)


def test_suspend_stops_interval_runs_and_a_backfill_still_runs() -> None:
    world = backfilling(2)
    world.run()
    assert world.kusto.starts == hours(2)


def test_windows_missed_while_suspended_run_afterwards() -> None:
    world = _since("2026-11-24T00:00:00Z", suspend=True)
    world.run()
    assert world.kusto.starts == []
    world.edit(suspend=False)
    world.run()
    assert len(world.kusto.starts) == 6


def test_the_workers_own_writes_bring_no_window_forward() -> None:
    world = backfilling(4, suspend=False)
    world.run()
    assert world.kusto.starts == [*hours(4), "2026-11-24T05:00:00Z"]


def test_a_change_of_interval_drops_no_window_as_a_repeat() -> None:
    world = _since("2026-11-24T04:00:00Z")
    world.run()
    world.edit(interval="2h")
    world.sleep(2)
    world.run()
    assert world.kusto.data[-1].start == "2026-11-24T06:00:00Z"
    assert world.kusto.data[-1].last == "2026-11-24T07:59:59.9999999Z"
    assert len({each.token for each in world.kusto.data}) == len(world.kusto.data)


# Another operator's rules.


def test_a_rule_of_another_owner_is_left_alone() -> None:
    world = _world()
    world.annotate(owner="adx-mon")
    assert (world.held(), world.next_effects()) == (["NotOurs"], ())
    world.annotate(owner="")
    assert world.next_effects() != ()
    world.settings = PlannerSettings(endpoints=SETTINGS.endpoints, adopt_unowned=False)
    assert world.held() == ["NotOurs"]
    world.annotate(owner="summaryrule-operator")
    assert world.held() == []


def test_upstreams_cursor_is_taken_over_once() -> None:
    world = _world({"conditions": [_condition(LAST_EXECUTION_CONDITION, "2026-11-24T03:00:00Z")]})
    world.run()
    assert world.kusto.starts == [f"2026-11-24T0{hour}:00:00Z" for hour in (3, 4, 5)]
    assert world.condition(LAST_EXECUTION_CONDITION).message == "2026-11-24T06:00:00Z"
    world.raw["status"]["conditions"][-1]["message"] = "2020-01-01T00:00:00Z"
    before = len(world.kusto.submits)
    world.run()
    assert len(world.kusto.submits) == before


def test_upstreams_operations_are_polled_to_their_end_first() -> None:
    operation = {
        "operationId": "theirs",
        "startTime": "2026-11-24T05:00:00Z",
        "endTime": "2026-11-24T05:59:59.9999999Z",
    }
    world = _world(
        {
            "conditions": [
                _condition(LAST_EXECUTION_CONDITION, "2026-11-24T06:00:00Z"),
                _condition(OPERATIONS_CONDITION, json.dumps([operation])),
            ]
        }
    )
    world.kusto._states["theirs"] = "InProgress"  # noqa: SLF001 - it was there before
    world.settle()
    assert world.kusto.submits == []
    assert [each.operation_id for each in world.decide().running_operations] == ["theirs"]
    assert json.loads(world.condition(OPERATIONS_CONDITION).message) == [operation]
    world.kusto._states["theirs"] = "Completed"  # noqa: SLF001
    world.run()
    assert world.kusto.submits == []
    assert str(world.schedule.last_done) == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize("state", ["Failed?", "NotFound"])
def test_a_window_that_upstream_lost_runs_again_here(state: str) -> None:
    operation = {
        "operationId": "theirs",
        "startTime": "2026-11-24T05:00:00Z",
        "endTime": "2026-11-24T05:59:59.9999999Z",
    }
    world = _world(
        {
            "conditions": [
                _condition(LAST_EXECUTION_CONDITION, "2026-11-24T06:00:00Z"),
                _condition(OPERATIONS_CONDITION, json.dumps([operation])),
            ]
        }
    )
    if state != "NotFound":
        world.kusto._states["theirs"] = state  # noqa: SLF001
    world.run()
    assert world.kusto.starts == ["2026-11-24T05:00:00Z"]
    assert world.kusto.data[0].last == "2026-11-24T05:59:59.9999999Z"


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
    world = _world({"conditions": [condition]})
    world.run()
    assert world.kusto.submits == []
    assert world.held() == ["Malformed"]
    said = world.condition(SCHEDULE_CONDITION)
    assert (said.status, said.reason) == ("False", "Malformed")
    assert condition["type"] in said.message
    assert world.events == ["Malformed"]


def test_an_empty_condition_of_upstream_is_no_garbage() -> None:
    world = _world(
        {
            "conditions": [
                _condition(OPERATIONS_CONDITION, ""),
                _condition(LAST_EXECUTION_CONDITION, ""),
            ]
        }
    )
    world.run()
    assert world.kusto.starts == ["2026-11-24T05:00:00Z"]


def test_with_mode_backfill_upstreams_conditions_and_windows_are_not_touched() -> None:
    theirs = [
        _condition(SCHEDULE_CONDITION, "theirs"),
        _condition(OPERATIONS_CONDITION, '[{"operationId": "x"}]'),
        _condition(LAST_EXECUTION_CONDITION, "garbage is theirs too"),
    ]
    world = World(
        stored(
            rule(span("2026-11-20T00:00:00Z", "2026-11-20T03:00:00Z")),
            status={"conditions": theirs},
        ),
        settings=PlannerSettings(endpoints=SETTINGS.endpoints, mode="backfill"),
    )
    world.run()
    assert world.kusto.starts == hours(3)
    assert world.raw["status"]["conditions"][:3] == theirs
    assert world.condition("Backfill").status == "True"
    assert "schedule" not in world.raw["status"]


@pytest.mark.parametrize("why", ["NoEndpoint", "EndpointUnavailable"])
def test_with_mode_backfill_what_holds_a_backfill_is_said_on_its_own_condition(why: str) -> None:
    missing = why == "NoEndpoint"
    raw = stored(rule(span("2026-11-20T00:00:00Z", "2026-11-20T03:00:00Z")))
    settings = replace(SETTINGS, mode="backfill", endpoints={} if missing else SETTINGS.endpoints)
    world = World(raw, settings=settings)
    world.kusto.is_slow = True
    world.memory.endpoint_error = "" if missing else "http://kusto gave no usable answer"
    world.settle()
    said = world.condition("Backfill")
    assert (said.status, said.reason) == ("False", why)
    assert said.message.startswith("0/3 windows, done until 2026-11-20T00:00:00Z; ")
    assert world.events.count(why) == 1
    assert [each["type"] for each in world.raw["status"]["conditions"]] == [said.type]
    world.settings, world.memory.endpoint_error = replace(SETTINGS, mode="backfill"), ""
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()
    assert world.condition("Backfill").reason == "Completed"


def test_a_database_without_an_endpoint_holds_the_rule_and_says_so() -> None:
    world = _world(database="Nowhere")
    world.run()
    assert world.held() == ["NoEndpoint"]
    assert "'Nowhere'" in world.condition(SCHEDULE_CONDITION).message
    world.sleep(3)
    world.run()
    assert world.events == ["NoEndpoint"]


def test_an_endpoint_that_gives_no_answer_is_said_once_and_taken_back_when_it_does() -> None:
    world = _world()
    world.memory.endpoint_error = "http://kusto gave no usable answer: 502 that is no Kusto reply"
    world.run()
    said = world.condition(SCHEDULE_CONDITION)
    assert (said.status, said.reason) == ("False", "EndpointUnavailable")
    assert world.events == ["EndpointUnavailable"]
    world.memory.endpoint_error = ""
    world.sleep(3)
    world.run()
    assert world.condition(SCHEDULE_CONDITION).status == "True"


def test_conditions_carry_the_generation_and_keep_their_transition_time() -> None:
    world = _world()
    world.run()
    before = world.condition(SCHEDULE_CONDITION)
    world.edit(ingestionDelay="1m")
    world.sleep(3)
    world.run()
    after = world.condition(SCHEDULE_CONDITION)
    assert after.observed_generation == 2
    assert after.last_transition_time == before.last_transition_time
