"""A request that ended early and is made again, on the same grid or on another."""

from collections import Counter
from dataclasses import replace

import pytest

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import FIRST, HOUR, SETTINGS, FakeEnvironment, hours

END = "2026-11-20T08:00:00Z"
OTHER_GRIDS = ["30m", "45m", "2h", "3h", "24h"]


def _manifest(start: str = FIRST, end: str = END, *, interval: str = "1h", **more: int) -> Json:
    return rule(span(start, end, **more), suspend=True, interval=interval)


def _part_way(start: str = FIRST) -> FakeEnvironment:
    """Eight windows, three at once: the first and the third done, the second and fourth fly."""
    env = FakeEnvironment(stored(_manifest(start, maxInFlight=3)))
    env.kusto.is_slow = True
    env.settle()
    env.kusto.end("op-1")
    env.kusto.end("op-3")
    env.settle()
    return env


def _end(env: FakeEnvironment, how: str) -> None:
    """The request ends; Kusto may finish what it was asked to cancel all the same."""
    env.kusto.ignores_cancel = how == "removed, and Kusto went on"
    if how == "superseded":
        env.kusto.state_of = lambda _start, _n: "Failed"
        asked = {**env.raw["spec"]["backfill"], "requestId": "two"}
        env.edit(backfill=asked)
        env.settle()
        env.kusto.end_all("Failed")
    env.edit(backfill=...)
    env.settle()
    if env.kusto.ignores_cancel:
        env.kusto.end_all()


def _again(env: FakeEnvironment, interval: str, *, mutate: bool = True, start: str = FIRST) -> None:
    env.kusto.is_slow, env.kusto.state_of = False, lambda _start, _n: "Completed"
    env.apply(_manifest(start, interval=interval), mutate=mutate)
    env.run()


def _covered(env: FakeEnvironment) -> Counter[str]:
    """How often each minute's data is there."""
    minutes: Counter[str] = Counter()
    for each in env.kusto.data:
        at = Instant.parse(each.start)
        while at < Instant.parse(each.last):
            minutes[str(at)] += 1
            at = at.plus(HOUR // 60)
    return minutes


def _once(start: str = FIRST, end: str = END) -> Counter[str]:
    first, last = Instant.parse(start), Instant.parse(end)
    return Counter(str(Instant(at)) for at in range(first.ticks, last.ticks, HOUR // 60))


@pytest.mark.parametrize("interval", ["1h", *OTHER_GRIDS])
@pytest.mark.parametrize("how", ["removed", "removed, and Kusto went on", "superseded"])
@pytest.mark.parametrize("mutate", [True, False])
def test_a_request_asked_for_again_runs_what_is_left_once_on_whatever_grid(
    how: str, interval: str, *, mutate: bool
) -> None:
    env = _part_way()
    _end(env, how)
    _again(env, interval, mutate=mutate)
    assert env.backfill.phase == "Completed"
    covered = _covered(env)
    last = str(env.backfill.done_until)
    assert covered == _once(end=last)
    assert set(_once()) <= set(covered)


def test_it_goes_on_with_what_was_done_beyond_the_mark_and_what_was_in_flight() -> None:
    env = _part_way()
    _end(env, "removed")
    [record] = env.status.backfill_history
    assert (str(record.done_until), str(record.interval)) == (hours(2)[1], "1h")
    assert [str(ahead.start) for ahead in record.done_ahead] == [hours(3)[2]]
    left = [str(window.start) for window in record.unfinished]
    assert left == [hours(2)[1], hours(4)[3], hours(5)[4]]
    env.kusto.is_slow = True
    env.apply(_manifest(interval="2h", maxInFlight=3))
    env.settle()
    assert [str(window.start) for window in env.backfill.in_flight] == left
    assert (env.backfill.phase, env.backfill.windows_done) == ("Running", 2)


def test_more_windows_than_may_fly_at_once_wait_their_turn_when_asked_for_again() -> None:
    env = _part_way()
    _end(env, "removed")
    env.kusto.is_slow, env.kusto.canceled = True, []
    env.most_in_flight = 0
    env.apply(_manifest(maxInFlight=1))
    for _ in range(8):
        env.settle()
        env.kusto.end_all()
    env.settle()
    assert env.most_in_flight == 1
    assert _covered(env) == _once()


@pytest.mark.parametrize("interval", OTHER_GRIDS)
@pytest.mark.parametrize(
    ("start", "end"), [("01:00:00", "07:00:00"), ("01:30:00", "07:00:00"), ("01:00:00", "06:30:00")]
)
@pytest.mark.parametrize("mutate", [True, False])
def test_a_manifest_that_keeps_its_backfill_runs_nothing_again_after_an_edit_of_interval(
    start: str, end: str, interval: str, *, mutate: bool
) -> None:
    first, last = f"2026-11-20T{start}Z", f"2026-11-20T{end}Z"
    env = FakeEnvironment(stored(_manifest(first, last)))
    env.run()
    before = list(env.kusto.submits)
    env.apply(_manifest(first, last, interval=interval), mutate=mutate)
    env.run()
    assert env.kusto.submits == before
    assert "backfill" not in env.raw["spec"]


def test_a_request_extended_while_it_is_cleared_away_keeps_what_history_has_of_it() -> None:
    env = _part_way()
    _end(env, "removed, and Kusto went on")
    env.edit(interval="2h", backfill=span(FIRST, hours(2)[1]))
    while not (env.backfill.clearing and "backfill" in env.raw["spec"]):
        env.step()
    env.edit(backfill=span(FIRST, END))
    env.kusto.is_slow = False
    env.run()
    assert _covered(env) == _once()


def test_a_window_is_looked_up_in_the_table_that_it_was_sent_to() -> None:
    env = FakeEnvironment(stored(_manifest()))
    env.lost_replies = 1
    while not env.kusto.submits:
        env.step()
    env.edit(table="Elsewhere")
    env.settle()
    assert env.backfill.windows_done == 1
    env.annotate(backfill_retry="all")
    env.run()
    assert [each.table for each in env.kusto.data] == ["CpuHourly", *["Elsewhere"] * 7]
    assert _covered(env) == _once()


def test_a_window_sent_again_to_another_table_is_recorded_with_it() -> None:
    env = FakeEnvironment(stored(_manifest()))
    env.kusto.state_of = lambda _start, _n: "Failed"
    env.run()
    env.edit(table="Elsewhere")
    env.annotate(backfill_retry="all")
    env.kusto.is_slow = True
    env.settle()
    assert [window.table for window in env.backfill.in_flight] == ["Elsewhere"]


def test_operations_leave_their_usual_time_in_status_and_in_history() -> None:
    env = FakeEnvironment(stored(_manifest()))
    env.kusto.seconds = 90
    env.run()
    assert env.backfill.operation_time == Duration.parse("1m30s")
    assert env.status.backfill_history[0].operation_time == Duration.parse("1m30s")


def test_a_window_is_asked_about_in_the_database_that_it_was_sent_to() -> None:
    env = FakeEnvironment(stored(_manifest()))
    env.settings = replace(SETTINGS, endpoints={"Telemetry": "http://k", "Other": "http://k"})
    env.kusto.is_slow = True
    env.settle()
    env.edit(database="Other")
    [operation] = env.settle().running_operations
    assert operation.database == "Telemetry"
    env.settings = replace(SETTINGS, endpoints={"Other": "http://k", "Elsewhere": "http://e"})
    [operation] = env.settle().running_operations
    assert operation.database == "Other"
