"""Injects faults on request, to test how a client handles them.

PUT /faults takes {"seed": N, "faults": [FAULT, …]} and replaces the faults that were set. GET
/faults shows them, and how often each occurred. DELETE /faults removes all. A FAULT is an object
with

  fault        the kind of fault, see below
  match        only for requests whose text contains this; for an operation, the text of its command
  database     only for this database
  count        at most this many times (default: no limit)
  probability  0 to 1 (default 1); the seed makes the random numbers repeat

and further fields that depend on `fault`:

  request-latency    the request waits `seconds` before it is processed
  forbid             HTTP 403 with Kusto's body for a caller without permission
  throttle           HTTP 429 with Retry-After `retryAfter` (default 1) and Kusto's throttling body
  lose-request       the connection is closed before the request is processed
  lose-reply         the connection is closed after the request was processed and committed
  html               HTTP `httpStatus` (default 502) with an HTML page, as a gateway would
  operation-latency  an async operation waits `seconds` before it runs
  operation-end      an async operation ends as `state` (Failed, Throttled, Canceled, Abandoned,
                     BadInput, PartiallySucceeded, Skipped, Scheduled) with `status` and
                     `shouldRetry`; its rows are kept only with `commits`: true
  operation-stuck    an async operation stays InProgress and does nothing until it is canceled
  log-lag            `.show operations` without ids shows a record only after `seconds`
  record-expiry      `.show operations (id, …)` shows a record only for `seconds` (default 6 h)
  log-expiry         `.show operations` without ids shows a record only for `seconds`
                     (default two weeks)
  duplicate          an append whose `ingestIfNotExists` tag is already in the table ends as
                     `state` (default Completed)
  merge-extents      after an append, the extents of its table that may be merged are merged

Example: three throttled submits, then every second operation fails permanently:

  {"seed": 7, "faults": [
    {"fault": "throttle", "match": ".set-or-append", "count": 3, "retryAfter": 2},
    {"fault": "operation-end", "state": "Failed", "status": "boom", "probability": 0.5}]}
"""

import random
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec

from emulator.errors import BadRequestError
from emulator.operations import Retention, State

Kind = Literal[
    "request-latency",
    "forbid",
    "throttle",
    "lose-request",
    "lose-reply",
    "html",
    "operation-latency",
    "operation-end",
    "operation-stuck",
    "log-lag",
    "record-expiry",
    "log-expiry",
    "duplicate",
    "merge-extents",
]


class Fault(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """One fault, as written in PUT /faults; `fired` is counted here."""

    fault: Kind
    match: str = ""
    database: str = ""
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    retry_after: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    http_status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 502
    state: State | None = None
    status: str = ""
    should_retry: bool = False
    commits: bool = False
    fired: int = 0


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """The body of PUT /faults."""

    faults: list[Fault] = []
    seed: int = 0


class Faults:
    """The faults that are set now."""

    def __init__(self) -> None:
        self._plan = Plan()
        self._random = random.Random(0)  # noqa: S311 - repeatable, not secret

    def replace(self, body: bytes) -> None:
        """Take the body of PUT /faults; raises BadRequestError for one that cannot be read."""
        try:
            plan = msgspec.json.decode(body, type=Plan)
        except msgspec.DecodeError as error:
            raise BadRequestError(400, f"PUT /faults: {error}; see GET /faults?help") from error
        for fault in plan.faults:
            if fault.fault == "operation-end" and fault.state in (None, State.IN_PROGRESS):
                raise BadRequestError(
                    400, "PUT /faults: an operation-end needs a state that is an end"
                )
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - repeatable, not secret

    def clear(self) -> None:
        """End all faults."""
        self._plan = Plan()

    def to_dict(self) -> dict[str, Any]:
        """The plan with its counters, for GET /faults."""
        faults = [
            msgspec.to_builtins(fault) | {"fired": fault.fired} for fault in self._plan.faults
        ]
        return {"seed": self._plan.seed, "faults": faults}

    def take(self, kind: Kind, database: str, text: str) -> Fault | None:
        """The first fault of `kind` that strikes this request, counted as fired."""
        for fault in self._plan.faults:
            if fault.fault != kind or not self._strikes(fault, database, text):
                continue
            fault.fired += 1
            return fault
        return None

    def _strikes(self, fault: Fault, database: str, text: str) -> bool:
        if fault.count is not None and fault.fired >= fault.count:
            return False
        if fault.match not in text or fault.database not in ("", database):
            return False
        return fault.probability >= 1 or self._random.random() < fault.probability

    def retention(self, database: str, text: str) -> Retention:
        """How long `.show operations` shows records, for this request."""
        default = Retention()

        def seconds(kind: Kind, otherwise: timedelta) -> timedelta:
            fault = self.take(kind, database, text)
            return otherwise if fault is None else timedelta(seconds=fault.seconds)

        return Retention(
            seconds("record-expiry", default.latest_for),
            seconds("log-expiry", default.logged_for),
            seconds("log-lag", default.log_lag),
        )
