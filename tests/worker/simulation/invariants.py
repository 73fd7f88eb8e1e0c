"""Checks all that the workers of a scenario do, and reports at once what they must not do.

It reads the cluster's writes as they are stored, and each submit as it leaves a worker. At the end
`final_checks` asks it which windows there should be. It does not read a worker's memory, only what
the worker was shown: its own store.
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
"""Seconds in which a worker may not know yet what a person did: late watch, hung call, stop."""

_MOST_AT_ONCE: Final = 200
"""Writes of a rule at one moment of virtual time; a backfill of quick windows has some dozens."""

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
    """What a worker knows."""

    name: str
    store: Store
    clock: Clock
    holds_lease: Callable[[], bool]
    sent: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Intent:
    """A window as it was recorded when it was first sent.

    `key` is that of the request that recorded it first, `asked` its requestId: the schedule and
    every request without one share their windows' tokens.
    """

    uid: str
    key: str
    span: Span
    asked: str
    replaces: bool


@dataclass(slots=True)
class Request:
    """One backfill request of one rule, over all that status ever said of it."""

    first: int
    mark: int
    end: int
    asked: str = ""
    grids: set[int] = field(default_factory=set)
    phase: str = ""
    ahead: set[Span] = field(default_factory=set)
    skipped: set[Span] = field(default_factory=set)
    bodies: set[str] = field(default_factory=set)
    shown: int = 0
    version: int = 0
    failed: int = 0


@dataclass(slots=True)
class Runs:
    """The interval runs of one rule."""

    first: int | None = None
    cursor: int = 0
    excused: set[Span] = field(default_factory=set)


class InvariantChecker:
    """One a story."""

    def __init__(self, clock: Clock, settings: PlannerSettings) -> None:
        self._clock = clock
        self._settings = settings
        self.violations: list[str] = []
        self.intents: dict[str, Intent] = {}
        self.requests: dict[tuple[str, str], Request] = {}
        self.runs: dict[str, Runs] = {}
        self.latest: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.told: list[str] | None = None
        self._bounds: dict[str, int] = {}
        self._current: dict[str, str] = {}
        self._named: dict[str, set[int]] = {}
        self._sent: set[str] = set()
        self._removed: dict[str, int] = {}
        self._leaving: dict[str, int] = {}
        self._written: dict[str, tuple[int, int]] = {}
        self.given_up: set[tuple[str, int]] = set()
        self._handed_out: list[tuple[dict[str, Any], bytes]] = []

    def tell(self, line: str) -> None:
        """Keep a line for a replay."""
        if self.told is not None:
            self.told.append(f"{Instant(self._clock.now())}  {line}")

    def accuse(self, what: str) -> None:
        self.tell(f"VIOLATION {what}")
        self.violations.append(what)

    def written_into(self) -> Iterator[str]:
        """Objects that somebody wrote into: the cluster shares them. Asked of a replay."""
        for item, as_stored in self._handed_out:
            if msgspec.json.encode(item) != as_stored:
                yield f"somebody wrote into {_gist(item)}"

    # What is stored

    def observe(self, kind: str, item: dict[str, Any]) -> None:
        """The cluster stored `item`."""
        uid = item["metadata"]["uid"]
        self.names[uid] = item["metadata"]["name"]
        if self.told is not None:
            self.tell(f"{kind} {_gist(item)}")
            self._handed_out.append((item, msgspec.json.encode(item)))
        self._observe_given_up(item, is_deleted=kind == "DELETED")
        if kind == "DELETED":
            self._leaving.setdefault(uid, self._clock.now())
            self.latest.pop(uid, None)
            return
        self.latest[uid] = item
        if "deletionTimestamp" in item["metadata"]:
            self._leaving.setdefault(uid, self._clock.now())
        self._observe_spec(uid, item)
        status = item.get("status") or {}
        if status.get("backfill"):
            self._observe_backfill(uid, item, status["backfill"])
        if status.get("schedule"):
            self._observe_runs(uid, item, status["schedule"])

    def _observe_given_up(self, item: dict[str, Any], *, is_deleted: bool) -> None:
        """Windows that failed, or whose rule was deleted before they ended.

        An earlier send of such a window, whose reply was lost, may still append its rows.
        """
        name, status = item["metadata"]["name"], item.get("status") or {}
        is_deleted = is_deleted or "deletionTimestamp" in item["metadata"]
        parts = ("failed", "inFlight") if is_deleted else ("failed",)
        for of in (status.get("schedule", {}), status.get("backfill", {})):
            starts = (each["start"] for part in parts for each in of.get(part, ()))
            self.given_up.update((name, ticks(start)) for start in starts)

    def _observe_spec(self, uid: str, item: dict[str, Any]) -> None:
        backfill = item["spec"].get("backfill")
        if backfill is None:
            self._removed.setdefault(uid, self._clock.now())
        else:
            self._removed.pop(uid, None)
            self._bounds[uid] = max(self._bounds.get(uid, 1), backfill.get("maxInFlight", 1))
        skip = item["metadata"].get("annotations", {}).get(SKIP_ANNOTATION, "")
        named = self._named.setdefault(uid, set())
        named.update(ticks(word) for word in skip.split(",") if word)

    def _observe_backfill(self, uid: str, item: dict[str, Any], status: dict[str, Any]) -> None:
        key, mark = status["requestKey"], ticks(status["doneUntil"])
        start = ticks(status["requestedStart"])
        request = self.requests.setdefault((uid, key), Request(start, start, start))
        if mark < request.mark:
            self.accuse(f"{self.names[uid]}: doneUntil went back to {status['doneUntil']}")
        annotations = item["metadata"].get("annotations", {})
        is_other = self._current.get(uid) != key
        opens = (is_other or request.phase not in _ACTIVE) and status["phase"] in _ACTIVE
        self._current[uid] = key
        sent = ("inFlight", "failed", "windowsDone", "windowsSkipped", "windowsRetried")
        is_unsent = not any(status.get(name) for name in sent)
        if opens or is_unsent or RETRY_ANNOTATION in annotations:
            request.bodies.add(item["spec"]["body"])
        request.mark, request.end = max(mark, request.mark), ticks(status["requestedEnd"])
        request.phase, request.failed = status["phase"], len(status.get("failed", ()))
        request.asked = status.get("requestId", "")
        request.grids.add(Duration.parse(item["spec"]["interval"]).ticks)
        request.ahead.update(_span(each) for each in status.get("doneAhead", ()))
        request.skipped.update(_span(each) for each in status.get("skipped", ()))
        self._observe_intents(uid, key, status, asked=request.asked)

    def _observe_runs(self, uid: str, item: dict[str, Any], status: dict[str, Any]) -> None:
        runs = self.runs.setdefault(uid, Runs())
        flying = [*status.get("inFlight", ()), *status.get("failed", ())]
        starts = [ticks(each["start"]) for each in flying]
        if starts:
            runs.first = min(starts) if runs.first is None else min(runs.first, *starts)
        runs.cursor = max(runs.cursor, ticks(status["cursor"]) if "cursor" in status else 0)
        runs.excused = {_span(each) for each in flying}
        self._observe_intents(uid, f"{SCHEDULE}/{item['spec']['interval']}", status)

    def _observe_intents(self, uid: str, key: str, status: dict[str, Any], asked: str = "") -> None:
        for each in status.get("inFlight", ()):
            token, intent = each["token"], _intent(uid, key, each, asked)
            known = self.intents.setdefault(token, intent)
            if known.span != intent.span and token not in self._sent:  # it was taken back
                self.intents[token] = intent

    def in_flight(self) -> set[tuple[str, int]]:
        """The windows that status has in flight, by the name of their rule and their start."""
        return {
            (item["metadata"]["name"], ticks(each["start"]))
            for item in self.latest.values()
            for part in ("schedule", "backfill")
            for each in (item.get("status") or {}).get(part, {}).get("inFlight", ())
        }

    def excused(self, uid: str) -> set[Span]:
        """Windows of the schedule that status names, or that a person skipped."""
        return self.runs[uid].excused | self.skipped(uid)

    def skipped(self, uid: str) -> set[Span]:
        """Windows that a person named to skip, whether any status came to say so or not."""
        named = self._named.get(uid, set())
        return {
            intent.span
            for intent in self.intents.values()
            if intent.uid == uid and intent.span[0] in named
        }

    # What workers do

    def writing(self, worker: WorkerView, uid: str) -> bool:
        """A worker is about to write a rule to the API server; whether it may, so many at once."""
        self.counts["writes"] += 1
        if not worker.holds_lease():
            self.accuse(f"{worker.name} writes without the Lease")
        return self._is_bearable(worker, uid)

    def _is_bearable(self, worker: WorkerView, uid: str) -> bool:
        """Writes of a rule at one moment have an end, or two steps of a plan undo each other."""
        now = self._clock.now()
        at, count = self._written.get(uid, (now, 0))
        if count < _MOST_AT_ONCE:
            self._written[uid] = (now, count + 1 if at == now else 1)
        elif count == _MOST_AT_ONCE:
            self.accuse(f"{worker.name} writes {self.names[uid]} over and over")
            self._written[uid] = (now, count + 1)
        return count < _MOST_AT_ONCE

    def showed(self, stored: dict[str, Any], body: dict[str, Any]) -> None:
        """A write of a worker to the main resource was stored."""
        backfill = (body.get("spec") or {}).get("backfill")
        if backfill is None:
            return
        uid, status = stored["metadata"]["uid"], stored["status"]["backfill"]
        request, start = self.requests[uid, status["requestKey"]], ticks(backfill["start"])
        version = int(stored["metadata"]["resourceVersion"])
        if version < request.version:  # an earlier write, whose reply came late
            return
        request.version = version
        if start < request.shown:
            self.accuse(f"{self.names[uid]}: spec.backfill.start went back to {backfill['start']}")
        request.shown = max(start, request.shown)

    def submitting(self, worker: WorkerView, command: str) -> str:
        """A worker is about to submit; the command, marked so that its append can be told."""
        self.counts["submits"] += 1
        found = _COMMAND.match(command)
        assert found is not None, command
        token, start, end = found["token"], ticks(found["start"]), ticks(found["end"]) + 1
        self.tell(f"{worker.name} submits {found['table']} {found['start']} {token[:6]}")
        if not worker.holds_lease():
            self.accuse(f"{worker.name} submits {found['start']} without the Lease")
        self._sent.add(token)
        intent = self.intents.get(token)
        if intent is None or intent.span != (start, end):
            self.accuse(f"{found['table']}: {found['start']} is submitted without an intent")
            return _marked(command, token, found["table"], (start, end))
        if end > worker.clock.now():
            self.accuse(f"{found['table']}: {found['start']} is submitted before its end")
        intent = replace(intent, key=self._holder(intent, token))
        self._judge_rule(worker, intent, found["start"])
        if not intent.key.startswith(SCHEDULE):
            self._judge_backfill(worker, intent, found["start"], found["body"])
        self._judge_bound(worker, intent, token)
        return _marked(command, token, found["table"], (start, end))

    def dropping(self, worker: WorkerView, tag: str) -> None:
        """A worker is about to drop a run."""
        self.counts["drops"] += 1
        self.tell(f"{worker.name} drops {tag}")
        if not worker.holds_lease():
            self.accuse(f"{worker.name} drops {tag} without the Lease")

    def _holder(self, intent: Intent, token: str) -> str:
        """The part of status for which a token is submitted; the schedule's come first."""
        status = self.latest.get(intent.uid, {}).get("status", {})
        for part in ("schedule", "backfill"):
            if any(each["token"] == token for each in status.get(part, {}).get("inFlight", ())):
                return SCHEDULE if part == "schedule" else str(status[part]["requestKey"])
        return intent.key

    def _judge_rule(self, worker: WorkerView, intent: Intent, at: str) -> None:
        name = self.names[intent.uid]
        if self._since(self._leaving.get(intent.uid)) > GRACE:
            self.accuse(f"{name}: {at} is submitted after the rule's deletion")
        known = _known(worker, intent.uid)
        if known is None or "deletionTimestamp" in known["metadata"]:
            self.accuse(f"{name}: {at} is submitted though the worker knows of the deletion")
        elif _is_query_invalid(known):
            self.accuse(f"{name}: {at} is submitted though the worker knows that Kusto refuses it")

    def _judge_backfill(self, worker: WorkerView, intent: Intent, at: str, body: str) -> None:
        name, request = self.names[intent.uid], self.requests[intent.uid, intent.key]
        may_stop = not intent.replaces  # in mode Replace what is recorded runs to its end
        if may_stop and self._since(self._removed.get(intent.uid)) > GRACE:
            self.accuse(f"{name}: {at} is submitted after spec.backfill was removed")
        if may_stop and body not in request.bodies:
            self.accuse(f"{name}: {at} is submitted with a text that nobody asked it to go on with")
        known = (_known(worker, intent.uid) or {}).get("status", {}).get("backfill", {})
        if known.get("requestKey") != intent.key or known["phase"] not in _ACTIVE:
            self.accuse(f"{name}: {at} is submitted for a request that has ended")
        elif intent.span[0] < ticks(known["doneUntil"]):
            self.accuse(f"{name}: {at} is submitted though it is done")

    def _judge_bound(self, worker: WorkerView, intent: Intent, token: str) -> None:
        status = self.latest.get(intent.uid, {}).get("status", {})
        runs = intent.key.startswith(SCHEDULE)
        flying = status.get("schedule" if runs else "backfill", {}).get("inFlight", ())
        accepted = {each["token"] for each in flying if "operationId" in each}
        worker.sent.difference_update(accepted)
        worker.sent.add(token)
        waiting = worker.sent & {each["token"] for each in flying}
        bound = self._settings.interval_in_flight if runs else self._bounds.get(intent.uid, 1)
        if len(accepted | waiting | {token}) > bound:
            self.accuse(f"{self.names[intent.uid]}: more than {bound} windows are in flight")

    def _since(self, at: int | None) -> float:
        return 0.0 if at is None else (self._clock.now() - at) / TICKS_PER_SECOND


