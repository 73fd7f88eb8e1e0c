"""Ranges of sizes and costs, saturating at the largest unsigned 64-bit number."""

import math
from dataclasses import dataclass
from typing import Final

MOST: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most something can be; both bounds are included."""

    least: int
    most: int

    def __add__(self, other: "Range") -> "Range":
        return Range(min(self.least + other.least, MOST), min(self.most + other.most, MOST))

    def __mul__(self, other: "Range") -> "Range":
        return Range(min(self.least * other.least, MOST), min(self.most * other.most, MOST))

    def scale(self, factor: float) -> "Range":
        """Both bounds times `factor`, rounded up."""
        return Range(_times(self.least, factor), _times(self.most, factor))

    def union(self, other: "Range") -> "Range":
        """The smallest range that holds both."""
        return Range(min(self.least, other.least), max(self.most, other.most))


def fixed(value: int) -> Range:
    """A range of one number."""
    return Range(value, value)


ONE: Final = fixed(1)
UNKNOWN: Final = Range(0, MOST)


def _times(value: int, factor: float) -> int:
    product = float(value) * factor
    return MOST if product >= 2.0**64 else math.ceil(product)
