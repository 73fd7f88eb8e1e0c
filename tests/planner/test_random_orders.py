"""Whatever happens, in whatever order: each window's data once, and the world comes to rest."""

import random
from collections.abc import Callable

import pytest

from summaryrule.api.instant import Instant
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import FIRST, World, backfilling, hours

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


# Windows that fall due as time goes by, and people who edit the rule.

TWO_HOURS = span(FIRST, "2026-11-20T02:00:00Z")


def _spec(chance: random.Random) -> Json:
    """An edit of one field of spec, or of all three at once."""
    fields: Json = {
        "body": f"T | take {chance.randrange(3)}",
        "interval": chance.choice(["5m", "10m", "20m"]),
        "ingestionDelay": chance.choice(["0s", "10m", "30m"]),
    }
    name = chance.choice([*fields, ""])
    return {name: fields[name]} if name else fields


def _end_one(world: World, chance: random.Random, states: list[str]) -> None:
    if world.kusto.in_progress:
        world.kusto.end(chance.choice(world.kusto.in_progress), chance.choice(states))


def _retry_one(world: World, chance: random.Random) -> None:
    if world.backfill.failed:
        world.annotate(backfill_retry=str(chance.choice(world.backfill.failed).start))


def _pause(world: World, _chance: random.Random) -> None:
    if asked := world.raw["spec"].get("backfill"):
        world.edit(backfill={**asked, "suspend": not asked.get("suspend", False)})


def _remove(world: World, _chance: random.Random) -> None:
    world.edit(backfill=... if "backfill" in world.raw["spec"] else TWO_HOURS)


DEEDS: dict[str, Callable[[World, random.Random], None]] = {
    "crash": lambda world, chance: setattr(world, "lives", chance.randrange(6)),
    "reply": lambda world, _chance: setattr(world, "lost_replies", 1),
    "end": lambda world, chance: _end_one(world, chance, ["Completed"]),
    "fail": lambda world, chance: _end_one(world, chance, ["Failed?", "Failed"]),
    "sleep": lambda world, chance: world.sleep(chance.choice([0.1, 0.2, 0.5])),
    "spec": lambda world, chance: world.edit(**_spec(chance)),
    "pause": _pause,
    "remove": _remove,
    "retry": lambda world, _chance: world.annotate(backfill_retry="all"),
    "retry one": _retry_one,
}
LIKELY = [2, 2, 4, 2, 4, 6, 2, 2, 2, 2]


@pytest.mark.parametrize("seed", range(100))
def test_any_course_of_edits_leaves_windows_that_meet(seed: int) -> None:
    chance = random.Random(seed)
    begins = Instant.parse(f"2026-11-20T00:{chance.choice([15, 35, 55])}:00Z")
    asked = rule({**TWO_HOURS, "maxInFlight": chance.choice([1, 3])}, suspend=True, interval="10m")
    world = World(stored(asked), now=begins)
    world.kusto.is_slow = True
    world.settle()
    for deed in chance.choices(list(DEEDS.values()), LIKELY, k=25):
        deed(world, chance)
        world.settle()
        assert world.backfill.in_flight or not world.raw["metadata"].get("finalizers")
    world.lives, world.lost_replies, world.kusto.is_slow = None, 0, False
    world.kusto.end_all()
    if world.raw["spec"].get("backfill") or world.backfill.phase != "Completed":
        world.edit(backfill=TWO_HOURS)
    for _ in range(12):
        world.settle()
        world.annotate(backfill_retry="all")
        world.sleep(0.5)
    world.settle()
    assert world.backfill.phase == "Completed"
    data = sorted((each.start, Instant.parse(each.last).plus(1)) for each in world.kusto.data)
    assert [str(end) for _, end in data[:-1]] == [start for start, _ in data[1:]]
