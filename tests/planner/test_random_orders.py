"""Whatever happens, in whatever order: each window's data once, and the env comes to rest."""

import random
from collections.abc import Callable

import pytest

from summaryrule.api.instant import Instant
from tests.manifests import Json, rule, span, stored
from tests.planner.fake_environment import FIRST, FakeEnvironment, backfilling, hours

ENDS = [f"2026-11-20T{hour:02d}:00:00Z" for hour in (6, 8, 10, 12)]


def _event(env: FakeEnvironment, chance: random.Random, ends: list[str]) -> None:
    """One of the things that people, Kusto and machines do."""
    kind = chance.choice(["crash", "reply", "end", "fail", "apply", "rewind", "pause", "extend"])
    busy = env.kusto.in_progress
    backfill = env.raw["spec"].get("backfill")
    if kind == "crash":
        env.lives = chance.randrange(6)
    elif kind == "reply":
        env.lost_replies = 1
    elif kind == "end" and busy:
        env.kusto.end(chance.choice(busy))
    elif kind == "fail" and busy:
        env.kusto.end(chance.choice(busy), chance.choice(["Failed?", "Throttled", "Failed"]))
    elif kind == "apply":
        env.apply(rule(span(FIRST, ends[-1]), suspend=True))
    elif backfill is None:
        return
    elif kind == "rewind":
        env.edit(backfill={**backfill, "start": FIRST})
    elif kind == "pause":
        env.edit(backfill={**backfill, "suspend": not backfill.get("suspend", False)})
    elif kind == "extend" and ends[-1] != ENDS[-1]:
        ends.append(ENDS[ENDS.index(ends[-1]) + 1])
        env.apply(rule(span(FIRST, ends[-1]), suspend=True))


def _calm(env: FakeEnvironment, ends: list[str]) -> None:
    """Faults stop, people resume, retry and wait."""
    env.lives, env.lost_replies, env.kusto.is_slow = None, 0, False
    env.apply(rule(span(FIRST, ends[-1]), suspend=True))
    env.kusto.end_all()
    env.run()
    for _ in range(3):
        if env.backfill.phase == "Failed":
            env.annotate(backfill_retry="all")
        env.sleep(1)
        env.run()


@pytest.mark.parametrize("seed", range(150))
def test_any_course_of_events_loses_and_doubles_nothing(seed: int) -> None:
    chance = random.Random(seed)
    most = chance.choice([1, 3, 8])
    env, ends = backfilling(6, maxInFlight=most), [ENDS[0]]
    env.kusto.is_slow = True
    marks = []
    for _ in range(40):
        _event(env, chance, ends)
        env.settle()
        marks.append(env.backfill.done_until)
        in_flight = [each for each in env.backfill.in_flight if each.operation_id]
        assert len(in_flight) <= most
    _calm(env, ends)
    wanted = hours(ENDS.index(ends[-1]) * 2 + 6)
    assert env.kusto.starts == wanted
    assert env.backfill.phase == "Completed"
    assert marks == sorted(marks)
    assert "backfill" not in env.raw["spec"]


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


def _end_one(env: FakeEnvironment, chance: random.Random, states: list[str]) -> None:
    if env.kusto.in_progress:
        env.kusto.end(chance.choice(env.kusto.in_progress), chance.choice(states))


def _retry_one(env: FakeEnvironment, chance: random.Random) -> None:
    if env.backfill.failed:
        env.annotate(backfill_retry=str(chance.choice(env.backfill.failed).start))


def _pause(env: FakeEnvironment, _chance: random.Random) -> None:
    if asked := env.raw["spec"].get("backfill"):
        env.edit(backfill={**asked, "suspend": not asked.get("suspend", False)})


def _remove(env: FakeEnvironment, _chance: random.Random) -> None:
    env.edit(backfill=... if "backfill" in env.raw["spec"] else TWO_HOURS)


DEEDS: dict[str, Callable[[FakeEnvironment, random.Random], None]] = {
    "crash": lambda env, chance: setattr(env, "lives", chance.randrange(6)),
    "reply": lambda env, _chance: setattr(env, "lost_replies", 1),
    "end": lambda env, chance: _end_one(env, chance, ["Completed"]),
    "fail": lambda env, chance: _end_one(env, chance, ["Failed?", "Failed"]),
    "sleep": lambda env, chance: env.sleep(chance.choice([0.1, 0.2, 0.5])),
    "spec": lambda env, chance: env.edit(**_spec(chance)),
    "pause": _pause,
    "remove": _remove,
    "retry": lambda env, _chance: env.annotate(backfill_retry="all"),
    "retry one": _retry_one,
}
LIKELY = [2, 2, 4, 2, 4, 6, 2, 2, 2, 2]


@pytest.mark.parametrize("seed", range(100))
def test_any_course_of_edits_leaves_windows_that_meet(seed: int) -> None:
    chance = random.Random(seed)
    begins = Instant.parse(f"2026-11-20T00:{chance.choice([15, 35, 55])}:00Z")
    asked = rule({**TWO_HOURS, "maxInFlight": chance.choice([1, 3])}, suspend=True, interval="10m")
    env = FakeEnvironment(stored(asked), now=begins)
    env.kusto.is_slow = True
    env.settle()
    for deed in chance.choices(list(DEEDS.values()), LIKELY, k=25):
        deed(env, chance)
        env.settle()
        assert env.backfill.in_flight or not env.raw["metadata"].get("finalizers")
    env.lives, env.lost_replies, env.kusto.is_slow = None, 0, False
    env.kusto.end_all()
    if env.raw["spec"].get("backfill") or env.backfill.phase != "Completed":
        env.edit(backfill=TWO_HOURS)
    for _ in range(12):
        env.settle()
        env.annotate(backfill_retry="all")
        env.sleep(0.5)
    env.settle()
    assert env.backfill.phase == "Completed"
    data = sorted((each.start, Instant.parse(each.last).plus(1)) for each in env.kusto.data)
    assert [str(end) for _, end in data[:-1]] == [start for start, _ in data[1:]]
