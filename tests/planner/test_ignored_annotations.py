"""An act annotation that names no window is taken away, and its author is told."""

import pytest

from tests.planner.fake_environment import World, backfilling, hours

THIRD = hours(3)[2]


def _failed() -> World:
    world = backfilling(6)
    world.kusto.fate = lambda start, _n: "Failed" if start == THIRD else "Completed"
    world.run()
    return world


def _told(world: World) -> list[str]:
    world.settle()
    assert "adx-mon.azure.com/backfill-retry" not in world.raw["metadata"]["annotations"]
    assert "adx-mon.azure.com/backfill-skip" not in world.raw["metadata"]["annotations"]
    return world.said("ActIgnored")


@pytest.mark.parametrize(
    ("act", "words", "told"),
    [
        ("retry", hours(1)[0], hours(1)[0]),
        ("retry", "2026-13-40", "2026-13-40"),
        ("retry", "", "nothing"),
        ("retry", f"{THIRD} soon", "soon"),
        ("skip", hours(2)[1], hours(2)[1]),
        ("skip", "all", "all"),
        ("skip", f"{hours(5)[4]},{THIRD},x", "x"),
    ],
)
def test_words_that_name_no_window_are_told_in_one_event(act: str, words: str, told: str) -> None:
    world = _failed()
    world.annotate(**{f"backfill_{act}": words})
    [sentence] = _told(world)
    assert sentence.startswith(f"adx-mon.azure.com/backfill-{act} names {told}, and there is no")
    assert "write " in sentence


def test_a_retry_of_all_where_nothing_failed_is_told() -> None:
    world = backfilling(3)
    world.run()
    world.annotate(backfill_retry="all")
    [sentence] = _told(world)
    assert "names all, and there is no such window that failed" in sentence


@pytest.mark.parametrize("act", ["retry", "skip"])
def test_an_act_that_names_a_failed_window_is_not_told(act: str) -> None:
    world = _failed()
    world.annotate(**{f"backfill_{act}": THIRD})
    assert _told(world) == []


def test_a_retry_after_a_change_of_spec_is_not_in_vain_whatever_it_names() -> None:
    world = _failed()
    world.annotate(backfill_skip=THIRD)
    world.edit(body="Other | count")
    world.run()
    world.annotate(backfill_retry="all")
    assert _told(world) == []


def test_a_worker_that_dies_between_the_retry_and_its_end_does_not_call_it_vain() -> None:
    world = _failed()
    world.annotate(backfill_retry=THIRD)
    world.lives = 1
    assert _told(world) == []
    assert world.lives is None


def test_a_long_annotation_is_cut() -> None:
    world = _failed()
    world.annotate(backfill_skip=" ".join(["x" * 50 + str(n) for n in range(20)]))
    [sentence] = _told(world)
    assert len(sentence) < 500
