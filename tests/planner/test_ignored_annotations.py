"""An annotation that matches no window is removed, and an Event says so."""

import pytest

from tests.planner.fake_environment import FakeEnvironment, backfilling, hours

THIRD = hours(3)[2]


def _failed() -> FakeEnvironment:
    env = backfilling(6)
    env.kusto.state_of = lambda start, _n: "Failed" if start == THIRD else "Completed"
    env.run()
    return env


def _told(env: FakeEnvironment) -> list[str]:
    env.settle()
    assert "adx-mon.azure.com/backfill-retry" not in env.raw["metadata"]["annotations"]
    assert "adx-mon.azure.com/backfill-skip" not in env.raw["metadata"]["annotations"]
    return env.event_messages("AnnotationIgnored")


@pytest.mark.parametrize(
    ("act", "entries", "named"),
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
def test_entries_that_match_no_window_are_in_one_event(act: str, entries: str, named: str) -> None:
    env = _failed()
    env.annotate(**{f"backfill_{act}": entries})
    [sentence] = _told(env)
    assert sentence.startswith(f"adx-mon.azure.com/backfill-{act} names {named}, and there is no")
    assert "write " in sentence


def test_a_retry_of_all_where_nothing_failed_is_told() -> None:
    env = backfilling(3)
    env.run()
    env.annotate(backfill_retry="all")
    [sentence] = _told(env)
    assert "names all, and there is no such window that failed" in sentence


@pytest.mark.parametrize("act", ["retry", "skip"])
def test_an_act_that_names_a_failed_window_is_not_told(act: str) -> None:
    env = _failed()
    env.annotate(**{f"backfill_{act}": THIRD})
    assert _told(env) == []


def test_a_retry_after_a_change_of_spec_is_not_in_vain_whatever_it_names() -> None:
    env = _failed()
    env.annotate(backfill_skip=THIRD)
    env.edit(body="Other | count")
    env.run()
    env.annotate(backfill_retry="all")
    assert _told(env) == []


def test_a_worker_that_dies_between_the_retry_and_its_end_does_not_call_it_vain() -> None:
    env = _failed()
    env.annotate(backfill_retry=THIRD)
    env.lives = 1
    assert _told(env) == []
    assert env.lives is None


def test_a_long_annotation_is_cut() -> None:
    env = _failed()
    env.annotate(backfill_skip=" ".join(["x" * 50 + str(n) for n in range(20)]))
    [sentence] = _told(env)
    assert len(sentence) < 500
