"""Random schedules of the whole worker, and that a safeguard taken away is missed at once."""

import pytest

from tests.worker.simulation.mutations import MUTATIONS
from tests.worker.simulation.schedules import simulate
from tests.worker.simulation.story import run


def test_no_schedule_loses_or_doubles_a_window() -> None:
    assert [report for report in simulate(range(200)) if report.violations] == []


def test_a_seed_replays_to_the_letter() -> None:
    report = run(7, tell=True)
    assert report == run(7, tell=True)
    assert report.violations == []


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_worker_without_a_safeguard_is_caught(mutation: str) -> None:
    assert any(report.violations for report in simulate(range(1000), mutation))
