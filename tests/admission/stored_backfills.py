"""A stored rule whose backfill runs, or has run."""

from typing import Any

from tests.manifests import Json, rule, span, stored

START, END = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"
CURSOR = "2026-11-20T05:00:00Z"


def running(
    *, phase: str = "Running", cursor: str = CURSOR, request_id: str | None = None, **spec: Any
) -> Json:
    """Alice's backfill of a day, done until 05:00, with an operation in flight."""
    identity = {"requestId": request_id} if request_id else {}
    old = stored(rule(span(START, END, **identity), **spec))
    old["spec"]["backfill"] |= {"start": cursor, "operationId": "op-6"}
    old["status"] = {
        "backfill": {
            "requestKey": "k",
            **identity,
            "requestedStart": START,
            "requestedEnd": END,
            "requestedBy": "alice",
            "phase": phase,
            "doneUntil": cursor,
        }
    }
    return old


def done(*, until: str = END, request_id: str | None = None, phase: str = "Completed") -> Json:
    """A rule whose backfill of a day ended and left the spec."""
    identity = {"requestId": request_id} if request_id else {}
    record = {
        "key": "k",
        **({"id": request_id} if request_id else {}),
        "start": START,
        "end": END,
        "by": "alice",
        "phase": phase,
        "doneUntil": until,
        "finishedAt": "2026-11-22T08:00:00Z",
    }
    status = {
        "backfill": {
            "requestKey": "k",
            **identity,
            "requestedStart": START,
            "requestedEnd": END,
            "phase": phase,
            "doneUntil": until,
        },
        "backfillHistory": [record],
    }
    return stored(rule(), status=status)
