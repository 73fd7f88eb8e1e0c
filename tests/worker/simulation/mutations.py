"""Workers without one safeguard. The simulation must find a violation for each.

Each mutation replaces a part that the worker gets as an argument (ports, executor, fence, the
objects that it reads). It never replaces a name inside a module of the worker.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from summaryrule import window_command
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.tokens import spec_hash
from summaryrule.api.v1 import SummaryRuleStatus, WindowStatus
from summaryrule.planner.types import Effect, Observations, Operation, RecordStatus, Submit
from summaryrule.window_command import parse_run_tag
from tests.worker.simulation.workers import Parts
from worker.executor import Executor
from worker.ports import Fence, KustoClient, RawRule

_TAGS: Final = re.compile(r""", tags='\[.*?\]', ingestIfNotExists='\[.*?\]'""")


class SubmitsFirst(Executor):
    """Without the intent: a window is submitted before it is recorded."""

    async def execute(
        self, rule: RawRule, actions: Sequence[Effect], seen: Observations
    ) -> RawRule:
        submits = []
        for action in actions:
            if isinstance(action, RecordStatus):
                submits = [
                    self._submit_of(rule, window) for window in _new_intents(rule, action.status)
                ]
        await self._execute_all(rule, submits)
        return await super().execute(rule, actions, seen)

    @staticmethod
    def _submit_of(rule: RawRule, window: WindowStatus) -> Submit:
        parsed = parse_rule(rule)
        command = window_command.append_command(
            parsed, window.window, {}, token=window.token, replaces=False
        )
        return Submit(window, parsed.spec.database, command)


def _new_intents(rule: RawRule, status: SummaryRuleStatus) -> list[WindowStatus]:
    before = {window.token for window in _in_flight(parse_rule(rule).status or SummaryRuleStatus())}
    return [window for window in _in_flight(status) if window.token not in before]


def _in_flight(status: SummaryRuleStatus) -> list[WindowStatus]:
    schedule, backfill = status.schedule, status.backfill
    return [*(schedule.in_flight if schedule else ()), *(backfill.in_flight if backfill else ())]


class KustoProxy:
    """Forwards each call. Implements `worker.ports.KustoClient`."""

    def __init__(self, kusto: KustoClient) -> None:
        self._kusto = kusto

    def endpoint(self, database: str) -> str | None:
        return self._kusto.endpoint(database)

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        return await self._kusto.submit(database, command, before_send=before_send)

    async def operations(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._kusto.operations(database, ids)

    async def operations_log(self, database: str, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._kusto.operations_log(database, ids)

    async def has_tag(self, database: str, table: str, tag: str) -> bool:
        return await self._kusto.has_tag(database, table, tag)

    async def find_tags(self, database: str, table: str, prefix: str, since: Instant) -> set[str]:
        return await self._kusto.find_tags(database, table, prefix, since)

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        await self._kusto.drop_extents(database, table, tag, before_send=before_send)

    async def drop_tags(
        self, database: str, table: str, tags: Iterable[str], *, before_send: Callable[[], None]
    ) -> None:
        await self._kusto.drop_tags(database, table, tags, before_send=before_send)

    async def cancel(self, database: str, operation: str) -> bool:
        return await self._kusto.cancel(database, operation)


class WithoutTags(KustoProxy):
    """Without the token: appends have no ingest-by tag."""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        bare = _TAGS.sub("", command)
        return await super().submit(database, bare, before_send=before_send)


class WithoutDrops(KustoProxy):
    """Without the drop: the rows of earlier schedule stay."""

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        del database, table, tag
        before_send()


class DropsFirst(KustoProxy):
    """Drops earlier runs before the append: a reader finds a window without rows."""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        table, tags = command.split(" ")[2], re.findall(r'"(drop-by:[^"]+)"', command)
        for run in filter(None, map(parse_run_tag, tags)):
            found = await self.find_tags(database, table, run.window_prefix, Instant(0))
            for tag in sorted(found - {str(run)}):
                await self.drop_extents(database, table, tag, before_send=before_send)
        return await super().submit(database, command, before_send=before_send)


def without_done_until(rule: RawRule) -> RawRule:
    """Without `doneUntil`: the worker continues the backfill at `spec.backfill.start`."""
    requested = rule["spec"].get("backfill")
    backfill = (rule.get("status") or {}).get("backfill")
    if requested is None or backfill is None:
        return rule
    return _with_backfill(
        rule, {**backfill, "doneUntil": min(backfill["doneUntil"], requested["start"])}
    )


def without_spec_hash(rule: RawRule) -> RawRule:
    """Without the hash of the spec: a backfill uses a changed body at once."""
    backfill = (rule.get("status") or {}).get("backfill")
    if backfill is None:
        return rule
    try:
        return _with_backfill(rule, {**backfill, "specHash": spec_hash(parse_rule(rule).spec)})
    except MalformedError:
        return rule


def _with_backfill(rule: RawRule, backfill: dict[str, Any]) -> RawRule:
    return {**rule, "status": {**rule["status"], "backfill": backfill}}


class WithoutFence:
    """Without the check of the Lease: a worker that was stopped past its deadline continues."""

    def __init__(self, _fence: Fence) -> None:
        pass

    def check(self) -> None:
        """Accept any state of the Lease."""


_UNCHANGED: Final = Parts()
MUTATIONS: Final[dict[str, Parts]] = {
    "intent": replace(_UNCHANGED, executor=SubmitsFirst),
    "token": replace(_UNCHANGED, kusto=WithoutTags),
    "mark": replace(_UNCHANGED, transform=without_done_until),
    "hash": replace(_UNCHANGED, transform=without_spec_hash),
    "lease": replace(_UNCHANGED, fence=WithoutFence),
    "drop": replace(_UNCHANGED, kusto=WithoutDrops),
    "order": replace(_UNCHANGED, kusto=DropsFirst),
}
