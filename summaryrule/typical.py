"""How long an operation takes of late: what the estimates of ``explain`` and status rest on.

Kept in status as a moving average, since Kusto forgets operations and a worker is restarted.
"""

from collections.abc import Iterable
from typing import Final

from summaryrule.duration import Duration
from summaryrule.observed import Observed
from summaryrule.v1 import WindowStatus

_WEIGHT: Final = 8
_MILLISECOND: Final = 1_000_000


def typical(
    before: Duration | None, done: Iterable[WindowStatus], observed: Observed
) -> Duration | None:
    """The average after these windows were done, in whole milliseconds; None: none is known yet.

    Each operation moves it by an eighth of the way, so that an edit of the body shows within a
    dozen windows and one slow operation hardly does.
    """
    average = before
    for window in done:
        operation = observed.operations.get(window.operation_id or "")
        took = operation.duration if operation is not None else None
        if took is not None:
            average = took if average is None else _nearer(average, took)
    return average and Duration(average.nanoseconds // _MILLISECOND * _MILLISECOND)


def _nearer(average: Duration, took: Duration) -> Duration:
    return Duration(average.nanoseconds + (took.nanoseconds - average.nanoseconds) // _WEIGHT)
