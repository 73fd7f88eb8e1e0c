"""Checks the invariants that hold during a scenario, and keeps the data for `final_checks`.

It sees each object that the cluster stores, and each submit that a worker sends. Of a worker, it
reads only the store: what the worker has seen of the rules.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import msgspec

from summaryrule.api.constants import QUERY_CONDITION, RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.duration import Duration
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.planner.types import PlannerSettings
from worker.kube.store import Store
from worker.ports import Clock

Span = tuple[int, int]
"""Ticks, half-open."""

GRACE: Final = 300.0
"""Seconds after which a worker must know what a user did: late watch, hanging call, stop."""

_MAX_WRITES_AT_ONCE: Final = 200
"""Limit of writes of a rule at one moment of virtual time; fast windows need a few dozen."""

_COMMAND = re.compile(
    r"\.set-or-append async (?P<table>\S+) with \(.*?ingest-by:(?P<token>\w+).*?\) <\| "
    r"let _startTime=datetime\((?P<start>[^)]*)\);\nlet _endTime=datetime\((?P<end>[^)]*)\);\n"
    r"(?P<body>.*)",
    re.DOTALL,
)
_ACTIVE = frozenset({"Pending", "Running", "Paused", "Failed"})
SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class WorkerView:
    """What a worker has seen, and the tokens that it has sent."""

    name: str
    store: Store
    clock: Clock
    holds_lease: Callable[[], bool]
    sent: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Intent:
    """A window as it was recorded before it was first sent.

    `key` and `request_id` are those of the request that first recorded it. The schedule and all
    requests without a requestId have the same tokens.
    """

    uid: str
    key: str
    span: Span
    request_id: str
    replaces: bool


@dataclass(slots=True)
class Request:
    """One backfill request of one rule, with all that the status has said about it."""

    first: int
    done_until: int
    end: int
    request_id: str = ""
    grids: set[int] = field(default_factory=set)
    phase: str = ""
    done_ahead: set[Span] = field(default_factory=set)
    skipped: set[Span] = field(default_factory=set)
    bodies: set[str] = field(default_factory=set)
    spec_start: int = 0
    version: int = 0
    failed: int = 0


@dataclass(slots=True)
class ScheduleState:
    """The schedule of one rule."""

    first: int | None = None
    cursor: int = 0
    may_be_missing: set[Span] = field(default_factory=set)


class InvariantChecker:
    """Checks one scenario; `violations` has a sentence for each violation."""

    def __init__(self, clock: Clock, settings: PlannerSettings) -> None:
        self._clock = clock
        self._settings = settings
        self.violations: list[str] = []
        self.intents: dict[str, Intent] = {}
        self.requests: dict[tuple[str, str], Request] = {}
        self.schedules: dict[str, ScheduleState] = {}
        self.latest: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = None
        self._max_in_flight: dict[str, int] = {}
        self._current_request: dict[str, str] = {}
        self._skip_requested: dict[str, set[int]] = {}
        self._sent: set[str] = set()
        self._backfill_removed_at: dict[str, int] = {}
        self._deleted_at: dict[str, int] = {}
        self._write_counts: dict[str, tuple[int, int]] = {}
        self.incomplete: set[tuple[str, int]] = set()
        self._shared_objects: list[tuple[dict[str, Any], bytes]] = []

    def record(self, line: str) -> None:
        """Add a line to the trace of a replay."""
        if self.trace is not None:
            self.trace.append(f"{Instant(self._clock.now())}  {line}")

    def add_violation(self, what: str) -> None:
        self.record(f"VIOLATION {what}")
        self.violations.append(what)

    def mutated_objects(self) -> Iterator[str]:
        """Objects that were changed in place, although the cluster shares them; replays only."""
        for item, as_stored in self._shared_objects:
            if msgspec.json.encode(item) != as_stored:
                yield f"a stored object was changed in place: {_summary(item)}"

    # What is stored

    def observe(self, kind: str, item: dict[str, Any]) -> None:
        """The cluster stored `item`."""
        uid = item["metadata"]["uid"]
        self.names[uid] = item["metadata"]["name"]
        if self.trace is not None:
            self.record(f"{kind} {_summary(item)}")
            self._shared_objects.append((item, msgspec.json.encode(item)))
        self._observe_incomplete(item, is_deleted=kind == "DELETED")
        if kind == "DELETED":
            self._deleted_at.setdefault(uid, self._clock.now())
            self.latest.pop(uid, None)
            return
        self.latest[uid] = item
        if "deletionTimestamp" in item["metadata"]:
            self._deleted_at.setdefault(uid, self._clock.now())
        self._observe_spec(uid, item)
        status = item.get("status") or {}
        if status.get("backfill"):
            self._observe_backfill(uid, item, status["backfill"])
        if status.get("schedule"):
            self._observe_schedule(uid, item, status["schedule"])

    def _observe_incomplete(self, item: dict[str, Any], *, is_deleted: bool) -> None:
        """Windows that failed, or whose rule or request ended before they did.

        An earlier submit of such a window whose reply was lost may still append its rows.
        """
        name, status = item["metadata"]["name"], item.get("status") or {}
        is_deleted = is_deleted or "deletionTimestamp" in item["metadata"]
        parts = ("failed", "inFlight") if is_deleted else ("failed",)
        incomplete = [
            each
            for of in (status.get("schedule", {}), status.get("backfill", {}))
            for part in parts
            for each in of.get(part, ())
        ]
        before = (self.latest.get(item["metadata"]["uid"], {}).get("status") or {}).get("backfill")
        after = status.get("backfill", {})
        is_same = before and after.get("requestKey") == before["requestKey"]
        if before and not (is_same and after["phase"] in (*_ACTIVE, "Completed")):
            incomplete += before.get("inFlight", ())
        self.incomplete.update((name, ticks(each["start"])) for each in incomplete)

    def _observe_spec(self, uid: str, item: dict[str, Any]) -> None:
        backfill = item["spec"].get("backfill")
        if backfill is None:
            self._backfill_removed_at.setdefault(uid, self._clock.now())
        else:
            self._backfill_removed_at.pop(uid, None)
            self._max_in_flight[uid] = max(
                self._max_in_flight.get(uid, 1), backfill.get("maxInFlight", 1)
            )
        skip = item["metadata"].get("annotations", {}).get(SKIP_ANNOTATION, "")
        named = self._skip_requested.setdefault(uid, set())
        named.update(ticks(word) for word in skip.split(",") if word)

    def _observe_backfill(self, uid: str, item: dict[str, Any], status: dict[str, Any]) -> None:
        key, done_until = status["requestKey"], ticks(status["doneUntil"])
        start = ticks(status["requestedStart"])
        request = self.requests.setdefault((uid, key), Request(start, start, start))
        if done_until < request.done_until:
            self.add_violation(f"{self.names[uid]}: doneUntil went back to {status['doneUntil']}")
        annotations = item["metadata"].get("annotations", {})
        is_other = self._current_request.get(uid) != key
        opens = (is_other or request.phase not in _ACTIVE) and status["phase"] in _ACTIVE
        self._current_request[uid] = key
        if opens or _is_unsent(status) or RETRY_ANNOTATION in annotations:
            request.bodies.add(item["spec"]["body"])
        request.done_until, request.end = (
            max(done_until, request.done_until),
            ticks(status["requestedEnd"]),
        )
        request.phase, request.failed = status["phase"], len(status.get("failed", ()))
        request.request_id = status.get("requestId", "")
        request.grids.add(Duration.parse(item["spec"]["interval"]).ticks)
        request.done_ahead.update(_span(each) for each in status.get("doneAhead", ()))
        request.skipped.update(_span(each) for each in status.get("skipped", ()))
        self._observe_intents(uid, key, status, request_id=request.request_id)

    def _observe_schedule(self, uid: str, item: dict[str, Any], status: dict[str, Any]) -> None:
        schedule = self.schedules.setdefault(uid, ScheduleState())
        in_flight = [*status.get("inFlight", ()), *status.get("failed", ())]
        starts = [ticks(each["start"]) for each in in_flight]
        if starts:
            schedule.first = min(starts) if schedule.first is None else min(schedule.first, *starts)
        schedule.cursor = max(schedule.cursor, ticks(status["cursor"]) if "cursor" in status else 0)
        schedule.may_be_missing = {_span(each) for each in in_flight}
        self._observe_intents(uid, f"{SCHEDULE}/{item['spec']['interval']}", status)

    def _observe_intents(
        self, uid: str, key: str, status: dict[str, Any], request_id: str = ""
    ) -> None:
        for each in status.get("inFlight", ()):
            token, intent = each["token"], _intent(uid, key, each, request_id)
            known = self.intents.setdefault(token, intent)
            if known.span != intent.span and token not in self._sent:  # the intent was withdrawn
                self.intents[token] = intent

    def in_flight(self) -> set[tuple[str, int]]:
        """The windows that status has in flight, by the name of their rule and their start."""
        return {
            (item["metadata"]["name"], ticks(each["start"]))
            for item in self.latest.values()
            for part in ("schedule", "backfill")
            for each in (item.get("status") or {}).get(part, {}).get("inFlight", ())
        }

    def may_be_missing(self, uid: str) -> set[Span]:
        """Windows of the schedule that status names, or that a user skipped."""
        return self.schedules[uid].may_be_missing | self.skipped(uid)

    def skipped(self, uid: str) -> set[Span]:
        """Windows in a skip annotation, also if the status does not have them as skipped."""
        named = self._skip_requested.get(uid, set())
        return {
            intent.span
            for intent in self.intents.values()
            if intent.uid == uid and intent.span[0] in named
        }

    # What workers do

    def before_write(self, worker: WorkerView, uid: str) -> bool:
        """Check a write to the API server; whether the rule is below its write limit."""
        self.counts["writes"] += 1
        if not worker.holds_lease():
            self.add_violation(f"{worker.name} writes without the Lease")
        return self._is_below_write_limit(worker, uid)

    def _is_below_write_limit(self, worker: WorkerView, uid: str) -> bool:
        """Whether the rule has few writes now; two steps that undo each other make many."""
        now = self._clock.now()
        at, count = self._write_counts.get(uid, (now, 0))
        if count < _MAX_WRITES_AT_ONCE:
            self._write_counts[uid] = (now, count + 1 if at == now else 1)
        elif count == _MAX_WRITES_AT_ONCE:
            self.add_violation(f"{worker.name} writes {self.names[uid]} without end")
            self._write_counts[uid] = (now, count + 1)
        return count < _MAX_WRITES_AT_ONCE

    def after_patch(self, stored: dict[str, Any], body: dict[str, Any]) -> None:
        """Check the stored result of a worker's patch of the main resource."""
        backfill = (body.get("spec") or {}).get("backfill")
        if backfill is None:
            return
        uid, status = stored["metadata"]["uid"], stored["status"]["backfill"]
        request, start = self.requests[uid, status["requestKey"]], ticks(backfill["start"])
        version = int(stored["metadata"]["resourceVersion"])
        if version < request.version:  # an earlier write, whose reply came late
            return
        request.version = version
        if start < request.spec_start:
            self.add_violation(
                f"{self.names[uid]}: spec.backfill.start went back to {backfill['start']}"
            )
        request.spec_start = max(start, request.spec_start)

    def before_submit(self, worker: WorkerView, command: str) -> str:
        """Check a submit; the command with a comment that identifies its window."""
        self.counts["submits"] += 1
        found = _COMMAND.match(command)
        assert found is not None, command
        token, start, end = found["token"], ticks(found["start"]), ticks(found["end"]) + 1
        self.record(f"{worker.name} submits {found['table']} {found['start']} {token[:6]}")
        if not worker.holds_lease():
            self.add_violation(f"{worker.name} submits {found['start']} without the Lease")
        self._sent.add(token)
        intent = self.intents.get(token)
        if intent is None or intent.span != (start, end):
            self.add_violation(f"{found['table']}: {found['start']} is submitted without an intent")
            return _marked(command, token, found["table"], (start, end))
        if end > worker.clock.now():
            self.add_violation(f"{found['table']}: {found['start']} is submitted before its end")
        intent = replace(intent, key=self._holder(intent, token))
        self._check_rule(worker, intent, found["start"])
        if not intent.key.startswith(SCHEDULE):
            self._check_backfill(worker, intent, found["start"], found["body"])
        self._check_in_flight_limit(worker, intent, token)
        return _marked(command, token, found["table"], (start, end))

    def before_drop(self, worker: WorkerView, tag: str) -> None:
        """Check the drop of a run."""
        self.counts["drops"] += 1
        self.record(f"{worker.name} drops {tag}")
        if not worker.holds_lease():
            self.add_violation(f"{worker.name} drops {tag} without the Lease")

    def _holder(self, intent: Intent, token: str) -> str:
        """The schedule or the request that has the token in flight; the schedule comes first."""
        status = self.latest.get(intent.uid, {}).get("status", {})
        for part in ("schedule", "backfill"):
            if any(each["token"] == token for each in status.get(part, {}).get("inFlight", ())):
                return SCHEDULE if part == "schedule" else str(status[part]["requestKey"])
        return intent.key

    def _check_rule(self, worker: WorkerView, intent: Intent, at: str) -> None:
        name = self.names[intent.uid]
        if self._since(self._deleted_at.get(intent.uid)) > GRACE:
            self.add_violation(f"{name}: {at} is submitted after the rule's deletion")
        known = _known(worker, intent.uid)
        if known is None or "deletionTimestamp" in known["metadata"]:
            self.add_violation(f"{name}: {at} is submitted though the worker knows of the deletion")
        elif _is_query_invalid(known):
            self.add_violation(
                f"{name}: {at} is submitted though the worker knows that Kusto refuses it"
            )

    def _check_backfill(self, worker: WorkerView, intent: Intent, at: str, body: str) -> None:
        name, request = self.names[intent.uid], self.requests[intent.uid, intent.key]
        may_stop = not intent.replaces  # in mode Replace what is recorded runs to its end
        if may_stop and self._since(self._backfill_removed_at.get(intent.uid)) > GRACE:
            self.add_violation(f"{name}: {at} is submitted after spec.backfill was removed")
        if may_stop and body not in request.bodies:
            self.add_violation(f"{name}: {at} is submitted with a changed body, without a retry")
        known = (_known(worker, intent.uid) or {}).get("status", {}).get("backfill", {})
        if known.get("requestKey") != intent.key or known["phase"] not in _ACTIVE:
            self.add_violation(f"{name}: {at} is submitted for a request that has ended")
        elif intent.span[0] < ticks(known["doneUntil"]):
            self.add_violation(f"{name}: {at} is submitted though it is done")

    def _check_in_flight_limit(self, worker: WorkerView, intent: Intent, token: str) -> None:
        status = self.latest.get(intent.uid, {}).get("status", {})
        is_schedule = intent.key.startswith(SCHEDULE)
        in_flight = status.get("schedule" if is_schedule else "backfill", {}).get("inFlight", ())
        accepted = {each["token"] for each in in_flight if "operationId" in each}
        worker.sent.difference_update(accepted)
        worker.sent.add(token)
        waiting = worker.sent & {each["token"] for each in in_flight}
        limit = (
            self._settings.interval_in_flight
            if is_schedule
            else self._max_in_flight.get(intent.uid, 1)
        )
        if len(accepted | waiting | {token}) > limit:
            self.add_violation(f"{self.names[intent.uid]}: more than {limit} windows are in flight")

    def _since(self, at: int | None) -> float:
        return 0.0 if at is None else (self._clock.now() - at) / TICKS_PER_SECOND


