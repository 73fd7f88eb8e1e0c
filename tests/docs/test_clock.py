"""The clock of the pages: what they say of times moves with them, however it is written."""

from itertools import product

import pytest

from summaryrule.api.instant import Instant
from tests.docs.blocks import blocks, pages
from tests.docs.clock import READ, TOLD, moved
from tests.docs.reader import GIVEN

TEXTS = [
    *(block.text for page in pages() for block in blocks(page)),
    *(file.read_text() for file in sorted(GIVEN.rglob("*.yaml"))),
]


@pytest.mark.parametrize(
    ("written", "later"),
    [
        ("2026-11-10T22:00:00Z", "2026-11-14T22:00:00Z"),
        ("2026-11-10T22:00:00+02:00", "2026-11-14T22:00:00+02:00"),
        ("2026-11-30T23:59:59.1234567-05:30", "2026-12-04T23:59:59.1234567-05:30"),
        ("2026-11-10t22:00:00.123456789z", "2026-11-14t22:00:00.123456789z"),
        ("2026-11-10 22:00:00Z", "2026-11-14 22:00:00Z"),
        ("--start 2028-02-26 --end 2026-12-28", "--start 2028-03-01 --end 2027-01-01"),
        ("2026-02-30T00:00:00Z", "2026-02-30T00:00:00Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z"),
        ("01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    ],
)
def test_every_way_to_write_a_time_moves_in_whole_days(written: str, later: str) -> None:
    assert moved(READ["4 days later"])(written) == later


def test_the_time_of_day_does_not_count() -> None:
    night = Instant.parse("2026-11-24T23:59:59.9999999Z")
    assert moved(night)("2026-11-24T06:00:00Z") == "2026-11-24T06:00:00Z"
    assert moved(TOLD, night)("2026-11-24T06:00:00Z") == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize("at", READ)
def test_it_does_not_matter_when_a_page_was_written(at: str) -> None:
    """So one run at any time stands for pages that were written at all of them."""
    as_written_now = moved(READ[at])
    for told, text in product(READ.values(), TEXTS):
        assert moved(READ[at], told)(moved(told)(text)) == as_written_now(text)
