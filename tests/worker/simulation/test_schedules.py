"""Random schedules of the whole worker, and that a safeguard taken away is missed at once."""

import pytest

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import run
from tests.worker.simulation.schedules import one

_TOGETHER = 50


@pytest.mark.parametrize("first", range(0, 500, _TOGETHER))
def test_no_schedule_loses_or_doubles_a_window(first: int) -> None:
    reports = (run(seed) for seed in range(first, first + _TOGETHER))
    assert [report for report in reports if report.violations] == []


def test_a_seed_replays_to_the_letter() -> None:
    report = run(7, tell=True)
    assert report == run(7, tell=True)
    assert report.violations == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_worker_without_a_safeguard_is_caught(mutation: str) -> None:
    assert any(one(mutation, seed).violations for seed in range(1000))
