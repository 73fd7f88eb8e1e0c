"""A plan for thirty days of minutes costs no more than one for an hour of them."""

import json
from itertools import pairwise
from typing import Any

import pytest

from summaryrule.api.constants import SKIPPED_LIMIT
from summaryrule.api.instant import Instant
from summaryrule.planner.types import RecordStatus
from tests.manifests import rule, span, stored
from tests.planner.call_counter import calls
from tests.planner.fake_environment import FakeEnvironment, backfilling, hours

START, MONTH, HOUR = "2026-10-25T07:00:00Z", "2026-11-24T06:00:00Z", "2026-10-25T08:00:00Z"
TWO_DAYS_AGO = "2026-11-22T02:00:00Z"


def _minutes(end: str, **more: object) -> FakeEnvironment:
    """A backfill of minutes with its first windows in flight."""
    env = FakeEnvironment(stored(rule(span(START, end, **more), interval="1m", suspend=True)))
    env.kusto.is_slow = True
    env.settle()
    return env


@pytest.mark.parametrize("max_in_flight", [1, 20])
def test_a_plan_costs_the_same_however_many_windows_there_are(max_in_flight: int) -> None:
    long, short = (_minutes(end, maxInFlight=max_in_flight) for end in (MONTH, HOUR))
    assert (long.backfill.windows_total, short.backfill.windows_total) == (43_140, 60)
    for env in (long, short):
        env.kusto.end_all()
        env._poll(env.decide())  # noqa: SLF001 - what they came to, not yet recorded
    assert calls(long.decide) <= calls(short.decide) * 1.05


def test_a_window_stuck_at_the_mark_costs_nothing_however_far_the_others_are() -> None:
    env = _minutes(MONTH, maxInFlight=2)
    before = calls(env.decide)
    ahead = {"start": "2026-10-25T07:02:00Z", "end": "2026-11-20T00:00:00Z"}
    env.raw["status"]["backfill"]["doneAhead"] = [ahead]
    assert calls(env.decide) <= before * 1.2


def test_a_year_of_minutes_to_catch_up_costs_no_more_than_an_hour() -> None:
    cost = []
    for cursor in ("2025-11-24T00:00:00Z", "2026-11-24T05:00:00Z"):
        env = FakeEnvironment(stored(rule(interval="1m"), status={"schedule": {"cursor": cursor}}))
        cost.append(calls(env.decide))
        env.kusto.is_slow = True
        env.settle()
        assert len(env.kusto.in_progress) == env.settings.interval_in_flight
        due = env.decide().due_windows
        assert due is not None
        assert due.start == Instant.parse(cursor).plus(4 * 600_000_000)
    assert cost[0] <= cost[1] * 1.05


def test_status_stays_small_over_a_month_of_minutes() -> None:
    env = _minutes(MONTH, maxInFlight=20)
    for step in range(10):
        for operation in env.kusto.in_progress[step % 2 :: 2]:
            env.kusto.end(operation)
        env.settle()
    assert len(json.dumps(env.raw["status"])) < 16_000


def test_status_keeps_the_last_windows_skipped_and_counts_them_all() -> None:
    env = backfilling(100)
    env.kusto.is_slow = True
    env.settle()
    env.annotate(backfill_skip=" ".join(hours(80)))
    env.settle()
    env.kusto.is_slow = False
    env.kusto.end_all()
    env.run()
    assert len(env.backfill.skipped) == SKIPPED_LIMIT
    assert (env.backfill.windows_skipped, env.backfill.windows_done) == (79, 21)
    assert env.backfill.progress == "100/100"


def _without_ready(status: Any) -> Any:
    bare = status.model_dump()
    names = {"Ready", "Stalled", "Reconciling"}
    bare["conditions"] = [each for each in bare["conditions"] if each["type"] not in names]
    return bare


@pytest.mark.parametrize(
    "make",
    [
        lambda: FakeEnvironment(stored(rule(), status={"schedule": {"cursor": TWO_DAYS_AGO}})),
        lambda: backfilling(24, maxInFlight=4),
        lambda: backfilling(24, suspend=False),
    ],
)
def test_ready_costs_no_write_of_its_own(make: Any) -> None:
    """Each status that is written differs from the one before in more than `Ready`."""
    env = make()
    env.run()
    written = [_without_ready(each.status) for each in env.log if isinstance(each, RecordStatus)]
    assert len(written) > 12
    assert all(before != after for before, after in pairwise(written))
