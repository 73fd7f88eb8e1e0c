"""Whatever happens, in whatever order: each window's data once, and the world comes to rest."""

import random

import pytest

from tests.domain.manifests import rule, span
from tests.domain.plan.world import FIRST, World, backfilling, hours

ENDS = [f"2026-11-20T{hour:02d}:00:00Z" for hour in (6, 8, 10, 12)]


def _event(world: World, chance: random.Random, ends: list[str]) -> None:
    """One of the things that people, Kusto and machines do."""
    kind = chance.choice(["crash", "reply", "end", "fail", "apply", "rewind", "pause", "extend"])
    busy = world.kusto.in_progress
    backfill = world.raw["spec"].get("backfill")
    if kind == "crash":
        world.lives = chance.randrange(6)
    elif kind == "reply":
        world.lost_replies = 1
    elif kind == "end" and busy:
        world.kusto.end(chance.choice(busy))
    elif kind == "fail" and busy:
        world.kusto.end(chance.choice(busy), chance.choice(["Failed?", "Throttled", "Failed"]))
    elif kind == "apply":
        world.apply(rule(span(FIRST, ends[-1]), suspend=True))
    elif backfill is None:
        return
    elif kind == "rewind":
        world.edit(backfill={**backfill, "start": FIRST})
    elif kind == "pause":
        world.edit(backfill={**backfill, "suspend": not backfill.get("suspend", False)})
    elif kind == "extend" and ends[-1] != ENDS[-1]:
        ends.append(ENDS[ENDS.index(ends[-1]) + 1])
        world.apply(rule(span(FIRST, ends[-1]), suspend=True))


def _calm(world: World, ends: list[str]) -> None:
    """Faults stop, people resume, retry and wait."""
    world.lives, world.lost_replies, world.kusto.is_slow = None, 0, False
    world.apply(rule(span(FIRST, ends[-1]), suspend=True))
    world.kusto.end_all()
    world.run()
    for _ in range(3):
        if world.backfill.phase == "Failed":
            world.annotate(backfill_retry="all")
        world.sleep(1)
        world.run()


@pytest.mark.parametrize("seed", range(150))
def test_any_course_of_events_loses_and_doubles_nothing(seed: int) -> None:
    chance = random.Random(seed)
    most = chance.choice([1, 3, 8])
    world, ends = backfilling(6, maxInFlight=most), [ENDS[0]]
    world.kusto.is_slow = True
    marks = []
    for _ in range(40):
        _event(world, chance, ends)
        world.settle()
        marks.append(world.backfill.done_until)
        flying = [each for each in world.backfill.in_flight if each.operation_id]
        assert len(flying) <= most
    _calm(world, ends)
    wanted = hours(ENDS.index(ends[-1]) * 2 + 6)
    assert world.kusto.starts == wanted
    assert world.backfill.phase == "Completed"
    assert marks == sorted(marks)
    assert "backfill" not in world.raw["spec"]
