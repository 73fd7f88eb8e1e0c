"""`make prove-kills`: twenty kills -9 at random moments, one window in flight and eight."""

import time

import pytest

from tests.e2e.faults import Faults
from tests.e2e.fixtures import Sandbox
from tests.e2e.kills import KILLS, survive
from tests.e2e.proofs.say import say

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("in_flight", "windows"), [(1, 40), (8, 240)])
def test_twenty_kills_lose_and_double_nothing(
    sandbox: Sandbox, faults: Faults, in_flight: int, windows: int, seed: int
) -> None:
    began = time.monotonic()
    survive(sandbox, faults, in_flight=in_flight, windows=windows, seed=seed)
    say(
        f"\nmaxInFlight {in_flight}, seed {seed}: {KILLS} kills, {windows} windows, 0 missing,"
        f" 0 doubled, {time.monotonic() - began:.0f} s"
    )
