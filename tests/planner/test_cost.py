"""A plan for thirty days of minutes costs no more than one for an hour of them."""

import json

import pytest

from summaryrule.api.constants import SKIPPED_LIMIT
from summaryrule.api.instant import Instant
from tests.manifests import rule, span, stored
from tests.planner.call_counter import calls
from tests.planner.fake_environment import World, backfilling, hours

START, MONTH, HOUR = "2026-10-25T07:00:00Z", "2026-11-24T06:00:00Z", "2026-10-25T08:00:00Z"


def _minutes(end: str, **more: object) -> World:
    """A backfill of minutes with its first windows in flight."""
    world = World(stored(rule(span(START, end, **more), interval="1m", suspend=True)))
    world.kusto.is_slow = True
    world.settle()
    return world


@pytest.mark.parametrize("max_in_flight", [1, 20])
def test_a_plan_costs_the_same_however_many_windows_there_are(max_in_flight: int) -> None:
    long, short = (_minutes(end, maxInFlight=max_in_flight) for end in (MONTH, HOUR))
    assert (long.backfill.windows_total, short.backfill.windows_total) == (43_140, 60)
    for world in (long, short):
        world.kusto.end_all()
        world._poll(world.decide())  # noqa: SLF001 - what they came to, not yet recorded
    assert calls(long.decide) <= calls(short.decide) * 1.05


def test_a_window_stuck_at_the_mark_costs_nothing_however_far_the_others_are() -> None:
    world = _minutes(MONTH, maxInFlight=2)
    before = calls(world.decide)
    ahead = {"start": "2026-10-25T07:02:00Z", "end": "2026-11-20T00:00:00Z"}
    world.raw["status"]["backfill"]["doneAhead"] = [ahead]
    assert calls(world.decide) <= before * 1.2


def test_a_year_of_minutes_to_catch_up_costs_no_more_than_an_hour() -> None:
    cost = []
    for cursor in ("2025-11-24T00:00:00Z", "2026-11-24T05:00:00Z"):
        world = World(stored(rule(interval="1m"), status={"schedule": {"cursor": cursor}}))
        cost.append(calls(world.decide))
        world.kusto.is_slow = True
        world.settle()
        assert len(world.kusto.in_progress) == world.settings.interval_in_flight
        due = world.decide().due_windows
        assert due is not None
        assert due.start == Instant.parse(cursor).plus(4 * 600_000_000)
    assert cost[0] <= cost[1] * 1.05


def test_status_stays_small_over_a_month_of_minutes() -> None:
    world = _minutes(MONTH, maxInFlight=20)
    for step in range(10):
        for operation in world.kusto.in_progress[step % 2 :: 2]:
            world.kusto.end(operation)
        world.settle()
    assert len(json.dumps(world.raw["status"])) < 16_000


def test_status_keeps_the_last_windows_skipped_and_counts_them_all() -> None:
    world = backfilling(100)
    world.kusto.is_slow = True
    world.settle()
    world.annotate(backfill_skip=" ".join(hours(80)))
    world.settle()
    world.kusto.is_slow = False
    world.kusto.end_all()
    world.run()
    assert len(world.backfill.skipped) == SKIPPED_LIMIT
    assert (world.backfill.windows_skipped, world.backfill.windows_done) == (79, 21)
    assert world.backfill.progress == "100/100"
