"""Counts what the differential suite compared, and prints it at the end of the run."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """How often both sides accepted, both refused, used the same words, or disagreed."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    known: list[str] = field(default_factory=list)

    def agreed(self, *, accepted: bool) -> None:
        self.counts["compared"] += 1
        self.counts["accepted" if accepted else "refused"] += 1

    def worded(self, *, same: bool) -> None:
        self.counts["same words" if same else "other words"] += 1

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        disagreements = "; ".join(self.known) or "none"
        return f"{self.name}: {counted}; known disagreements: {disagreements}"
