"""The worker without one of its safeguards, to show that the simulation would notice.

Each mutation replaces a part that the worker is given (its ports, its executor, its fence,
the objects that it reads), never a name inside a module of the worker.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from summaryrule import window_command
from summaryrule.api.backfill_request import spec_hash
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import MalformedError, parse_rule
from summaryrule.api.v1 import SummaryRuleStatus, WindowStatus
from summaryrule.planner.types import Effect, Observations, Operation, RecordStatus, Submit
from summaryrule.window_command import parse_run_tag
from tests.worker.simulation.workers import Parts
from worker.executor import Executor
from worker.ports import Fence, KustoClient, RawRule

_TAGS: Final = re.compile(r""", tags='\[.*?\]', ingestIfNotExists='\[.*?\]'""")


class SubmitsFirst(Executor):
    """Without the intent: a window is submitted first, and recorded with its answer."""

    async def execute(
        self, rule: RawRule, actions: Sequence[Effect], seen: Observations
    ) -> RawRule:
        early = []
        for action in actions:
            if isinstance(action, RecordStatus):
                early = [self._submit_of(rule, one) for one in _new_intents(rule, action.status)]
        await self._execute_all(rule, early)
        return await super().execute(rule, actions, seen)

    @staticmethod
    def _submit_of(rule: RawRule, window: WindowStatus) -> Submit:
        parsed = parse_rule(rule)
        command = window_command.append_command(
            parsed, window.window, {}, token=window.token, replaces=False
        )
        return Submit(window, parsed.spec.database, command)


def _new_intents(rule: RawRule, status: SummaryRuleStatus) -> list[WindowStatus]:
    before = {window.token for window in _flying(parse_rule(rule).status or SummaryRuleStatus())}
    return [window for window in _flying(status) if window.token not in before]


def _flying(status: SummaryRuleStatus) -> list[WindowStatus]:
    runs, past = status.schedule, status.backfill
    return [*(runs.in_flight if runs else ()), *(past.in_flight if past else ())]


class Passing:
    """Passes each call on. Keeps `worker.ports.Kusto`."""

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


class Untagged(Passing):
    """Without the token: appends carry no ingest-by tag."""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        bare = _TAGS.sub("", command)
        return await super().submit(database, bare, before_send=before_send)


class Undropped(Passing):
    """Without the drop: the rows of earlier runs stay."""

    async def drop_extents(
        self, database: str, table: str, tag: str, *, before_send: Callable[[], None]
    ) -> None:
        del database, table, tag
        before_send()


class DropsFirst(Passing):
    """With the drop before the append: readers find a window without rows."""

    async def submit(self, database: str, command: str, *, before_send: Callable[[], None]) -> str:
        table, tags = command.split(" ")[2], re.findall(r'"(drop-by:[^"]+)"', command)
        for run in filter(None, map(parse_run_tag, tags)):
            found = await self.find_tags(database, table, run.window_prefix, Instant(0))
            for tag in sorted(found - {str(run)}):
                await self.drop_extents(database, table, tag, before_send=before_send)
        return await super().submit(database, command, before_send=before_send)


def without_mark(rule: RawRule) -> RawRule:
    """Without the high-water mark: what spec says is where the backfill stands."""
    asked = rule["spec"].get("backfill")
    past = (rule.get("status") or {}).get("backfill")
    if asked is None or past is None:
        return rule
    return _with_backfill(rule, {**past, "doneUntil": min(past["doneUntil"], asked["start"])})


def without_hash(rule: RawRule) -> RawRule:
    """Without the spec's hash: a backfill takes any text for the one that it began with."""
    past = (rule.get("status") or {}).get("backfill")
    if past is None:
        return rule
    try:
        return _with_backfill(rule, {**past, "specHash": spec_hash(parse_rule(rule).spec)})
    except MalformedError:
        return rule


def _with_backfill(rule: RawRule, past: dict[str, Any]) -> RawRule:
    return {**rule, "status": {**rule["status"], "backfill": past}}


class Unchecked:
    """Without the lease check: a worker that was stopped past its deadline goes on."""

    def __init__(self, _fence: Fence) -> None:
        pass

    def check(self) -> None:
        """Whatever became of the Lease."""


_WHOLE: Final = Parts()
MUTATIONS: Final[dict[str, Parts]] = {
    "intent": replace(_WHOLE, executor=SubmitsFirst),
    "token": replace(_WHOLE, kusto=Untagged),
    "mark": replace(_WHOLE, shown=without_mark),
    "hash": replace(_WHOLE, shown=without_hash),
    "lease": replace(_WHOLE, fence=Unchecked),
    "drop": replace(_WHOLE, kusto=Undropped),
    "order": replace(_WHOLE, kusto=DropsFirst),
}