def marker(command: str) -> tuple[str, str, Span] | None:
    """Token, table and bounds of the window that an append was for."""
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
    """Whether status says so of the rule as it is."""
    return any(
        (each["type"], each["status"]) == (QUERY_CONDITION, "False")
        and each["observedGeneration"] == rule["metadata"]["generation"]
        for each in rule.get("status", {}).get("conditions", ())
    )


def _intent(uid: str, key: str, each: dict[str, Any], asked: str) -> Intent:
    return Intent(uid, key, _span(each), asked, each.get("writeMode") == "Replace")


def _known(worker: WorkerView, uid: str) -> dict[str, Any] | None:
    return next((item for item in worker.store if item["metadata"]["uid"] == uid), None)


def _gist(item: dict[str, Any]) -> str:
    """An object in one line, for a replay."""
    spec, status = item["spec"], item.get("status") or {}
    runs, past = status.get("schedule") or {}, status.get("backfill") or {}
    asked = spec.get("backfill")
    parts = [
        item["metadata"]["name"],
        f"v{item['metadata']['resourceVersion']}",
        "deleting" if "deletionTimestamp" in item["metadata"] else "",
        f"asked {asked['start'][11:19]}..{asked.get('end', '')[11:19]}" if asked else "",
        f"cursor {runs.get('cursor', '')[11:19]} flying {_flying(runs)}" if runs else "",
        f"{past['phase']} {past['requestKey'][:4]} mark {past['doneUntil'][11:19]}"
        f" end {past['requestedEnd'][11:19]} flying {_flying(past)}"
        f" failed {len(past.get('failed', ()))}"
        if past
        else "",
    ]
    return "  ".join(part for part in parts if part)


def _flying(status: dict[str, Any]) -> str:
    each = [
        f"{one['start'][11:16]}{'*' if 'operationId' in one else ''}"
        for one in status.get("inFlight", ())
    ]
    return ",".join(each) or "-"