def marker(command: str) -> tuple[str, str, Span] | None:
    """The token, table and bounds in the comment of a submitted command."""
    words = command.rsplit("// ", 1)[-1].split(" ")
    return (words[0], words[1], (int(words[2]), int(words[3])))


@lru_cache(maxsize=65536)
def ticks(text: str) -> int:
    return Instant.parse(text).ticks


def _marked(command: str, token: str, table: str, span: Span) -> str:
    return f"{command}\n// {token} {table} {span[0]} {span[1]}"


def _span(each: dict[str, Any]) -> Span:
    return ticks(each["start"]), ticks(each["end"])


def _is_query_invalid(rule: dict[str, Any]) -> bool:
    """Whether the status says that the current query is invalid."""
    return any(
        (each["type"], each["status"]) == (QUERY_CONDITION, "False")
        and each["observedGeneration"] == rule["metadata"]["generation"]
        for each in rule.get("status", {}).get("conditions", ())
    )


def _is_unsent(backfill: dict[str, Any]) -> bool:
    """Whether no window was sent; in mode Replace, intents always get the current body."""
    ended = ("failed", "windowsDone", "windowsSkipped", "windowsRetried")
    return not any(backfill.get(name) for name in ended) and all(
        each.get("writeMode") == "Replace" and "operationId" not in each
        for each in backfill.get("inFlight", ())
    )


