"""The table of the drill: per failure, the seconds until each place says it, and the remedy."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.e2e.proofs.drill.surfaces import PLACES, Surface
from tests.e2e.proofs.say import say

WITHIN: Final = 60.0
"""Seconds until a failure must be said."""
_PERIOD: Final = 0.5


@dataclass(slots=True)
class Row:
    """One failure. `began` is of `time.monotonic`, when it was made."""

    failure: str
    began: float = field(default_factory=time.monotonic)
    cells: dict[str, str] = field(default_factory=dict)
    remedy: str = ""
    recovered: str = ""

    def until_said(self, surfaces: Mapping[str, Surface]) -> None:
        """Wait until each surface says it, and note after how many seconds."""
        waiting = dict(surfaces)
        while waiting:
            for place, surface in list(waiting.items()):
                if surface.says():
                    self.cells[place] = f"{self.seconds():.0f} s{_in(surface.name)}"
                    del waiting[place]
            late = {
                place: (each.words, each.read()) for place, each in waiting.items() if self.is_late
            }
            assert not late, f"{self.failure}: not said within {WITHIN:.0f} s: {late}"
            time.sleep(_PERIOD)

    def until_recovered(
        self, remedy: str, is_well: Callable[[], bool], deadline: float = 90.0
    ) -> None:
        """Wait until the remedy, which was carried out just now, has worked."""
        began = time.monotonic()
        while not is_well():
            assert time.monotonic() - began < deadline, f"{self.failure}: not cured by {remedy}"
            time.sleep(_PERIOD)
        self.remedy, self.recovered = remedy, f"{time.monotonic() - began:.0f} s"

    @property
    def is_late(self) -> bool:
        """Whether the time within which it must be said is over."""
        return self.seconds() > WITHIN

    def seconds(self) -> float:
        """How long ago the failure was made."""
        return time.monotonic() - self.began


class Report:
    """The rows so far."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def begin(self, failure: str, **cells: str) -> Row:
        """Add a row; `cells` are places that cannot say it, with `_` for a blank."""
        row = Row(failure, cells={name.replace("_", " "): text for name, text in cells.items()})
        self.rows.append(row)
        return row

    def show(self) -> None:
        """Print the table, as Markdown."""
        say("\n| " + " | ".join(("Failure", *PLACES, "Remedy that was carried out", "Well")) + " |")
        say("|---" * (len(PLACES) + 3) + "|")
        for row in self.rows:
            cells = (row.cells.get(place, "no") for place in PLACES)
            say("| " + " | ".join((row.failure, *cells, row.remedy, row.recovered)) + " |")


def _in(name: str) -> str:
    return f" ({name})" if name else ""
