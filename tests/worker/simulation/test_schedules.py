"""Random schedules of the whole worker; without a safeguard, a violation is found."""

import pytest

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.scenario import run
from tests.worker.simulation.schedules import run_seed

_TOGETHER = 50


@pytest.mark.parametrize("first", range(0, 500, _TOGETHER))
def test_no_schedule_loses_or_doubles_a_window(first: int) -> None:
    reports = (run(seed) for seed in range(first, first + _TOGETHER))
    assert [report for report in reports if report.violations] == []


def test_a_seed_replays_to_the_letter() -> None:
    report = run(7, record=True)
    assert report == run(7, record=True)
    assert report.violations == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_worker_without_a_safeguard_is_caught(mutation: str) -> None:
    assert any(run_seed(mutation, seed).violations for seed in range(1000))
