"""A request that ended part-way and is asked for again, on the same grid or on another."""

from collections import Counter
from dataclasses import replace

import pytest

from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import FIRST, HOUR, SETTINGS, World, hours

END = "2026-11-20T08:00:00Z"
OTHER_GRIDS = ["30m", "45m", "2h", "3h", "24h"]


def _manifest(start: str = FIRST, end: str = END, *, interval: str = "1h", **more: int) -> Json:
    return rule(span(start, end, **more), suspend=True, interval=interval)


def _part_way(start: str = FIRST) -> World:
    """Eight windows, three at once: the first and the third done, the second and fourth fly."""
    world = World(stored(_manifest(start, maxInFlight=3)))
    world.kusto.is_slow = True
    world.settle()
    world.kusto.end("op-1")
    world.kusto.end("op-3")
    world.settle()
    return world


def _end(world: World, how: str) -> None:
    """The request ends; Kusto may finish what it was asked to cancel all the same."""
    world.kusto.ignores_cancel = how == "removed, and Kusto went on"
    if how == "superseded":
        world.kusto.fate = lambda _start, _n: "Failed"
        asked = {**world.raw["spec"]["backfill"], "requestId": "two"}
        world.edit(backfill=asked)
        world.settle()
        world.kusto.end_all("Failed")
    world.edit(backfill=...)
    world.settle()
    if world.kusto.ignores_cancel:
        world.kusto.end_all()


def _again(world: World, interval: str, *, mutate: bool = True, start: str = FIRST) -> None:
    world.kusto.is_slow, world.kusto.fate = False, lambda _start, _n: "Completed"
    world.apply(_manifest(start, interval=interval), mutate=mutate)
    world.run()


def _covered(world: World) -> Counter[str]:
    """How often each minute's data is there."""
    minutes: Counter[str] = Counter()
    for each in world.kusto.data:
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
    world = _part_way()
    _end(world, how)
    _again(world, interval, mutate=mutate)
    assert world.backfill.phase == "Completed"
    covered = _covered(world)
    last = str(world.backfill.done_until)
    assert covered == _once(end=last)
    assert set(_once()) <= set(covered)


def test_it_goes_on_with_what_was_done_beyond_the_mark_and_what_was_in_flight() -> None:
    world = _part_way()
    _end(world, "removed")
    [record] = world.status.backfill_history
    assert (str(record.done_until), str(record.interval)) == (hours(2)[1], "1h")
    assert [str(ahead.start) for ahead in record.done_ahead] == [hours(3)[2]]
    left = [str(window.start) for window in record.unfinished]
    assert left == [hours(2)[1], hours(4)[3], hours(5)[4]]
    world.kusto.is_slow = True
    world.apply(_manifest(interval="2h", maxInFlight=3))
    world.settle()
    assert [str(window.start) for window in world.backfill.in_flight] == left
    assert (world.backfill.phase, world.backfill.windows_done) == ("Running", 2)


def test_more_windows_than_may_fly_at_once_wait_their_turn_when_asked_for_again() -> None:
    world = _part_way()
    _end(world, "removed")
    world.kusto.is_slow, world.kusto.canceled = True, []
    world.most_in_flight = 0
    world.apply(_manifest(maxInFlight=1))
    for _ in range(8):
        world.settle()
        world.kusto.end_all()
    world.settle()
    assert world.most_in_flight == 1
    assert _covered(world) == _once()


@pytest.mark.parametrize("interval", OTHER_GRIDS)
@pytest.mark.parametrize(
    ("start", "end"), [("01:00:00", "07:00:00"), ("01:30:00", "07:00:00"), ("01:00:00", "06:30:00")]
)
@pytest.mark.parametrize("mutate", [True, False])
def test_a_manifest_that_keeps_its_backfill_runs_nothing_again_after_an_edit_of_interval(
    start: str, end: str, interval: str, *, mutate: bool
) -> None:
    first, last = f"2026-11-20T{start}Z", f"2026-11-20T{end}Z"
    world = World(stored(_manifest(first, last)))
    world.run()
    before = list(world.kusto.submits)
    world.apply(_manifest(first, last, interval=interval), mutate=mutate)
    world.run()
    assert world.kusto.submits == before
    assert "backfill" not in world.raw["spec"]


def test_a_request_extended_while_it_is_cleared_away_keeps_what_history_has_of_it() -> None:
    world = _part_way()
    _end(world, "removed, and Kusto went on")
    world.edit(interval="2h", backfill=span(FIRST, hours(2)[1]))
    while not (world.backfill.clearing and "backfill" in world.raw["spec"]):
        world.step()
    world.edit(backfill=span(FIRST, END))
    world.kusto.is_slow = False
    world.run()
    assert _covered(world) == _once()


def test_a_window_is_looked_up_in_the_table_that_it_was_sent_to() -> None:
    world = World(stored(_manifest()))
    world.lost_replies = 1
    while not world.kusto.submits:
        world.step()
    world.edit(table="Elsewhere")
    world.settle()
    assert world.backfill.windows_done == 1
    world.annotate(backfill_retry="all")
    world.run()
    assert [each.table for each in world.kusto.data] == ["CpuHourly", *["Elsewhere"] * 7]
    assert _covered(world) == _once()


def test_a_window_sent_again_to_another_table_is_recorded_with_it() -> None:
    world = World(stored(_manifest()))
    world.kusto.fate = lambda _start, _n: "Failed"
    world.run()
    world.edit(table="Elsewhere")
    world.annotate(backfill_retry="all")
    world.kusto.is_slow = True
    world.settle()
    assert [window.table for window in world.backfill.in_flight] == ["Elsewhere"]


def test_operations_leave_their_usual_time_in_status_and_in_history() -> None:
    world = World(stored(_manifest()))
    world.kusto.seconds = 90
    world.run()
    assert world.backfill.operation_time == Duration.parse("1m30s")
    assert world.status.backfill_history[0].operation_time == Duration.parse("1m30s")


def test_a_window_is_asked_about_in_the_database_that_it_was_sent_to() -> None:
    world = World(stored(_manifest()))
    world.settings = replace(SETTINGS, endpoints={"Telemetry": "http://k", "Other": "http://k"})
    world.kusto.is_slow = True
    world.settle()
    world.edit(database="Other")
    [flying] = world.settle().running_operations
    assert flying.database == "Telemetry"
    world.settings = replace(SETTINGS, endpoints={"Other": "http://k", "Elsewhere": "http://e"})
    [flying] = world.settle().running_operations
    assert flying.database == "Other"
