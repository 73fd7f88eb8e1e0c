"""What is stored, scraped or scripted against is what it was (see `tests.frozen.dump`)."""

import json

import pytest

from tests.frozen.dump import ROOT, dump

GOLDEN = ROOT / "tests" / "golden" / "frozen.json"
STORED = json.loads(GOLDEN.read_text(encoding="utf-8"))
NOW = json.loads(json.dumps(dump()))


@pytest.mark.parametrize("part", sorted(STORED))
def test_nothing_frozen_has_changed(part: str) -> None:
    assert NOW[part] == STORED[part]


def test_nothing_new_is_left_out_of_the_golden_file() -> None:
    assert NOW.keys() == STORED.keys()
