"""Aggregate functions: the SQL of each over the rows of a group.

Nulls are ignored. Over no values a sum is 0, an average NaN, a deviation 0, a smallest string
empty, as measured by duckdb-kql 1.1.2. Counts of distinct values are exact, where Kusto estimates.
Source: Kusto docs, "Aggregation functions".
"""

from typing import Final

from emulator.engine.aggregates import (  # noqa: F401 - each registers its aggregates
    lists,
    percentiles,
    rows,
    sketches,
    statistics,
)
from emulator.engine.aggregates.registry import AGGREGATES

NAMES: Final = frozenset(AGGREGATES)

__all__ = ["AGGREGATES", "NAMES"]