def _intent(uid: str, key: str, each: dict[str, Any], request_id: str) -> Intent:
    return Intent(uid, key, _span(each), request_id, each.get("writeMode") == "Replace")


def _known(worker: WorkerView, uid: str) -> dict[str, Any] | None:
    return next((item for item in worker.store if item["metadata"]["uid"] == uid), None)


def _summary(item: dict[str, Any]) -> str:
    """An object as one line of the trace."""
    spec, status = item["spec"], item.get("status") or {}
    schedule, backfill = status.get("schedule") or {}, status.get("backfill") or {}
    requested = spec.get("backfill")
    parts = [
        item["metadata"]["name"],
        f"v{item['metadata']['resourceVersion']}",
        "deleting" if "deletionTimestamp" in item["metadata"] else "",
        f"requested {requested['start'][11:19]}..{requested.get('end', '')[11:19]}"
        if requested
        else "",
        f"cursor {schedule.get('cursor', '')[11:19]} in flight {_in_flight_text(schedule)}"
        if schedule
        else "",
        f"{backfill['phase']} {backfill['requestKey'][:4]} done {backfill['doneUntil'][11:19]}"
        f" end {backfill['requestedEnd'][11:19]} in flight {_in_flight_text(backfill)}"
        f" failed {len(backfill.get('failed', ()))}"
        if backfill
        else "",
    ]
    return "  ".join(part for part in parts if part)


def _in_flight_text(status: dict[str, Any]) -> str:
    each = [
        f"{one['start'][11:16]}{'*' if 'operationId' in one else ''}"
        for one in status.get("inFlight", ())
    ]
    return ",".join(each) or "-"
