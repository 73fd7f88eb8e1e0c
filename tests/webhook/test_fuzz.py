"""A short run of the fuzzer with every test run; `make fuzz` runs it for long."""

import pytest

from tests.webhook.fuzz import main


def test_random_input_is_answered_and_memory_stays_flat(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--count", "3000", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    for answer in ("/mutate patched", "/mutate 400", "/validate denied", "/validate allowed"):
        assert answer in said
