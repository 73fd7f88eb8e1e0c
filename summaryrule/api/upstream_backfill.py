"""A backfill of adx-mon: its request in ``spec.backfill``, its progress in ``status.backfill``.

It is read from raw JSON. A part that cannot be read is None or empty here.

Source: https://github.com/Azure/adx-mon, api/v1/summaryrule_types.go (BackfillSpec, BackfillStatus)
and pkg/crd/summaryrule/backfill/backfill.go.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.unstructured import as_instant, as_int, as_str, nested_list

FIELDS: Final[Mapping[str, str]] = {"startTime": "start", "endTime": "end"}
"""adx-mon's fields of a request, and ours."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """The requested range, half-open; ``request_id`` alone identifies the request for adx-mon."""

    request_id: str
    start: Instant | None
    end: Instant | None


@dataclass(frozen=True, slots=True)
class UpstreamOperation:
    """A window that was submitted, or, without ``operation_id``, is to be submitted again."""

    start: Instant
    end: Instant
    operation_id: str | None


@dataclass(frozen=True, slots=True)
class UpstreamProgress:
    """How far adx-mon is.

    Attributes:
        phase: Pending, Running, Completed or Failed.
        next_start: each window before it was submitted, or is in ``operations``.
        completed: how many windows completed.
        operations: the windows that have not ended. A backfill that failed has lost them.
    """

    request_id: str
    phase: str
    next_start: Instant | None
    completed: int
    operations: tuple[UpstreamOperation, ...]


def is_upstream_request(backfill: object) -> bool:
    """Whether a ``spec.backfill`` has adx-mon's bounds and not ours."""
    return (
        isinstance(backfill, Mapping)
        and not FIELDS.keys().isdisjoint(backfill)
        and "start" not in backfill
    )


def is_upstream_progress(backfill: object) -> bool:
    """Whether a ``status.backfill`` is adx-mon's: it lacks the start that ours always has."""
    return isinstance(backfill, Mapping) and {"requestedStart", "requested_start"}.isdisjoint(
        backfill
    )


def read_request(backfill: Mapping[str, Any]) -> UpstreamRequest:
    """The request of a ``spec.backfill`` in adx-mon's form or in ours."""
    start, end = (as_instant(backfill.get(ours, backfill.get(theirs))) for theirs, ours in _BOUNDS)
    return UpstreamRequest(as_str(backfill.get("requestId")), start, end)


def read_progress(backfill: Mapping[str, Any]) -> UpstreamProgress:
    """The progress in a ``status.backfill``."""
    return UpstreamProgress(
        request_id=as_str(backfill.get("requestId")),
        phase=as_str(backfill.get("phase")),
        next_start=as_instant(backfill.get("nextWindowStart")),
        completed=as_int(backfill.get("completedWindows")),
        operations=tuple(_operations(backfill)),
    )


def exclusive_end(last: Instant) -> Instant:
    """The end of a window from adx-mon's inclusive end, one tick of 100 ns before the boundary."""
    return last.plus(1) if last.ticks % TICKS_PER_SECOND else last


_BOUNDS: Final = tuple(FIELDS.items())


def _operations(backfill: Mapping[str, Any]) -> Iterator[UpstreamOperation]:
    for each in nested_list(dict(backfill), "activeOperations"):
        start, last = as_instant(each.get("startTime")), as_instant(each.get("endTime"))
        if start is not None and last is not None and start < last:
            operation_id = as_str(each.get("operationId")) or None
            yield UpstreamOperation(start, exclusive_end(last), operation_id)
