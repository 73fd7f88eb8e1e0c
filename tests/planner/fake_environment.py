"""A fake environment for one rule: an API server, Kusto, virtual time and a worker's memory.

``FakeEnvironment.run`` does what the worker does: decide, execute in order, decide again; poll the
operations in flight; sleep until the plan's requeue time. A crash loses the memory.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from summaryrule.api.constants import (
    DESIRED_OWNER_ANNOTATION,
    FIELD_MANAGER,
    FINALIZER,
    OWNER_ANNOTATION,
)
from summaryrule.api.duration import Duration
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.v1 import SummaryRuleStatus, dump
from summaryrule.planner.adoption import plan_ownership
from summaryrule.planner.effects import effects
from summaryrule.planner.field_ownership import without_range_ownership
from summaryrule.planner.plan import decide
from summaryrule.planner.query_validity import compare
from summaryrule.planner.types import (
    Cancel,
    CheckIngestTag,
    DropOlderRuns,
    DropOldTags,
    Effect,
    EmitEvent,
    FindIngestTags,
    Observations,
    Operation,
    Plan,
    PlannerSettings,
    QueryAnswer,
    QueryCheck,
    RecordStatus,
    ReleaseFieldOwnership,
    RemoveAnnotations,
    RemoveBackfill,
    SetFinalizer,
    SetOwner,
    Submit,
    UpdateSpecCursor,
)
from tests.manifests import NOW, Json, admit, rule, span, stored
from tests.planner.fake_kusto import Kusto

SETTINGS = PlannerSettings(
    endpoints={"Telemetry": "http://kusto", "Other": "http://other"}, cursor_sync_after=Duration(0)
)
HOUR = 36_000_000_000
FIRST = "2026-11-20T00:00:00Z"


class CrashError(Exception):
    """The worker died."""


@dataclass(slots=True)
class Memory:
    """What the worker has observed and status does not have."""

    operations: dict[str, Operation] = field(default_factory=dict)
    submitted: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    tag_found: dict[str, bool] = field(default_factory=dict)
    ingest_tags: dict[str, frozenset[str]] = field(default_factory=dict)
    tags_dropped_before: Instant | None = None
    canceled: set[str] = field(default_factory=set)
    endpoint_error: str = ""
    cursor_synced_at: Instant | None = None
    cursor_sync_generation: int | None = None
    query_answer: QueryAnswer | None = None

    def observed(self) -> Observations:
        return Observations(
            operations=dict(self.operations),
            submitted=dict(self.submitted),
            rejected=dict(self.rejected),
            replaced=frozenset(self.replaced),
            tag_found=dict(self.tag_found),
            ingest_tags=dict(self.ingest_tags),
            tags_dropped_before=self.tags_dropped_before,
            canceled=frozenset(self.canceled),
            endpoint_error=self.endpoint_error,
            cursor_synced_at=self.cursor_synced_at,
            cursor_sync_generation=self.cursor_sync_generation,
            query_answer=self.query_answer,
        )


def is_valid(check: QueryCheck) -> QueryAnswer:
    """The answer that the query is valid."""
    return compare(check, None, None)


class FakeEnvironment:
    """One rule, the API server, Kusto and the worker."""

    def __init__(
        self, raw: Json, *, now: Instant = NOW, settings: PlannerSettings = SETTINGS
    ) -> None:
        self.raw = copy.deepcopy(raw)
        self.raw["metadata"].setdefault("generation", 1)
        self.now, self.settings = now, settings
        self.kusto, self.memory = Kusto(), Memory()
        self.log: list[Effect] = []
        self.lives: int | None = None
        self.lost_replies = 0
        self.lost_drops = 0
        self.refusals: dict[str, str] = {}
        self.drop_refusals: dict[str, str] = {}
        self.criteria_hold = True
        self.most_in_flight = 0
        self.answer: Callable[[QueryCheck], QueryAnswer] | None = is_valid

    # What users do.

    def apply(self, manifest: Json, *, mutate: bool = True, user: str = "alice") -> None:
        """kubectl apply: admission, then the generation moves if spec did."""
        result = admit(manifest, self.raw, user=user, now=self.now, mutate=mutate)
        assert result.violations == (), result.messages
        merged = self.raw["metadata"].get("annotations", {}) | result.object["metadata"].get(
            "annotations", {}
        )
        self.raw["metadata"]["annotations"] = merged
        self._write_spec(result.object["spec"])

    def edit(self, **spec: Any) -> None:
        """kubectl edit of parts of spec, past admission."""
        edited = {**self.raw["spec"], **spec}
        self._write_spec({name: value for name, value in edited.items() if value is not ...})

    def annotate(self, **annotations: str) -> None:
        """kubectl annotate, with names such as ``backfill_retry``."""
        found = self.raw["metadata"].setdefault("annotations", {})
        for name, value in annotations.items():
            found[f"adx-mon.azure.com/{name.replace('_', '-')}"] = value

    def delete(self) -> None:
        """kubectl delete."""
        self.raw["metadata"]["deletionTimestamp"] = str(self.now)

    def _write_spec(self, spec: Json) -> None:
        if spec != self.raw["spec"]:
            self.raw["metadata"]["generation"] += 1
        self.raw["spec"] = copy.deepcopy(spec)

    # What the worker does.

    def decide(self) -> Plan:
        """The plan; the endpoint has answered what it asks about the query."""
        plan = self._decide()
        check = plan.query_check
        if check is None or self.answer is None:
            return plan
        answer = self.answer(check)
        if answer == self.memory.query_answer:
            return plan
        self.memory.query_answer = answer
        return self._decide()

    def _decide(self) -> Plan:
        return plan_ownership(self.raw, self.now, self.settings) or decide(
            parse_rule(self.raw),
            self.memory.observed(),
            self.now,
            self.settings,
            lambda _expression, _labels: self.criteria_hold,
        )

    def effects(self, plan: Plan) -> tuple[Effect, ...]:
        """What follows from the rule as stored now."""
        if plan.context is None:
            return ()
        observed = self.memory.observed()
        return effects(replace(plan.context, rule=parse_rule(self.raw), observed=observed))

    def next_effects(self) -> tuple[Effect, ...]:
        """The writes of a decision; where it has none, what follows from what is stored."""
        plan = self.decide()
        return plan.writes or self.effects(plan)

    def step(self) -> None:
        """Half a pass of the worker: the writes of a decision, or what follows from them."""
        self.execute(self.next_effects())

    def run(self, rounds: int = 3_000) -> Plan:
        """Run passes until there is nothing left to do before the next window is due."""
        for _ in range(rounds):
            plan = self.decide()
            if not self._pass(plan) and not self._poll(plan) and not self._sleep(plan):
                return plan
        raise AssertionError(f"no end: {self.performed[-10:]}")

    def settle(self, rounds: int = 200) -> Plan:
        """Run passes until there is nothing left to do at this time."""
        for _ in range(rounds):
            plan = self.decide()
            if not self._pass(plan) and not self._poll(plan):
                return plan
        raise AssertionError(f"no end: {self.performed[-10:]}")

    def _pass(self, plan: Plan) -> bool:
        """One pass of the worker; whether it did anything."""
        if not self.execute(plan.writes):
            return True
        following = self.effects(plan)
        self.execute(following)
        return bool(plan.writes or following)

    def crash(self) -> None:
        """The worker's memory is gone."""
        self.memory = Memory()

    def sleep(self, hours: float) -> None:
        """Time passes."""
        self.now = self.now.plus(int(hours * HOUR))

    def execute(self, effects: tuple[Effect, ...]) -> bool:
        """Perform the effects in order; False if the worker crashed before the last one."""
        observed = replace(self.memory).observed()
        for action in effects:
            if self.lives is not None:
                if self.lives == 0:
                    self.lives = None
                    self.crash()
                    return False
                self.lives -= 1
            self.log.append(action)
            self._perform(action, observed)
        return True

    def _perform(self, action: Effect, observed: Observations) -> None:
        match action:
            case Submit():
                self._submit(action)
            case CheckIngestTag():
                self.memory.tag_found[action.token] = self.kusto.has_tag(action.table, action.token)
            case FindIngestTags():
                tags = {f"ingest-by:{each.token}" for each in self.kusto.data}
                self.memory.ingest_tags[action.request_key] = frozenset(tags)
            case DropOlderRuns():
                self._drop_older_runs(action)
            case DropOldTags():
                self.kusto.drop_tags(action.prefix, action.before)
                self.memory.tags_dropped_before = action.before
            case Cancel():
                self.kusto.cancel(action.operation_id)
                self.memory.canceled.add(action.operation_id)
            case RecordStatus():
                self.raw["status"] = dump(action.status)
                self._forget_recorded(observed)
            case UpdateSpecCursor() | RemoveBackfill():
                self._write_backfill(action)
            case _:
                self._write_metadata(action)

    def _write_backfill(self, action: UpdateSpecCursor | RemoveBackfill) -> None:
        metadata, spec = self.raw["metadata"], self.raw["spec"]
        if isinstance(action, RemoveBackfill):
            self._write_spec({n: value for n, value in spec.items() if n != "backfill"})
            metadata["finalizers"] = []
            return
        backfill = {**spec["backfill"], "start": str(action.start)}
        backfill.pop("operationId", None)
        if action.operation_id:
            backfill["operationId"] = action.operation_id
        self._write_spec({**spec, "backfill": backfill})
        self.memory.cursor_sync_generation = metadata["generation"]
        entry = {"manager": FIELD_MANAGER, "fieldsV1": {"f:spec": {"f:backfill": {}}}}
        metadata["managedFields"] = [entry]

    def _write_metadata(self, action: Effect) -> None:
        metadata = self.raw["metadata"]
        match action:
            case ReleaseFieldOwnership():
                metadata["managedFields"] = without_range_ownership(
                    metadata.get("managedFields", [])
                )
            case SetFinalizer():
                metadata["finalizers"] = [FINALIZER] if action.present else []
            case RemoveAnnotations():
                for name in action.names:
                    del metadata["annotations"][name]
            case SetOwner():
                metadata["annotations"].pop(DESIRED_OWNER_ANNOTATION, None)
                metadata["annotations"][OWNER_ANNOTATION] = action.owner

    def _submit(self, action: Submit) -> None:
        status = self.status
        recorded = [
            *(status.schedule.in_flight if status.schedule else ()),
            *(status.backfill.in_flight if status.backfill else ()),
        ]
        assert action.window in recorded, "submitted without a recorded intent"
        why = self.refusals.get(str(action.window.start))
        if why is not None:
            self.memory.rejected[action.window.token] = why
            return
        operation_id = self.kusto.submit(action.command)
        self.most_in_flight = max(self.most_in_flight, len(self.kusto.in_progress))
        if self.lost_replies:
            self.lost_replies -= 1
        else:
            self.memory.submitted[action.window.token] = operation_id

    def _drop_older_runs(self, action: DropOlderRuns) -> None:
        why = self.drop_refusals.get(str(action.window.start))
        if why is not None:
            self.memory.rejected[action.window.token] = why
            return
        self.kusto.drop_others(action.table, action.tag)
        if self.lost_drops:
            self.lost_drops -= 1
        else:
            self.memory.replaced.add(action.window.token)

    def _forget_recorded(self, observed: Observations) -> None:
        for name in ("operations", "submitted", "rejected", "tag_found", "ingest_tags"):
            known = getattr(self.memory, name)
            for key, value in getattr(observed, name).items():
                if known.get(key) == value:
                    del known[key]
        self.memory.replaced -= observed.replaced

    def _poll(self, plan: Plan) -> bool:
        news = False
        for each in plan.running_operations:
            found = self.kusto.show(each.operation_id)
            before = self.memory.operations.get(each.operation_id)
            news |= found.state != "InProgress" and (before is None or before != found)
            self.memory.operations[each.operation_id] = found
        return news

    def _sleep(self, plan: Plan) -> bool:
        """Sleep while a window runs; the test itself moves time to the next window."""
        status = self.status
        backfill = status.backfill
        waits = bool(backfill and (backfill.in_flight or backfill.phase == "Running")) or bool(
            status.schedule and status.schedule.in_flight
        )
        soon = plan.requeue_at is not None and plan.requeue_at <= self.now.plus(HOUR // 2)
        if not waits or not soon or plan.requeue_at is None:
            return False
        self.now = plan.requeue_at
        return True

    # What a test reads.

    @property
    def status(self) -> SummaryRuleStatus:
        return parse_rule(self.raw).status or SummaryRuleStatus()

    @property
    def backfill(self) -> Any:
        return self.status.backfill

    @property
    def schedule(self) -> Any:
        return self.status.schedule

    @property
    def replace(self) -> Any:
        return self.status.replace

    @property
    def performed(self) -> list[str]:
        """The names of the effects that were performed; Events by their reason."""
        return [
            action.reason if isinstance(action, EmitEvent) else type(action).__name__
            for action in self.log
        ]

    @property
    def events(self) -> list[str]:
        return [each.reason for each in self.log if isinstance(each, EmitEvent)]

    def event_messages(self, reason: str) -> list[str]:
        """The messages of Events of this reason."""
        events = (each for each in self.log if isinstance(each, EmitEvent))
        return [each.message for each in events if each.reason == reason]

    @property
    def writes(self) -> int:
        """The number of writes to the API server, without Events."""
        kinds = (
            RecordStatus,
            UpdateSpecCursor,
            ReleaseFieldOwnership,
            RemoveBackfill,
            SetFinalizer,
            RemoveAnnotations,
        )
        return sum(isinstance(action, kinds) for action in self.log)

    def block_reasons(self) -> list[str]:
        return [each.reason for each in self.decide().blocked]

    def condition(self, kind: str) -> Any:
        return next(each for each in self.status.conditions if each.type == kind)


def backfilling(hours: int = 6, *, suspend: bool = True, **more: Any) -> FakeEnvironment:
    """A env with a backfill of some hours; interval runs are suspended unless asked for."""
    end = Instant.parse(FIRST).plus(hours * HOUR)
    spec = {"suspend": True} if suspend else {}
    return FakeEnvironment(stored(rule(span(FIRST, str(end), **more), **spec)))


def hours(count: int, first: str = FIRST) -> list[str]:
    """The starts of ``count`` hourly windows."""
    start = Instant.parse(first)
    return [str(start.plus(hour * HOUR)) for hour in range(count)]
